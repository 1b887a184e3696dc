import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { planTarget } from '../../src/app/planning/plan.js'
import { findExperiment } from '../../src/experiments/registry.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { sweepSchema } from '../../src/sweeps/spec/schema.js'
import { parseSweepFile, specKeys } from '../../src/sweeps/spec/spec.js'
import { readStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

const read = (name: string): string => readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8')
const blocksOf = (name: string): string[] =>
  [...read(name).matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!)
const page = read('sweep-language.md')
const blocks = blocksOf('sweep-language.md')
const all = ['sweep-language.md', 'claims.md', 'figures.md'].flatMap((name) =>
  blocksOf(name).map((text, i) => [name, i + 1, text] as const),
)

describe('the pages on the sweep language', () => {
  it.each(all)('hold in %s, block %i, a file that can be planned', async (_name, _number, text) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'my.yaml'), text)
    writeFileSync(join(folder, 'lab.yaml'), 'repeat: 2\n')
    vi.stubEnv('SCRATCH', folder)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { plan } = await planTarget(join(folder, 'my.yaml'), { set: [] }, readStore(join(folder, 'store')))
    expect(plan.trials.length).toBeGreaterThan(0)
  })

  it('come to what they say', async () => {
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

  it('name every key that a file may have on the first', () => {
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
