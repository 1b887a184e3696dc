import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../../src/core/clock.js'
import { Random } from '../../../src/core/seed.js'
import { openStore } from '../../../src/system/store.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { mlds, startMlds, temporaryFolder, type Running } from '../../helpers/cli.js'
import { faults, openFaultProxy, type Fault } from '../../helpers/fault-proxy.js'
import { keepMoving } from '../../helpers/keep-moving.js'
import { freshFolder, hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { openTracker, story } from '../../helpers/open-tracker.js'
import { eventfulJournal, expectEqual, type Entry } from '../../helpers/told-by-journal.js'

const patient = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '50' }

// MLflow takes 5 to 25 s to start, and is started four times.
describe.skipIf(!hasMlflow)('after a fault, MLflow equals the journal again', () => {
  let server: MlflowServer
  beforeAll(async () => {
    server = await startMlflow()
  })
  afterAll(() => server.close())
  const { entries } = eventfulJournal()

  it.each([1, 2])(
    'requests and replies lost, halved and doubled, refusals, pages in place of answers (seed %i)',
    async (seed) => {
      const random = new Random(seed, 'faults')
      const proxy = await openFaultProxy(server.url, () =>
        random.uniform() < 0.25 ? faults[random.below(faults.length)]! : 'none',
      )
      onTestFinished(() => proxy.close())
      const { tracker, info } = openTracker(proxy.url, `faulty-${seed}`, temporaryFolder(), entries, { env: patient })
      await tracker.open(info)
      await tracker.finish(story)
      expect(proxy.befell.size).toBeGreaterThan(5)
      expectEqual(readWithPython(server.url, `faulty-${seed}`), entries)
    },
  )

  it('the same fault for every other request of a kind, whichever fault it is', async () => {
    for (const fault of faults) {
      const seen = new Map<string, number>()
      const proxy = await openFaultProxy(server.url, (method, path) => {
        const kind = `${method} ${path.split('?')[0]}`
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        return seen.get(kind)! % 2 === 1 ? fault : 'none'
      })
      onTestFinished(() => proxy.close())
      const { tracker, info } = openTracker(proxy.url, `all-${fault}`, temporaryFolder(), entries, { env: patient })
      await tracker.open(info)
      await tracker.finish(story)
      expect(proxy.befell.get(fault)).toBeGreaterThan(20)
    }
    const runs = readWithPython(server.url, ...faults.map((fault) => `all-${fault}`))
    for (const fault of faults)
      expectEqual(
        runs.filter((run) => run.tags['mlds.sweep'] === `all-${fault}`),
        entries,
      )
  })

  it('replies lost and journals replayed, on a store of files, which appends whatever it is sent', async () => {
    const folder = freshFolder()
    const filed = await startMlflow({
      folder,
      args: ['--backend-store-uri', join(folder, 'mlruns')],
      env: { MLFLOW_ALLOW_FILE_STORE: 'true' },
    })
    onTestFinished(() => filed.close())
    let logged = 0
    const proxy = await openFaultProxy(filed.url, (_method, path) =>
      path.endsWith('runs/log-batch') && ++logged % 2 === 1 ? 'drop-reply' : 'none',
    )
    onTestFinished(() => proxy.close())
    // The second time an empty folder: nothing is known of what was acknowledged.
    for (const _ of [1, 2]) {
      const { tracker, info } = openTracker(proxy.url, 'filed', temporaryFolder(), entries, { env: patient })
      await tracker.open(info)
      await tracker.finish(story)
    }
    expect(proxy.befell.get('drop-reply')).toBeGreaterThan(9)
    expectEqual(readWithPython(filed.url, 'filed'), entries)
  })

  it('an outage of 30 s in the middle, which a sync outlasts with its usual patience', async () => {
    const clock = new SimulatedClock(1_700_000_200_000)
    keepMoving(clock)
    let [requests, backMs] = [0, Infinity]
    const proxy = await openFaultProxy(server.url, () => {
      if (++requests === 20) backMs = clock.now() + 30_000
      return requests >= 20 && clock.now() < backMs ? 'drop-request' : 'none'
    })
    onTestFinished(() => proxy.close())
    // The pauses of a user's client, not those of a test's.
    const env = { MLDS_TRACKING_BACKOFF_MS: '' }
    const { tracker, info } = openTracker(proxy.url, 'outage', temporaryFolder(), entries, { env, clock })
    await tracker.open(info)
    await tracker.finish(story)
    expect(clock.now()).toBeGreaterThanOrEqual(backMs)
    expectEqual(readWithPython(server.url, 'outage'), entries)
  })

  it('an outage that outlasts it: the sync says so, the next one brings only the rest', async () => {
    let requests = 0
    const made: string[] = []
    const proxy = await openFaultProxy(server.url, (_method, path) => {
      if (++requests > 25) return 'drop-request'
      if (path.endsWith('runs/create')) made.push(path)
      return 'none'
    })
    onTestFinished(() => proxy.close())
    const folder = temporaryFolder()
    const env = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2' }
    const first = openTracker(proxy.url, 'long-outage', folder, entries, { env })
    await first.tracker.open(first.info)
    await expect(first.tracker.finish(story)).rejects.toThrow(`no answer from ${proxy.url}`)
    expect(made.length).toBeGreaterThan(1)

    requests = -Infinity
    const second = openTracker(proxy.url, 'long-outage', folder, entries, { env })
    await second.tracker.open(second.info)
    await second.tracker.finish(story)
    expect(made).toHaveLength(9)
    expectEqual(readWithPython(server.url, 'long-outage'), entries)
  })

  it('kill -9 of the server while it writes: a new run, and a thousand points', async () => {
    const clock = new SimulatedClock(1_700_000_200_000)
    let current = await startMlflow()
    onTestFinished(() => current.close())
    const { folder } = current
    let isUp = true
    // While it is away nobody waits: else the patience of the client would be measured against this machine's speed.
    keepMoving(clock, () => isUp)
    const killings: Promise<void>[] = []
    const killWhileWriting = async (): Promise<void> => {
      const before = databaseChange(folder)
      while (databaseChange(folder) === before) await new Promise((resolve) => setImmediate(resolve))
      isUp = false
      await current.kill()
      current = await startMlflow({ folder })
      isUp = true
    }
    const seen = { 'runs/create': 0, 'runs/log-batch': 0 }
    const proxy = await openFaultProxy(
      () => current.url,
      (_method, path): Fault => {
        const kind = path.endsWith('runs/create')
          ? 'runs/create'
          : path.endsWith('runs/log-batch')
            ? 'runs/log-batch'
            : undefined
        if (kind === undefined || !isUp) return 'none'
        const count = ++seen[kind]
        if ((kind === 'runs/create' && count === 3) || (kind === 'runs/log-batch' && count === 9))
          killings.push(killWhileWriting())
        return 'none'
      },
    )
    onTestFinished(() => proxy.close())
    const { tracker, info } = openTracker(proxy.url, 'server-killed', temporaryFolder(), entries, {
      env: patient,
      clock,
    })
    await tracker.open(info)
    await tracker.finish(story)
    await Promise.all(killings)
    expect(killings).toHaveLength(2)
    expectEqual(readWithPython(current.url, 'server-killed'), entries)
  })

  it('kill -9 of mlds in the middle of a sync, five times over', async () => {
    const cwd = temporaryFolder()
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=2', 'width=4,8', 'seed=0..1']
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'mlds-killed']
    expect(await mlds(args, { cwd })).toMatchObject({ code: 0 })
    const random = new Random(7, 'kills')
    let running: Running | undefined
    let left = Infinity
    const proxy = await openFaultProxy(server.url, () => {
      if (--left === 0) running!.child.kill('SIGKILL')
      return 'none'
    })
    onTestFinished(() => proxy.close())
    const sync = ['sync', 'mlds-killed', '--track', proxy.url]
    let killed = 0
    for (let round = 0; round < 5; round++) {
      left = 3 + random.below(20)
      running = startMlds(sync, { cwd })
      if ((await running.finished).signal === 'SIGKILL') killed++
    }
    expect(killed).toBeGreaterThan(2)
    left = Infinity
    expect(await mlds(sync, { cwd })).toMatchObject({ code: 0 })
    const sweep = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'mlds-killed')
    const journal = [...sweep.entries()].filter((entry): entry is Entry => 'trial' in entry.event)
    expectEqual(readWithPython(server.url, 'mlds-killed'), journal)
  })
})

/** Changes whenever SQLite writes: to the database, or to the log or journal beside it. */
function databaseChange(folder: string): string {
  return ['', '-wal', '-journal']
    .map((suffix) => {
      const stats = statSync(join(folder, `mlflow.db${suffix}`), { throwIfNoEntry: false })
      return stats === undefined ? 'none' : `${stats.size} ${stats.mtimeMs}`
    })
    .join(', ')
}
