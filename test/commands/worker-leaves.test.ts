import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats, withNats } from '../helpers/nats.js'

const program = `touch begun; while [ ! -e go ]; do sleep 0.1; done; echo '{"loss": 1}'`

/** A server with one trial in its queue that runs until a file `go` is there, and what starts a worker of one slot. */
async function withQueuedTrial() {
  const cwd = temporaryFolder()
  const server = await withNats('')
  const nats = ['--nats', server.url]
  const sweep = `experiment: { command: [sh, -c, ${JSON.stringify(program)}, sh, '{x}'] }\naxes: { x: [1] }\n`
  writeFileSync(join(cwd, 'q.yaml'), sweep)
  await mlds(['sweep', 'q.yaml', '--name', 'q', '--detach', ...nats], { cwd })
  const worker = (args: readonly string[], env: Record<string, string> = {}) =>
    startMlds(['worker', 'start', ...nats, '--slots', '1', '--experiment', 'q.yaml', ...args], { cwd, env })
  const isThere = (file: string) => existsSync(join(cwd, file))
  return { cwd, server, worker, isThere }
}

describe.skipIf(!hasNats)('a worker that need not be ended by anybody', () => {
  it('hands its trial back before its time is up, ends when no more come, and when its server is away', async () => {
    const { cwd, server, worker, isThere } = await withQueuedTrial()
    // A job of Slurm: it ends in twenty seconds, of which the worker has ten to leave.
    const end = String(Math.round(Date.now() / 1_000) + 20)
    const limited = worker(['--time-limit', 'auto', '--grace', '0'], { SLURM_JOB_END_TIME: end, SLURM_JOB_ID: '1' })
    await until(() => isThere('begun'))
    const left = await limited.finished
    expect([left.code, left.stderr]).toEqual([
      0,
      expect.stringContaining("The worker's time (--time-limit) is nearly up"),
    ])
    const status = await mlds(['status', 'q', '--json'], { cwd })
    expect(JSON.parse(status.stdout)).toMatchObject({ remote: { queued: 1, running: [] } })

    writeFileSync(join(cwd, 'go'), '')
    const idle = await worker(['--idle-timeout', '2s']).finished
    expect([idle.code, idle.stderr]).toEqual([
      0,
      expect.stringContaining('no trial has come for 2.0 s: this worker ends'),
    ])
    const resumed = await mlds(['resume', 'q', '--json'], { cwd })
    expect(JSON.parse(resumed.stdout)).toMatchObject({ planned: 1, finished: 1 })

    const lonely = worker(['--on-server-lost', '1s'])
    const orphan = worker(['--idle-timeout', '6s'])
    for (const waiting of [lonely, orphan]) await until(() => waiting.output().includes('is ready'))
    await server.stop('SIGKILL')
    const lost = await lonely.finished
    expect([lost.code, lost.stderr]).toEqual([3, expect.stringContaining('the NATS server has been away for 1.0 s')])
    // A server that is gone for good keeps nobody's allocation.
    const alone = await orphan.finished
    expect([alone.code, alone.stderr]).toEqual([0, expect.stringContaining('no trial has come for 6.0 s')])
  })

  it('ends when its time is up, as any command does, with a server that takes its connection and says nothing', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const nats = ['--nats', `nats://127.0.0.1:${(silent.address() as AddressInfo).port}`]
    const cwd = temporaryFolder()
    const limit = ['--time-limit', '13s', '--grace', '1']
    const [list, start] = await Promise.all([
      mlds(['worker', 'list', ...nats], { cwd }),
      mlds(['worker', 'start', ...nats, ...limit], { cwd }),
    ])
    for (const { code, stderr } of [list, start])
      expect([code, stderr]).toEqual([3, expect.stringContaining('no connection to NATS')])
  })

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'has left before a scheduler ends it at its limit, and before it would call the server lost, after %s of its server',
    async (signal) => {
      const { server, worker, isThere } = await withQueuedTrial()
      const limited = worker(['--store', 'a', '--time-limit', '22s', '--grace', '1'])
      const scheduler = setTimeout(() => limited.child.kill('SIGKILL'), 22_000)
      onTestFinished(() => clearTimeout(scheduler))
      await until(() => isThere('begun'))
      const idle = worker(['--store', 'b', '--idle-timeout', '3s', '--on-server-lost', '9s'])
      await until(() => idle.output().includes('is ready'))
      server.process.kill(signal)
      const [left, ended] = [await limited.finished, await idle.finished]
      expect([left.code, left.stderr]).toEqual([0, expect.stringContaining('has ended')])
      expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining('no trial has come for 3.0 s')])
    },
  )
})
