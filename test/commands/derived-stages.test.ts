import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { trialsWithLogs } from '../helpers/logs.js'

interface Summary {
  sweep: string
  planned: number
  finished: number
}
interface Planned {
  id: string
  stage: string
}

const digits = ['dataset=glyphs-2000', 'trainRows=100', 'testRows=50', 'seed=0']
/** Each experiment that works on stored weights, small; then what another person asks of the same nets. */
const cases: readonly (readonly [string, readonly string[], string, string])[] = [
  ['interpolate', [...digits, 'epochs=2'], 'alphaStep=0.5', 'alphaStep=0.25'],
  ['pca', [...digits, 'epochs=4', 'seed=0,1', 'scope=layer6'], 'reduction=joint', 'reduction=per-run'],
  ['sensitivity', [...digits, 'epochs=2', 'batch=20', 'rows=20'], 'quantity=mean-loss', 'quantity=rms-loss'],
  [
    'sharpness',
    [...digits, 'epochs=1', 'batch=50', 'rows=20', 'metric=ball', 'samples=2'],
    'epsilon=0.001',
    'epsilon=0.01',
  ],
  [
    'min-ratio',
    ['rows=100', 'epochs=3', 'seed=0', 'finder=none', 'estimator=sampled', 'samples=10'],
    'std=0.0001',
    'std=0.01',
  ],
  ['err-surface', ['rows=100', 'epochs=4', 'seed=0', 'points=5'], 'plane=line', 'plane=random-raw'],
]

describe('stored nets', () => {
  it.each(cases)('of %s are measured anew without training anything', { timeout: 300_000 }, async (...one) => {
    const [experiment, fixed, first, second] = one
    const cwd = temporaryFolder()
    const sweep = async (setting: string): Promise<{ stages: string[]; stderr: string }> => {
      const settings = lastOfEach([...fixed, setting]).flatMap((text) => ['--set', text])
      const args = ['sweep', experiment, '--profile=smoke', '--workers=1', '--json', ...settings]
      const { code, stdout, stderr } = await mlds(args, { cwd })
      const { sweep: id, planned, finished } = JSON.parse(stdout) as Summary
      expect({ code, finished }, stderr).toEqual({ code: 0, finished: planned })
      const folder = join(cwd, '.mlds', 'sweeps', id)
      const { trials } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as { trials: Planned[] }
      // A log is left by each attempt that runs, and by nothing else.
      const ran = new Set(trialsWithLogs(join(folder, 'logs')))
      return { stages: trials.filter((trial) => ran.has(trial.id)).map((trial) => trial.stage), stderr }
    }
    expect((await sweep(first)).stages).toContain('main')
    const again = await sweep(second)
    expect(again.stages.length).toBeGreaterThan(0)
    expect(again.stages).not.toContain('main')
    expect(again.stderr).toMatch(/have results already|has its result already/)
  })
})

/** Of two settings of one axis, the later. */
function lastOfEach(settings: readonly string[]): string[] {
  return [...new Map(settings.map((text) => [text.split('=')[0], text])).values()]
}
