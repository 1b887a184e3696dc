import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { linesOf, mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'
import { isRunning } from '../helpers/processes.js'

/** Writes its own pid and that of a child in a session of its own down, and would run for ever; neither heeds SIGTERM. */
const program = `const { appendFileSync, writeFileSync } = require('node:fs')
const stay = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'
const child = require('node:child_process').spawn(process.execPath, ['-e', stay], { detached: true, stdio: 'ignore' })
writeFileSync(process.env.MLDS_FOLDER + '/half-written', '')
appendFileSync('pids', child.pid + '\\n' + process.pid + '\\n')
eval(stay)
`

function lab(): { cwd: string; temporary: string; env: Record<string, string> } {
  const cwd = temporaryFolder()
  const temporary = join(cwd, 'tmp')
  mkdirSync(temporary)
  writeFileSync(join(cwd, 'run.cjs'), program)
  writeFileSync(join(cwd, 's.yaml'), 'experiment:\n  command: node run.cjs {x}\nname: s\naxes: {x: [1, 2]}\n')
  return { cwd, temporary, env: { TMPDIR: temporary } }
}

async function expectNothingLeft({ cwd, temporary }: ReturnType<typeof lab>, running: Running): Promise<void> {
  const pids = (): number[] => linesOf(join(cwd, 'pids')).map(Number)
  await until(() => pids().length === 4)
  running.child.kill('SIGKILL')
  await running.finished
  await until(() => !pids().some(isRunning))
  await until(() => readdirSync(temporary).every((name) => !name.startsWith('mlds-trials-')))
}

describe.skipIf(process.platform !== 'linux')('programs whose mlds is killed with -9', () => {
  it('end with it, and their folders go', async () => {
    const place = lab()
    await expectNothingLeft(place, startMlds(['sweep', 's.yaml', '--workers', '2'], place))
  })

  it.skipIf(!hasNats)('end with it where it is a worker', async () => {
    const server = await startNatsServer(join(temporaryFolder(), 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const place = lab()
    const args = ['worker', 'start', '--nats', server.url, '--experiment', 's.yaml', '--slots', '2']
    const worker = startMlds(args, place)
    startMlds(['sweep', 's.yaml', '--nats', server.url], { cwd: place.cwd })
    await expectNothingLeft(place, worker)
  })
})

it('programs that have ended leave no temporary folder', async () => {
  const { cwd, temporary, env } = lab()
  writeFileSync(join(cwd, 'run.cjs'), `console.log('{"loss": 1}')`)
  const { code, stderr } = await mlds(['sweep', 's.yaml'], { cwd, env })
  expect(code, stderr).toBe(0)
  expect(readdirSync(temporary)).toEqual([])
})
