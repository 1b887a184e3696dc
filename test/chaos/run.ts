import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChaos, undisturbed, type ChaosReport } from './chaos.js'

/** `npm run chaos [RUNS]`: the sweep at full size while its processes are killed, each run with other kills. */
const runs = Number(process.argv[2] ?? 1)
const shape = { trials: 300, ms: 200 }
const folder = mkdtempSync(join(tmpdir(), 'mlds-chaos-'))
let wrong = 0
try {
  const expected = await undisturbed(shape, join(folder, 'undisturbed'))
  for (let seed = 0; seed < runs; seed++) {
    const here = join(folder, `run-${seed}`)
    const kills = { worker: 6, orchestrator: 2, server: 1 }
    const say = (line: string): void => console.log(`  ${line}`)
    const report = await runChaos(
      { ...shape, folder: here, workers: 3, slots: 4, kills, accounts: true, seed, say },
      expected,
    )
    const good = isGood(report)
    if (!good) wrong++
    console.log(`run ${seed}: ${good ? 'good' : 'WRONG'} ${JSON.stringify(report)}`)
    if (good) rmSync(here, { recursive: true })
  }
  console.log(`${runs - wrong} of ${runs} runs good`)
} finally {
  if (wrong === 0) rmSync(folder, { recursive: true, force: true })
  else console.log(`what went wrong is in ${folder}`)
}
process.exitCode = wrong === 0 ? 0 : 1

function isGood({ ended, committedTwice, results, resumed, poison, differing }: ChaosReport): boolean {
  return (
    ended['finished'] === shape.trials &&
    ended['dead'] === 1 &&
    poison.state === 'dead' &&
    committedTwice === 0 &&
    results === shape.trials + 1 &&
    resumed > 0 &&
    differing.length === 0
  )
}
