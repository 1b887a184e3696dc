import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TrialRecord } from '../../../src/core/trial.js'
import { openNamedCustom } from '../../../src/app/planning/plan.js'
import { runSweep } from '../../../src/index.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { RemoteLab, type LabWorker } from '../../helpers/remote-lab.js'

const trains = 'mkdir "$MLDS_FOLDER/deep"; echo "$1$MLDS_SEED" > "$MLDS_FOLDER/deep/w.txt"; echo "loss=$1"'
const evaluates = 'echo "sum=$(cat "$MLDS_PARENTS"/*/deep/w.txt | awk \'{ s += $1 } END { print s }\')"'

const words = (script: string, ...more: string[]): string => JSON.stringify(['sh', '-c', script, 'sh', ...more])

describe.skipIf(!hasNats)('stages of programs on remote workers', () => {
  const lab = RemoteLab.open()

  it('find what earlier ones saved on another worker, and go to one that has time for them', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'my.yaml')
    writeFileSync(
      path,
      `experiment:
  stages:
    train: { command: ${words(trains, '{lr}')}, timeout: 1h }
    evaluate: { derive: { from: train, pairs: [lr] }, command: ${words(evaluates)}, timeout: 2h }
axes: { lr: [1, 2, 4] }
objective: { metric: sum, direction: maximize }
`,
    )
    const custom = [await openNamedCustom(path)]
    const hurried = await lab.worker('stages', { custom, timeLimitMs: 90 * 60_000 })
    let trained = 0
    let other: Promise<LabWorker> | undefined
    const { sweep } = await runSweep(path, {
      ...{ store: join(folder, 'store'), nats: lab.server.url, tenant: 'stages' },
      onEvent({ type }) {
        // Its store has nothing of what the first worker's has.
        if (type === 'ended' && ++trained === 3) other = lab.worker('stages', { custom })
      },
    })
    const [train, evaluated] = ['train', 'evaluate'].map((stage) =>
      sweep.records().filter(({ trial }) => trial.stage === stage),
    ) as [TrialRecord[], TrialRecord[]]
    const workers = (records: TrialRecord[]): unknown[] => [...new Set(records.map(({ worker }) => worker))]
    expect([workers(train), workers(evaluated)]).toEqual([[hurried.name], [(await other)!.name]])
    // The seed is the digit behind: 10 + 20, 10 + 40, 20 + 40.
    expect(evaluated.map(({ metrics }) => metrics['sum']).sort()).toEqual([30, 50, 60])
  })
})
