import { join } from 'node:path'
import { expect } from 'vitest'
import { Random } from '../../src/core/seed.js'
import { exportRows, formatCsv } from '../../src/sweeps/journal/export.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { readRecords } from '../../src/sweeps/verdicts.js'
import { openStore } from '../../src/system/store.js'
import { linesOf, mlds, startMlds, temporaryFolder, until, type Finished } from './cli.js'

/** Eight trials that take long enough to be met in the middle. */
const settings = {
  ...{ dataset: 'glyphs-2000', trainRows: '1000', validationRows: '200', epochs: '4' },
  ...{ width: '64,128', seed: '0..3' },
}
const spec = [
  ...['sweep', 'params', '--workers', '2', '--json'],
  ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
]

/** What `mlds verify` and `mlds export` tell of a sweep, without a process for each. */
async function readBack(storeFolder: string, id: string): Promise<{ damaged: string[]; counts: object; csv: string }> {
  const sweep = await SweepFolder.open(openStore(storeFolder), id)
  const damaged: string[] = []
  const { planned, finished, unique } = sweep.restore(({ reason }) => damaged.push(reason)).counts()
  return { damaged, counts: { planned, finished, unique }, csv: formatCsv(exportRows(readRecords(sweep))) }
}

/**
 * So many times a sweep is killed with -9 once its journal has some number of lines, and resumed: each must come to what an
 * undisturbed one has.
 */
export async function killAtAnyMoment(kills: number): Promise<void> {
  const cwd = temporaryFolder()
  const undisturbed = { MLDS_STORE: join(cwd, 'undisturbed') }
  const parse = ({ stdout }: Finished): { sweep: string } => JSON.parse(stdout) as { sweep: string }
  const { sweep } = parse(await mlds(spec, { cwd, env: undisturbed }))
  const expected = await readBack(undisturbed.MLDS_STORE, sweep)
  const lines = linesOf(join(cwd, 'undisturbed', 'sweeps', sweep, 'journal.jsonl')).length

  const random = new Random(20)
  for (let kill = 0; kill < kills; kill++) {
    const env = { MLDS_STORE: join(cwd, `killed-${kill}`) }
    const journal = join(cwd, `killed-${kill}`, 'sweeps', sweep, 'journal.jsonl')
    const running = startMlds(spec, { cwd, env })
    const moment = random.below(lines)
    await until(() => linesOf(journal).length >= moment || running.child.exitCode !== null)
    running.child.kill('SIGKILL')
    await running.finished
    const resumed = await mlds(moment === 0 ? spec : ['resume', sweep, '--workers', '2', '--json'], { cwd, env })
    expect(parse(resumed)).toMatchObject({ planned: 8, finished: 8, unique: 8, missing: 0 })
    expect(await readBack(env.MLDS_STORE, sweep)).toEqual(expected)
  }
}
