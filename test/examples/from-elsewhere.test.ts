import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { planTarget } from '../../src/app/planning/plan.js'
import { runSweep } from '../../src/index.js'
import { importHydra } from '../../src/sweeps/spec/import/hydra.js'
import { importWandb } from '../../src/sweeps/spec/import/wandb.js'
import { readStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

const examples = join(import.meta.dirname, '..', '..', 'examples', 'from-elsewhere')
const folders = readdirSync(examples, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []))
const plain = (text: string): Record<string, unknown> => parse(text) as Record<string, unknown>

/** Trials of each; of the large grid only a corner is run. */
const planned: Readonly<Record<string, number>> = {
  '01-wandb-grid': 16,
  '02-wandb-random': 6,
  '03-wandb-bayes': 6,
  '04-hydra-multirun': 8,
  '05-optuna-conditional': 8,
  '06-ray-asha': 6,
  '07-nni-nested': 8,
  '08-syne-tune-asha': 6,
  '09-snakemake-files': 4,
  '10-large-grid': 22_500,
  '11-cross-validation': 10,
  '12-paired-seeds': 6,
  '13-ablation': 4,
  '14-train-and-evaluate': 6,
}

describe('a sweep from elsewhere', () => {
  it('stands beside what it was: fourteen of them', () => {
    expect(folders).toEqual(Object.keys(planned))
    for (const folder of folders)
      expect(readdirSync(join(examples, folder)).sort()).toEqual(['mlds.yaml', expect.stringMatching(/^original\./)])
  })

  it.each(folders)('%s is planned as it says and runs to its end', async (folder) => {
    const file = join(examples, folder, 'mlds.yaml')
    const store = join(temporaryFolder(), 'store')
    const { plan } = await planTarget(file, { set: [] }, readStore(store))
    // A search that learns suggests the others while it runs.
    expect(plan.suggested?.length ?? plan.trials.length).toBe(planned[folder])
    const isLarge = plan.trials.length > 100
    const target = isLarge ? await planTarget(file, { set: ['lr=0.01', 'width=1,2'] }, readStore(store)) : undefined
    const spec = plain(readFileSync(file, 'utf8'))
    const { summary } = await (target === undefined
      ? runSweep(file, { store, workers: 1 })
      : runSweep(
          {
            ...spec,
            experiment: { command: (spec['experiment'] as { command: string }).command, cwd: join(examples, folder) },
            axes: target.plan.spec.axes,
          } as never,
          { store, workers: 1 },
        ))
    // One that a rule stops has finished, too.
    expect([summary.finished, summary.missing]).toEqual([summary.planned, 0])
  })

  it.each(folders.filter((name) => name.includes('wandb')))('%s is what import makes of the original', (folder) => {
    const original = importWandb(readFileSync(join(examples, folder, 'original.yaml'), 'utf8'), 'original.yaml')
    expect(original.leftOut).toEqual([])
    expect(plain(readFileSync(join(examples, folder, 'mlds.yaml'), 'utf8'))).toEqual(original.spec)
  })

  it('of Hydra has the axes that import makes of the line', async () => {
    const line = readFileSync(join(examples, '04-hydra-multirun', 'original.txt'), 'utf8')
      .trim()
      .replaceAll("'", '')
    const { spec, leftOut } = importHydra(line, 'toy.sh')
    expect([leftOut, spec['axes'], spec['seeds']]).toEqual([
      [],
      {
        lr: [0.001, 0.01],
        model: ['small'],
        data_crop: [
          [28, 28],
          [32, 32],
        ],
      },
      [0, 1],
    ])
  })
})
