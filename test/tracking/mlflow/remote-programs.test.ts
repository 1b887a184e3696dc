import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { mlds, startMlds, temporaryFolder, until, type Running } from '../../helpers/cli.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer, type ReadRun } from '../../helpers/mlflow.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasNamespaces, withNetwork } from '../../helpers/network.js'

const python = join(dirname(process.env['MLDS_MLFLOW'] ?? ''), 'python')

/** It logs to its own run where it finds one, leaves a mark, and goes on once it may. */
const program = `
import json, os, sys, time
assert 'secret-word' not in json.dumps(dict(os.environ))
size, marks = float(sys.argv[1]), os.environ['MARKS']
reached = 'MLFLOW_TRACKING_URI' in os.environ
if reached:
    import mlflow
    mlflow.log_metric('own', size)
    mlflow.log_text('theirs', 'notes.txt')
print(json.dumps({'step': 1, 'loss': size}), flush=True)
open(os.path.join(marks, os.environ['MLDS_TRIAL']), 'w').close()
while not os.path.exists(os.path.join(marks, 'go')):
    time.sleep(0.05)
print(json.dumps({'loss': size / 2, 'reached': int(reached)}))
`

// MLflow takes 5 to 25 s to start, and as a module of a program 3 to 10 s.
describe.skipIf(!hasMlflow || !hasNats)('a tracked sweep on remote workers, whose programs log themselves', () => {
  let server: MlflowServer
  beforeAll(async () => {
    server = await startMlflow()
  })
  afterAll(() => server.close())

  /** Hosts are folders, each with its own copies of the files. */
  function open(sizes: readonly number[]) {
    const root = temporaryFolder()
    const marks = join(root, 'marks')
    mkdirSync(marks)
    const experiment = { command: [python, 'train.py', '{size}'], env: { MARKS: marks } }
    const host = (name: string): string => {
      const folder = join(root, name)
      mkdirSync(folder)
      writeFileSync(join(folder, 'train.py'), program)
      writeFileSync(join(folder, 'q.yaml'), JSON.stringify({ experiment, axes: { size: sizes }, seeds: 0 }))
      return folder
    }
    const go = (): void => writeFileSync(join(marks, 'go'), '')
    return { host, go, begun: () => readdirSync(marks).filter((name) => name !== 'go') }
  }
  const url = (): string => server.url.replace('//', '//user:secret-word@')
  const startSweep = (cwd: string, name: string, nats: string, ...more: string[]): Running =>
    startMlds(
      ['sweep', 'q.yaml', '--name', name, '--nats', nats, '--track', url(), '--track-programs', '--json', ...more],
      { cwd },
    )
  const worker = (nats: string): string[] => [
    ...['worker', 'start', '--nats', nats, '--slots', '1', '--experiment', 'q.yaml'],
  ]
  const childrenOf = (sweep: string): ReadRun[] =>
    readWithPython(server.url, sweep).filter(({ tags }) => 'mlds.trial' in tags)

  /** As the journal tells it, as the runs alone do, and the figures are made of nothing else. */
  async function expectSound(cwd: string, name: string): Promise<void> {
    const elsewhere = temporaryFolder()
    for (const folder of [cwd, elsewhere]) {
      const audited = await mlds(['audit', server.url, '--deep'], { cwd: folder })
      expect(audited, audited.stdout + audited.stderr).toMatchObject({ code: 0 })
    }
    const synced = await mlds(['sync', name, '--track', server.url, '--deep', '--json'], { cwd })
    expect(JSON.parse(synced.stdout)).toMatchObject({ sent: 0 })
    const from = ['--from', server.url, '--sweep', name, '--trust-code', '-o', 'f']
    expect(await mlds(['figure', ...from], { cwd: elsewhere })).toMatchObject({ code: 0, stderr: '' })
    const figures = join(cwd, '.mlds', 'sweeps', name, 'figures')
    for (const file of readdirSync(figures))
      expect(readFileSync(join(elsewhere, 'f', file)).equals(readFileSync(join(figures, file))), file).toBe(true)
  }

  it('has every attempt as a run with what its program logged, though a worker is killed in the middle', async () => {
    const name = `killed-${process.hrtime.bigint()}`
    const { host, go, begun } = open([1, 2, 3])
    const nats = await withNats('')
    const lease = ['--lease', '5s']
    const workers = ['first', 'second'].map((name) => startMlds([...worker(nats.url), ...lease], { cwd: host(name) }))
    for (const one of workers) await until(() => one.output().includes('is ready'))
    const home = host('home')
    const swept = startSweep(home, name, nats.url, ...lease)
    // One trial each: they have one slot each, and no trial ends yet.
    await until(() => begun().length === 2)
    workers[0]!.child.kill('SIGKILL')
    go()
    const { code, stdout, stderr } = await swept.finished
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ planned: 3, finished: 3 })
    expect(stderr.match(/Programs log to MLflow on workers of this host alone/g)).toHaveLength(1)

    const runs = childrenOf(name)
    expect(runs.map(({ status, tags }) => `${status} ${tags['mlds.attempt']}`).sort()).toEqual([
      'FINISHED 1',
      'FINISHED 1',
      'FINISHED 2',
      'KILLED 1',
    ])
    for (const { params, metrics, artifacts, tags } of runs) {
      expect(metrics['own']?.map(([, , value]) => Number(value))).toEqual([Number(params['size'])])
      expect(artifacts).toHaveProperty('notes.txt')
      expect(tags).toHaveProperty(['mlds.shared_with_program'])
    }
    if (process.platform === 'linux')
      for (const { metrics, tags } of runs.filter(({ status }) => status === 'FINISHED')) {
        expect(JSON.parse(tags['mlds.usage']!)).toMatchObject({ peakBytes: expect.any(Number) as number })
        expect(metrics).toHaveProperty(['system/process_peak_memory_megabytes'])
      }
    await expectSound(home, name)
  })

  it.skipIf(!hasNamespaces)(
    'says once that a worker of another host is too far away, where programs run without it',
    async () => {
      const { host, go } = open([1, 2])
      const network = withNetwork(7)
      const nats = await withNats('', { host: '0.0.0.0' })
      const { port } = new URL(nats.url)
      const cli = join(import.meta.dirname, '..', '..', '..', 'bin', 'run.js')
      const words = [cli, ...worker(`nats://${network.here}:${port}`)]
      const far = spawn(...network.inside(process.execPath, ...words), { cwd: host('far'), stdio: 'ignore' })
      onTestFinished(() => void far.kill('SIGKILL'))
      go()
      const home = host('home')
      const swept = await startSweep(home, 'far', `nats://127.0.0.1:${port}`).finished
      expect(swept.code, swept.stderr).toBe(0)
      expect(swept.stderr.match(/Programs log to MLflow on workers of this host alone/g)).toHaveLength(1)
      const runs = childrenOf('far')
      expect(runs).toHaveLength(2)
      for (const { tags, metrics } of runs) {
        expect(JSON.parse(tags['mlds.outcome']!)).toMatchObject({ metrics: { reached: 0 } })
        expect(
          Object.keys(metrics)
            .filter((key) => !key.startsWith('system/'))
            .sort(),
        ).toEqual(['loss', 'reached'])
        expect(tags).not.toHaveProperty(['mlds.shared_with_program'])
      }
      const [log] = readdirSync(join(home, '.mlds', 'sweeps', 'far', 'logs'))
      expect(readFileSync(join(home, '.mlds', 'sweeps', 'far', 'logs', log!), 'utf8')).toContain(
        'the program logs to no run of MLflow: the address for it is on the host that runs the sweep alone',
      )
      await expectSound(home, 'far')
    },
  )
})
