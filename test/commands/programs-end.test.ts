import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats, withNats } from '../helpers/nats.js'
import { isRunning } from '../helpers/processes.js'

/** Starts processes in sessions of their own, one of which has no environment; all ignore polite signals. Tells pids and folder. */
const stubborn = `trap '' TERM
setsid sh -c 'echo $$ >> pids; while :; do sleep 1; done' &
env -i setsid sh -c 'trap "" TERM; echo $$ >> pids; while :; do sleep 1; done' &
echo $$ >> pids; echo $MLDS_FOLDER > folder; while :; do sleep 1; done`

/** Takes 300 MB and keeps it; or nothing. */
const greedy = `globalThis.kept = Buffer.alloc(Number(process.argv[1]) * 1e6, 1)
setTimeout(() => console.log(JSON.stringify({ loss: 1 })), kept.length > 0 ? 60_000 : 0)`

const sweepOf = (words: readonly string[], axis: string, more = ''): string =>
  `experiment: { command: ${JSON.stringify(words)} }\naxes: { x: ${axis} }\n${more}`

describe.skipIf(process.platform !== 'linux')('the programs of a process of mlds that is killed', () => {
  it.each(['sweep', ...(hasNats ? ['worker'] : [])])('end, and their folders go (mlds %s)', async (what) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'q.yaml'), sweepOf(['sh', '-c', stubborn, 'sh', '{x}'], '[1]'))
    const on = what === 'worker' ? ['--nats', (await withNats('')).url] : ['--workers', '1']
    const sweep = startMlds(['sweep', 'q.yaml', '--name', 'q', ...on], { cwd })
    const worker = ['worker', 'start', ...on, '--slots', '1', '--experiment', 'q.yaml', '--store', 'w']
    const killed = what === 'worker' ? startMlds(worker, { cwd }) : sweep
    const pids = (): number[] => linesOf(join(cwd, 'pids')).map(Number)
    onTestFinished(() =>
      pids()
        .filter(isRunning)
        .forEach((pid) => void process.kill(pid, 'SIGKILL')),
    )
    await until(() => pids().length === 3 && linesOf(join(cwd, 'folder')).length === 1)
    const [folder] = linesOf(join(cwd, 'folder'))
    expect(existsSync(folder!)).toBe(true)
    killed.child.kill('SIGKILL')
    await until(() => !pids().some(isRunning) && !existsSync(folder!))
  })
})

it.skipIf(!hasNats)(
  'a trial on a worker fails that has more memory than its sweep says, and no other does',
  async () => {
    const cwd = temporaryFolder()
    const words = [process.execPath, '-e', greedy, '{x}']
    writeFileSync(join(cwd, 'q.yaml'), sweepOf(words, '[0, 300]', 'resources: { memoryGb: 0.25 }'))
    const nats = ['--nats', (await withNats('')).url]
    startMlds(['worker', 'start', ...nats, '--slots', '1', '--experiment', 'q.yaml', '--store', 'w'], { cwd })
    const ran = await mlds(['sweep', 'q.yaml', '--name', 'q', ...nats], { cwd })
    expect([ran.code, ran.stdout]).toEqual([
      1,
      expect.stringMatching(/the program took more memory than its limit: 0\.3\d* GB in one process/),
    ])
    const { stdout } = await mlds(['verify', 'q', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ finished: 1 })
  },
)
