import { readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ProgramCheckpoint } from '../../../src/experiments/custom/program-checkpoint.js'
import type { Checkpoint } from '../../../src/experiments/experiment.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { noCheckpoint } from '../../helpers/no-checkpoint.js'

/** What is kept, of the checkpoints that a program has put there, when a report of `step` comes. */
async function keptOf(names: readonly string[], step: number): Promise<{ kept: unknown[]; left: string[] }> {
  const kept: unknown[] = []
  const checkpoint: Checkpoint = {
    ...noCheckpoint,
    isDue: true,
    saveFiles: async (path, upTo) => void kept.push([basename(path), upTo]),
  }
  const own = await ProgramCheckpoint.open(checkpoint, temporaryFolder(), undefined)
  onTestFinished(() => own.remove())
  for (const name of names) writeFileSync(join(own.folder, name), '')
  await own.afterReport(step)
  return { kept, left: readdirSync(own.folder).sort() }
}

describe('the folder of a program’s checkpoints', () => {
  it('gives the newest that is finished, of a step whose report has come, and loses the older ones', async () => {
    expect(await keptOf(['2', '4.pt', '12.tar.gz'], 4)).toEqual({ kept: [['4.pt', 4]], left: ['12.tar.gz', '4.pt'] })
    expect(await keptOf(['9', '10', '11'], 11)).toEqual({ kept: [['11', 11]], left: ['11'] })
  })

  it('takes nothing that is being written, or is called otherwise than by a step', async () => {
    const others = ['5.tmp', '5.ckpt.tmp', '.5', '-5', '5 ', 'step-5', 'latest', '5e2', '0x5']
    expect((await keptOf(others, 9)).kept).toEqual([])
  })
})
