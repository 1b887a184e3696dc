import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { namesOf } from '../../src/worker/remote/wire/names.js'
import { openBroker } from '../../src/worker/remote/wire/streams.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

/** The whole way, as people on several hosts would go it: each host is a store of its own. */
describe.skipIf(!hasNats)('remote sweeps from the command line', () => {
  const open = async () => {
    const cwd = temporaryFolder()
    const server = await startNatsServer(join(cwd, 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    // Whoever makes the queue says how long a silent worker keeps a trial; half a minute would only make this wait.
    const connection = await connectNats(server.url, 'test')
    await openBroker(connection, namesOf('mlds'), { leaseMs: 3_000 })
    await connection.close()
    const nats = ['--nats', server.url]
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await mlds(args, { cwd })
      return { code, stdout, stderr }
    }
    const start = (args: string[], env: Record<string, string> = {}): Running => startMlds(args, { cwd, env })
    const rowsOf = async (store: string): Promise<string> =>
      (await run('export', 'latest', '--format', 'csv', '--store', store)).stdout
    const expectResumedAsOnThreads = async (): Promise<void> => {
      const resumed = await run('resume', 'latest', '--store', 'a', '--json')
      expect(resumed.code, resumed.stderr).toBe(0)
      expect(JSON.parse(resumed.stdout)).toMatchObject({ planned: 3, finished: 3, unique: 3 })
      expect(await rowsOf('a')).toBe(await rowsOf('threads'))
    }
    return { nats, run, start, rowsOf, expectResumedAsOnThreads }
  }

  it('collects on another host what was left to a worker: the numbers of threads, bit for bit', async () => {
    const { nats, run, start, rowsOf } = await open()
    await run('sweep', 'shuffle', '--profile', 'smoke', '--workers', '1', '--store', 'threads')
    const left = await run('sweep', 'shuffle', '--profile', 'smoke', ...nats, '--store', 'a', '--detach', '--json')
    expect(left.code, left.stderr).toBe(0)
    expect(JSON.parse(left.stdout)).toMatchObject({ detached: true, planned: 3, missing: 3 })
    const status = await run('status', ...nats, '--store', 'a', '--json')
    expect(JSON.parse(status.stdout)).toMatchObject({ remote: { queued: 3, running: [], wanted: 'run' } })

    const worker = start(['worker', 'start', ...nats, '--slots', '1', '--store', 'worker'])
    await until(() => worker.output().includes('is ready'))
    const workers = await run('worker', 'list', ...nats, '--json')
    expect(JSON.parse(workers.stdout)).toMatchObject([{ slots: 1, malformed: 0 }])

    const collected = await run('resume', 'latest', ...nats, '--store', 'b', '--json')
    expect(collected.code, collected.stderr).toBe(0)
    expect(JSON.parse(collected.stdout)).toMatchObject({ planned: 3, finished: 3, unique: 3, missing: 0 })
    const rows = await rowsOf('b')
    expect(rows.split('\n').length).toBeGreaterThan(3)
    expect(rows).toBe(await rowsOf('threads'))
    expect((await run('verify', 'latest', '--store', 'b')).code).toBe(0)
    const [, row] = rows.split('\n')
    const log = await run(
      'logs',
      row!.split(',').find((cell) => /^[0-9a-f]{16}$/.test(cell))!,
      '--store',
      'b',
    )
    expect(log.stdout).toContain('finished: {')

    const prune = async (...flags: string[]): Promise<unknown> =>
      JSON.parse((await run('nats', 'prune', ...nats, '--json', ...flags)).stdout)
    expect(await prune()).toMatchObject({ dryRun: true, removed: [{ state: 'finished', results: 3 }], kept: [] })
    expect(await prune('--yes')).toMatchObject({ dryRun: false, removed: [{ results: 3 }] })
    expect(await prune()).toMatchObject({ removed: [], kept: [], objects: { count: 0 } })
    expect((await run('verify', 'latest', '--store', 'b')).code).toBe(0)

    worker.child.kill('SIGTERM')
    const ended = await worker.finished
    expect(ended.stderr).toContain('has ended')
    expect(ended.code).toBe(0)
  })

  it('loses nothing when the process that runs a sweep is killed', async () => {
    const { nats, run, start, expectResumedAsOnThreads } = await open()
    await run('sweep', 'shuffle', '--profile', 'smoke', '--workers', '1', '--store', 'threads')
    // Threads of its own beside remote workers: here they are the only ones, and die with it.
    const sweep = start(['sweep', 'shuffle', '--profile', 'smoke', ...nats, '--workers', '1', '--store', 'a'])
    await until(() => sweep.output().includes('1/3'))
    sweep.child.kill('SIGKILL')
    await sweep.finished
    start(['worker', 'start', ...nats, '--slots', '1', '--store', 'worker'])
    await expectResumedAsOnThreads()
  })

  it('leaves trials to others where their engine does not load', async () => {
    const { nats, run, start, expectResumedAsOnThreads } = await open()
    await run('sweep', 'shuffle', '--profile', 'smoke', '--workers', '1', '--store', 'threads')
    await run('sweep', 'shuffle', '--profile', 'smoke', ...nats, '--store', 'a', '--detach')
    // As on a host where the package has no binary: its native part can't be opened, in no thread either.
    const broken = { NODE_OPTIONS: `--require ${join(import.meta.dirname, '../fixtures/no-onnx.cjs')}` }
    const lacking = start(['worker', 'start', ...nats, '--slots', '2', '--store', 'lacking'], broken)
    await until(() => lacking.output().includes('trials are left to other workers: the compiled engine does not load'))
    start(['worker', 'start', ...nats, '--slots', '1', '--store', 'able'])
    await expectResumedAsOnThreads()
  })

  it('says of a trial whose engine loads nowhere that it does not, while it waits for a worker where it does', async () => {
    const { nats, start } = await open()
    const broken = { NODE_OPTIONS: `--require ${join(import.meta.dirname, '../fixtures/no-onnx.cjs')}` }
    start(['worker', 'start', ...nats, '--slots', '1', '--store', 'lacking'], broken)
    const sweep = start(['sweep', 'shuffle', '--profile', 'smoke', ...nats, '--store', 'a'])
    const word = 'leaves trials to others: the compiled engine does not load on this host: no libonnxruntime'
    await until(() => sweep.output().includes(word))
  })

  it('says what is missing when a sweep never ran on NATS', async () => {
    const { run } = await open()
    await run('sweep', 'shuffle', '--profile', 'smoke', '--workers', '1', '--store', 'threads')
    const { code, stderr } = await run('cancel', 'latest', '--store', 'threads')
    expect(code).toBe(2)
    expect(stderr).toContain('did not run on NATS')
    expect(stderr).toContain('name its server with --nats URL')
  })
})
