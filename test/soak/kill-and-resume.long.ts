import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Random } from '../../src/core/seed.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'

/** How often it is killed, and its trials (MLDS_SOAK_KILLS, default 40; MLDS_SOAK_TRIALS, default 300). */
const kills = Number(process.env['MLDS_SOAK_KILLS'] ?? 40)
const trials = Number(process.env['MLDS_SOAK_TRIALS'] ?? 300)
/** Programs at once. */
const workers = 2

const program = `const { appendFileSync } = require('node:fs')
const [n, seed] = process.argv.slice(2).map(Number)
let x = n + 1
for (let step = 1; step <= 3; step++) {
  x = (x * 1103515245 + 12345 + seed) % 2147483648
  console.log(JSON.stringify({ step, loss: x / 2147483648 }))
}
appendFileSync('ran.log', n + '\\n')
`
const sweep = `experiment:\n  command: node program.cjs {n} {seed}\naxes:\n  n: 0..${trials - 1}\n`

it(`a sweep of ${trials} programs that is killed with -9 and resumed ${kills} times comes to the rows of one that nobody disturbed`, async () => {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'program.cjs'), program)
  writeFileSync(join(cwd, 'sweep.yaml'), sweep)
  const args = ['sweep', 'sweep.yaml', '--workers', String(workers), '--name', 'soak']
  const undisturbed = await mlds([...args, '--store', 'undisturbed'], { cwd })
  expect(undisturbed.code, undisturbed.stderr).toBe(0)
  const calm = linesOf(join(cwd, 'ran.log')).length

  const random = new Random(1)
  const journal = join(cwd, '.mlds/sweeps/soak/journal.jsonl')
  const ended = (): number => linesOf(journal).filter((line) => line.startsWith('{"type":"ended"')).length
  for (let killed = 0; killed < kills; killed++) {
    const running = startMlds(killed === 0 ? args : ['resume', 'soak', '--workers', String(workers)], { cwd })
    let hasEnded = false
    void running.finished.then(() => (hasEnded = true))
    // By what was written down, not by time: between none and twice its share of the trials later.
    const after = ended() + random.below(Math.ceil((2 * trials) / kills))
    await until(() => hasEnded || (linesOf(journal).length > 0 && ended() >= after))
    running.child.kill('SIGKILL')
    await running.finished
  }
  const last = await mlds(['resume', 'soak', '--json'], { cwd })
  expect(last.code, last.stderr).toBe(0)
  expect(JSON.parse(last.stdout)).toMatchObject({ planned: trials, finished: trials, unique: trials })
  expect((await mlds(['verify', 'soak'], { cwd })).code).toBe(0)
  const rows = async (store: string): Promise<string> =>
    (await mlds(['export', 'soak', '--store', store], { cwd })).stdout
  expect(await rows('.mlds')).toBe(await rows('undisturbed'))
  expect(ended()).toBe(trials)
  // What ran when it was killed runs again; nothing else does.
  expect(linesOf(join(cwd, 'ran.log')).length - calm).toBeLessThanOrEqual(trials + kills * workers)
  // Nothing of the many lives is left behind.
  expect(readdirSync(join(cwd, '.mlds/sweeps/soak')).filter((name) => /lock|\.new/.test(name))).toEqual([])
})
