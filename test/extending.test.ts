import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openData } from '../src/data/catalog.js'
import { imageSet } from '../src/data/image-set.js'
import { dataSets, type DataSources } from '../src/data/sets.js'
import { setNames } from '../src/experiments/vocabulary/axes.js'
import type { Rules } from '../src/sweeps/scheduling/rule.js'
import { describeRuleTable, stoppingRules } from '../src/sweeps/scheduling/rules.js'
import { createScheduler, parseStopping } from '../src/sweeps/scheduling/stopping.js'
import { parseSearch, samplePoints, samplers } from '../src/sweeps/spec/samplers.js'
import { runSweep, defineExperiment, number } from '../src/index.js'
import { TargetScheduler } from '../src/sweeps/scheduling/target.js'
import { temporaryFolder } from './helpers/cli.js'
import { trialsOf } from './conformance/scheduler.js'

describe('from outside src', () => {
  it('a data set is one row: it is offered, resolved and loaded', async () => {
    const [shape, rows, fingerprint] = [[28, 28, 1], 20, 'f'.repeat(64)]
    const sets: DataSources = {
      ...dataSets,
      blank: {
        ...{ shape, rows, fingerprint, what: 'nothing' },
        load: async (name) =>
          imageSet({ name, shape, rows, fingerprint, pixels: new Uint8Array(rows * 784), labels: Array(rows).fill(1) }),
      },
    }
    expect(setNames('digits', sets)).toContain('blank')
    const data = openData({ cacheFolder: '', dataFolder: '' }, sets)
    expect(data.resolve('blank').fingerprint).toBe(fingerprint)
    expect((await data.load('blank')).rows).toBe(rows)
    expect(() => openData({ cacheFolder: '', dataFolder: '' }).resolve('blank')).toThrow(/unknown data set: blank/)
  })

  it('a sampler is one row: a search draws its points', () => {
    const known = {
      ...samplers,
      middle: (count: number, axes: number) => Array<number[]>(count).fill(Array<number>(axes).fill(0.5)),
    }
    const search = parseSearch({ sampler: 'middle', count: 2, axes: { x: { uniform: [0, 4] } } }, known)
    // A point that is drawn twice is one.
    expect(samplePoints(search, known)).toEqual([{ x: 2 }])
    expect(() => parseSearch({ sampler: 'middle', count: 2, axes: { x: [1] } })).toThrow(/unknown sampler: middle/)
  })

  it('a rule is one row: its numbers are read, and it stops a trial', () => {
    const rules: Rules = {
      ...stoppingRules,
      below: {
        ...{ stops: 'that falls below `floor`', numbers: { floor: 'needed' } },
        wrap: (inner, judged, { floor }) => new TargetScheduler(inner, { ...judged, value: floor! }),
      },
    }
    const trials = trialsOf(1)
    const objective = { metric: 'loss', direction: 'minimize' } as const
    const scheduler = createScheduler(trials, parseStopping({ below: { floor: 1 } }, rules), objective, {
      table: rules,
    })
    const report = (loss: number) => scheduler.observe({ trial: trials[0]!.id, step: 1, metrics: { loss } })
    expect([report(2), report(0.5)]).toEqual(['continue', 'stop'])
    expect(() => parseStopping('below', rules)).toThrow(/below needs floor/)
    expect(describeRuleTable(rules)).toContain('| `below` | that falls below `floor` | `floor` |')
  })

  it('the table of rules in the docs is that of the code', () => {
    const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'stopping.md'), 'utf8')
    expect(describeRuleTable().filter((row) => !page.includes(row))).toEqual([])
  })

  it('an experiment and a figure are an object each: a sweep runs the one and draws the other', async () => {
    const drawn: number[] = []
    const experiment = defineExperiment({
      name: 'parabola',
      space: { x: number({ default: 0 }) },
      run: ({ x }) => ({ loss: x * x }),
      figures: [
        {
          ...{ name: 'count', caption: 'how many trials there are' },
          draw: async (records) => {
            drawn.push(records.length)
            return undefined
          },
        },
      ],
    })
    const { sweep } = await runSweep({ experiment, axes: { x: [-1, 2] } }, { store: join(temporaryFolder(), 'store') })
    expect(sweep.records().map(({ metrics }) => metrics['loss'])).toEqual([1, 4])
    expect(drawn.at(-1)).toBe(2)
  })
})
