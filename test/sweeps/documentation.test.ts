import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findExperiment } from '../../src/experiments/registry.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { sweepSchema } from '../../src/sweeps/spec/schema.js'
import { parseSweepFile, specKeys } from '../../src/sweeps/spec/spec.js'
import { createScheduler } from '../../src/sweeps/scheduling/stopping.js'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'sweep-language.md'), 'utf8')
const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!)

describe('the page on the sweep language', () => {
  it.each(blocks.map((text, i) => [i + 1, text] as const))(
    'holds in block %i a file that can be planned',
    async (_, text) => {
      const spec = parseSweepFile(text, 'block.yaml')
      const experiment = await findExperiment(spec.experiment)
      const { trials } = makePlan(experiment, spec, () => 'data')
      expect(trials.length).toBeGreaterThan(0)
      createScheduler(trials, spec.scheduler ?? [], experiment.objective)
    },
  )

  it('comes to what it says', async () => {
    const count = async (text: string) => {
      const spec = parseSweepFile(text, 'block.yaml')
      return makePlan(await findExperiment(spec.experiment), spec, () => 'data').trials
    }
    expect(await count(blocks[0]!)).toHaveLength(3 * 3 * 3 * 3)
    // Two widths by two optimisers by two zipped rows, less the wide nets of one optimiser; three seeds.
    expect(await count(blocks[1]!)).toHaveLength((4 - 1) * 2 * 3)
    const mains = (await count(blocks[2]!)).filter(({ stage }) => stage === 'main')
    expect(new Set(mains.map(({ params }) => `${String(params['budget'])} ${String(params['targetLoss'])}`)).size).toBe(
      3,
    )
  })

  it('names every key that a file may have', () => {
    for (const key of specKeys) expect(page, key).toMatch(new RegExp(`\\b${key}:`))
  })
})

describe('the JSON Schema', () => {
  it('knows the keys of the parser and the axes of the experiment', async () => {
    const schema = sweepSchema([await findExperiment('interpolate')]) as {
      properties: object
      allOf: { then: { properties: { axes: { properties: object }; profile: { enum: string[] } } } }[]
    }
    expect(Object.keys(schema.properties).sort()).toEqual([...specKeys].sort())
    const { axes, profile } = schema.allOf[0]!.then.properties
    expect(Object.keys(axes.properties)).toEqual(
      expect.arrayContaining(['batch', 'alphaStep', 'interpolate.alphaStep']),
    )
    expect(profile.enum).toEqual(['smoke', 'reduced', 'full'])
  })
})
