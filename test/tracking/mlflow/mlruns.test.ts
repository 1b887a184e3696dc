import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TrialEvent } from '../../../src/core/trial.js'
import { writeMlruns } from '../../../src/tracking/mlflow/mlruns.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { openTracker, story } from '../../helpers/open-tracker.js'
import { toyTrial } from '../../helpers/told-by-journal.js'

const { id } = toyTrial(0)

/** A journal of one finished trial whose report and result hold a metric of this name. */
function journalWith(metric: string): TrialEvent[] {
  return [
    { type: 'started', trial: id, attempt: 1, worker: 'w', atMs: 1 },
    { type: 'report', trial: id, attempt: 1, step: 1, metrics: { [metric]: 0.5 }, atMs: 2 },
    {
      type: 'ended',
      trial: id,
      attempt: 1,
      outcome: { state: 'finished', metrics: { [metric]: 0.5 }, artifacts: {} },
      atMs: 3,
    },
  ]
}

async function writeTree(parent: string, history: readonly TrialEvent[]): Promise<number> {
  const { info } = openTracker('http://127.0.0.1:1', 'exported', parent, [])
  return writeMlruns({
    folder: join(parent, 'mlruns'),
    experimentName: 'toy',
    info: { ...info, trials: [toyTrial(0)] },
    history: () => history,
    story: await story(),
    readLog: async () => undefined,
  })
}

describe('a tree of files for MLflow', () => {
  it('holds a metric in folders of its name', async () => {
    const parent = temporaryFolder()
    expect(await writeTree(parent, journalWith('val/loss'))).toBe(2)
    const tree = join(parent, 'mlruns')
    const files = readdirSync(tree, { recursive: true, encoding: 'utf8' })
    const metric = files.find((file) => file.endsWith('metrics/val/loss'))
    expect(readFileSync(join(tree, metric!), 'utf8')).toBe('2 0.5 1\n')
  })

  it.each([
    ['above the tree', '../../../../escaped'],
    ['in another run', '../../another/metrics/loss'],
    ['over what its run says of itself', '../meta.yaml'],
    ['at the root of the disk', '/escaped'],
  ])('is refused where a metric has a name that would lie %s', async (_, metric) => {
    const parent = temporaryFolder()
    await expect(writeTree(parent, journalWith(metric))).rejects.toThrow(
      `a name that is no path in its run's folder: ${JSON.stringify(`metrics/${metric}`)}`,
    )
    expect(existsSync(join(parent, 'escaped'))).toBe(false)
    expect(readdirSync(parent)).toEqual(['mlruns'])
  })
})
