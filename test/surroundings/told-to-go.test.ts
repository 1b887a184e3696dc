import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { linesOf, mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

/** Runs until it is told to go; where `quick` is there, it ends by itself. */
const program = `const { appendFileSync, existsSync } = require('node:fs')
const end = () => { console.log('{"loss": 1}'); process.exit(0) }
appendFileSync('pids', process.pid + '\\n')
if (process.argv[3] === 'shell') process.on('SIGTERM', () => process.exit(143))
setInterval(() => { if (existsSync('quick')) end() }, 20)
`

function lab(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'run.cjs'), program)
  const yaml = 'experiment:\n  command: node run.cjs {x} {how}\nname: s\naxes: {x: [1], how: [plain, shell]}\n'
  writeFileSync(join(cwd, 's.yaml'), yaml)
  return cwd
}

/** Tells mlds and both of its programs to go at once, as scancel and systemd do. */
async function tellAll(cwd: string, running: Running, signal: NodeJS.Signals): Promise<void> {
  const pids = (): number[] => linesOf(join(cwd, 'pids')).map(Number)
  await until(() => pids().length === 2)
  for (const pid of [...pids(), running.child.pid!]) process.kill(pid, signal)
}

describe('a program that is told to go together with its mlds', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s has not failed: its trial is missing, and a resume runs it', async (signal, code) => {
    const cwd = lab()
    const running = startMlds(['sweep', 's.yaml', '--workers', '2'], { cwd })
    await tellAll(cwd, running, signal)
    const ended = await running.finished
    expect(ended.code, ended.stdout + ended.stderr).toBe(code)
    const counts = JSON.parse((await mlds(['verify', 's', '--json'], { cwd })).stdout) as object
    expect(counts).toMatchObject({ failed: 0, missing: 2 })
    writeFileSync(join(cwd, 'quick'), '')
    expect((await mlds(['resume', 's'], { cwd })).code).toBe(0)
  })

  it.skipIf(!hasNats)('where that is a worker, is begun again by another worker', async () => {
    const server = await startNatsServer(join(temporaryFolder(), 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const [home, far] = [lab(), lab()]
    const args = ['worker', 'start', '--nats', server.url, '--experiment', 's.yaml', '--slots', '2']
    const first = startMlds(args, { cwd: far })
    const sweep = startMlds(['sweep', 's.yaml', '--nats', server.url], { cwd: home })
    await tellAll(far, first, 'SIGTERM')
    expect((await first.finished).code).toBe(0)
    writeFileSync(join(far, 'quick'), '')
    startMlds(args, { cwd: far })
    const { code, stdout, stderr } = await sweep.finished
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).not.toContain('failed')
  })
})
