import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { TrialEvent } from '../../../src/core/trial.js'
import { nameProblem } from '../../../src/core/names.js'
import { openStore } from '../../../src/system/store.js'
import { readRecords } from '../../../src/sweeps/verdicts.js'
import { buildRecords } from '../../../src/sweeps/journal/records.js'
import type { SweepStory } from '../../../src/tracking/mlflow/projection/story.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import { writeMlruns } from '../../../src/tracking/mlflow/mlruns.js'
import { readTrackedSweep } from '../../../src/tracking/mlflow/projection/read-sweep.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { openFaultProxy } from '../../helpers/fault-proxy.js'
import { hasMlflow, migrateFileStore, readWithPython, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { openTracker, story } from '../../helpers/open-tracker.js'
import { eventfulJournal, expectEqual, toyTrial, type Entry } from '../../helpers/told-by-journal.js'

// MLflow takes 5 to 25 s to start, and some tests start another.
/** As a shell reads them. */
const wordsOf = (line: string): string[] =>
  spawnSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
    .stdout.trimEnd()
    .split('\n')

describe.skipIf(!hasMlflow)('tracking in MLflow', () => {
  let server: MlflowServer
  beforeAll(async () => {
    server = await startMlflow()
  })
  afterAll(() => server.close())

  it('holds exactly what the journal says, when synced at once and when told while it runs', async () => {
    const { entries } = eventfulJournal()
    const synced = openTracker(server.url, 'synced', temporaryFolder(), entries)
    await synced.tracker.open(synced.info)
    await synced.tracker.finish(story)
    expectEqual(readWithPython(server.url, 'synced'), entries)

    const live = openTracker(server.url, 'live', temporaryFolder(), [])
    await live.tracker.open(live.info)
    for (const [index, { event, offset }] of entries.entries()) {
      await live.tracker.record(event, offset)
      // Lets flushes happen in the middle.
      if (index % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await live.tracker.finish(story)
    expect(live.warnings).toEqual([])
    const runs = readWithPython(server.url, 'live')
    expectEqual(runs, entries)

    const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
    const long = runs.find((run) => run.tags['mlds.index'] === '6')!
    expect(long.artifacts['log.txt']).toBe(sha256(`log of ${toyTrial(6).id}`))
    const lines = entries.flatMap(({ event }) =>
      event.type === 'report' && event.trial === toyTrial(6).id
        ? [
            `${JSON.stringify({ atMs: event.atMs, step: event.step, metrics: event.metrics }, (_k, v: unknown) => (Number.isNaN(v) ? 'NaN' : v))}\n`,
          ]
        : [],
    )
    expect(long.artifacts['series.jsonl']).toBe(sha256(lines.join('')))
    expect(long.params).toEqual({ width: '10', seed: '0', rate: '0.001' })
    const parent = runs.find((run) => run.tags['mlds.trial'] === undefined)!
    expect(parent).toMatchObject({ status: 'FAILED', name: 'live', start: 1_699_999_999_000 })
    expect(parent.end).toBe(entries.at(-1)!.event.atMs)
    expect(parent.params).toEqual({ rate: '0.001' })
    expect(parent.tags['mlflow.note.content']).toContain('*Does it arrive?*')
    expect(parent.tags['mlflow.note.content']).toContain('| **reproduced** | It arrives \\| whole | seven of seven |')
    expect(parent.metrics['trials/ended']).toHaveLength(7)
    expect(parent.metrics['trials/failed']!.at(-1)![2]).toBe('1.0')
  })

  it('sends nothing again that was acknowledged, and everything again to a server that forgot', async () => {
    const { entries } = eventfulJournal()
    const folder = temporaryFolder()
    const requests: string[] = []
    const proxy = await openFaultProxy(server.url, (method, path) => (requests.push(`${method} ${path}`), 'none'))
    onTestFinished(() => proxy.close())
    const first = openTracker(proxy.url, 'again', folder, entries)
    await first.tracker.open(first.info)
    const creations = (): number => requests.filter((request) => request.includes('runs/create')).length
    // A story takes as long to tell as its figures to draw: meanwhile the runs arrive, and are counted all the same.
    const slowStory = async (): Promise<SweepStory> => {
      while (creations() < 9) await new Promise((resolve) => setTimeout(resolve, 5))
      return story()
    }
    expect((await first.tracker.finish(slowStory)).sent).toBe(8)
    expect(creations()).toBe(9)
    const second = openTracker(proxy.url, 'again', folder, entries)
    await second.tracker.open(second.info)
    expect((await second.tracker.finish(story)).sent).toBe(0)
    expect(creations()).toBe(9)

    const other = await startMlflow()
    onTestFinished(() => other.close())
    const third = openTracker(other.url, 'again', folder, entries)
    await third.tracker.open(third.info)
    await third.tracker.finish(story)
    expectEqual(readWithPython(other.url, 'again'), entries)
  })

  it('brings the runs of a sweep that is over, telling how far it is, before it asks for the story, whose figures take long', async () => {
    const { entries } = eventfulJournal()
    const requests: string[] = []
    const proxy = await openFaultProxy(server.url, (method, path) => (requests.push(`${method} ${path}`), 'none'))
    onTestFinished(() => proxy.close())
    const progress: string[] = []
    const { tracker, info } = openTracker(proxy.url, 'over', temporaryFolder(), entries, {
      ...{ isOver: true, flushMs: 0 },
      onProgress: (brought, of) => progress.push(`${brought}/${of}`),
    })
    await tracker.open(info)
    for (let i = 0; i < 10; i++) await fetch(`${server.url}/health`)
    expect(requests).toEqual([])
    const lateStory = async (): Promise<SweepStory> => {
      expect(progress).toEqual(['1/8', '2/8', '3/8', '4/8', '5/8', '6/8', '7/8', '8/8'])
      const runs = readWithPython(server.url, 'over')
      expect(runs.filter(({ tags, status }) => 'mlds.trial' in tags && status !== 'RUNNING')).toHaveLength(8)
      return story()
    }
    expect((await tracker.finish(lateStory)).sent).toBe(8)
    await tracker.close()
    expectEqual(readWithPython(server.url, 'over'), entries)
  })

  it('has each point once of an attempt that goes on from a checkpoint, and gives back the series that figures read', async () => {
    const trial = toyTrial(0).id
    const entries: Entry[] = []
    const add = (event: object): void =>
      void entries.push({ event: { trial, ...event } as TrialEvent, offset: entries.length * 100 })
    const report = (attempt: number, step: number, more: object = {}): void =>
      add({
        type: 'report',
        attempt,
        step,
        atMs: 1_700_000_000_000 + step,
        metrics: { 'train/loss': 1 / step },
        ...more,
      })
    add({ type: 'started', attempt: 1, atMs: 1_700_000_000_000, worker: 'w1' })
    for (const step of [1, 2, 3, 4]) report(1, step)
    add({ type: 'lost', attempt: 1, atMs: 1_700_000_000_100, reason: 'told to go', handedBack: true })
    // Its checkpoint was kept after the third report: with the times of the attempt that made them.
    add({ type: 'started', attempt: 2, atMs: 1_700_000_000_200, worker: 'w2' })
    for (const step of [1, 2, 3]) report(2, step, { carried: true })
    for (const step of [4, 5]) report(2, step, { atMs: 1_700_000_000_300 + step })
    const outcome = { state: 'finished', metrics: { 'train/loss': 1 / 5 }, artifacts: {} }
    add({ type: 'ended', attempt: 2, atMs: 1_700_000_000_400, outcome })

    const { tracker, info } = openTracker(server.url, 'goes on', temporaryFolder(), [])
    await tracker.open(info)
    for (const { event, offset } of entries) {
      await tracker.record(event, offset)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await tracker.finish(story)
    const runs = readWithPython(server.url, 'goes on')
    expectEqual(runs, entries)
    const second = runs.find(({ tags }) => tags['mlds.attempt'] === '2')!
    expect(second.metrics['train/loss']!.map(([step]) => step)).toEqual([1, 2, 3, 4, 5])

    const tracked = await readTrackedSweep(new MlflowClient(mlflowSettings(server.url, {})), 'goes on')
    const told = entries.map(({ event }) => event)
    expect(buildRecords([toyTrial(0)], tracked.events)).toEqual(buildRecords([toyTrial(0)], told))
  })

  it('keeps what it has told of the reports of a lost attempt that is declared dead later', async () => {
    const folder = temporaryFolder()
    const { tracker, info } = openTracker(server.url, 'dead-later', folder, [])
    await tracker.open(info)
    const [of, atMs] = [{ trial: toyTrial(0).id, attempt: 1 }, 1_700_000_000_000]
    await tracker.record({ ...of, type: 'started', worker: 'w', atMs }, 0)
    await tracker.record({ ...of, type: 'report', step: 1, metrics: { 'train/loss': 3 }, atMs: atMs + 1 }, 1)
    await tracker.record({ ...of, type: 'lost', reason: 'it vanished', atMs: atMs + 2 }, 2)
    const acknowledged = (): string => readFileSync(join(folder, 'acknowledged.jsonl'), 'utf8')
    await expect.poll(acknowledged, { timeout: 20_000 }).toContain('"done":true')
    await tracker.record({ ...of, type: 'ended', outcome: { state: 'dead', reason: 'enough' }, atMs: atMs + 3 }, 3)
    await tracker.finish(story)
    const run = readWithPython(server.url, 'dead-later').find(({ tags }) => 'mlds.trial' in tags)!
    expect(run.tags).toMatchObject({ 'mlds.state': 'dead', 'mlds.metrics': '["train/loss"]' })
  })

  it('looks at all trials only when the sweep has come further, however often points are sent', async () => {
    let [looks, batches] = [0, 0]
    const datasetsOf = (): [] => {
      looks++
      return []
    }
    const proxy = await openFaultProxy(server.url, (_method, path) => {
      if (path.includes('log-batch')) batches++
      return 'none'
    })
    onTestFinished(() => proxy.close())
    let opened = (): void => {}
    const isOpen = new Promise<void>((resolve) => (opened = resolve))
    const long = eventfulJournal().entries.filter(({ event }) => event.trial === toyTrial(6).id)
    const { tracker, info } = openTracker(proxy.url, 'looks', temporaryFolder(), [], {
      datasetsOf,
      onOpen: opened,
      flushMs: 1,
    })
    await tracker.open(info)
    await isOpen
    const before = { looks, batches }
    for (const { event, offset } of long) {
      if (batches >= before.batches + 10) break
      await tracker.record(event, offset)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await tracker.close()
    expect(batches).toBeGreaterThanOrEqual(before.batches + 10)
    // Once for each time that the run's points were sent, and not for each of the seven trials.
    expect(looks - before.looks).toBeLessThan(3 * (batches - before.batches))
  })

  it('tells where the sweep can be seen once, however often the start of its run is refused', async () => {
    let tries = 0
    let passes = (): void => {}
    const passed = new Promise<void>((resolve) => (passes = resolve))
    const proxy = await openFaultProxy(server.url, (_method, path) => {
      if (!path.includes('log-batch')) return 'none'
      if (++tries <= 3) return '503-html'
      passes()
      return 'none'
    })
    onTestFinished(() => proxy.close())
    let told = 0
    let opened = (): void => {}
    const isOpen = new Promise<void>((resolve) => (opened = resolve))
    const onOpen = (): void => {
      told++
      opened()
    }
    const env = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' }
    const { tracker, info } = openTracker(proxy.url, 'told once', temporaryFolder(), [], { onOpen, env })
    await tracker.open(info)
    await Promise.all([isOpen, passed])
    await tracker.close()
    expect(told).toBe(1)
  })

  it('lists the checkpoints of the best trial as a model, once, and says which one is the best when that changes', async () => {
    const trials = [toyTrial(0), toyTrial(1), toyTrial(2)]
    const weights = (index: number): Buffer => Buffer.from(`weights of ${index}`)
    const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
    const blobs = new Map(trials.map(({ index }) => [sha256(weights(index)), weights(index)]))
    const ends = (index: number, loss: number): Entry[] => {
      const artifacts = { 'end.safetensors': { sha256: sha256(weights(index)), sizeBytes: 12 } }
      const outcome = { state: 'finished', metrics: { 'train/loss': loss }, artifacts } as const
      const at = { trial: trials[index]!.id, attempt: 1, atMs: 1_700_000_000_000 + index }
      return [
        { event: { type: 'started', ...at, worker: 'w' }, offset: 200 * index },
        { event: { type: 'ended', ...at, outcome }, offset: 200 * index + 100 },
      ]
    }
    const folder = temporaryFolder()
    const sync = async (entries: readonly Entry[], url = server.url): Promise<void> => {
      const readArtifact = async ({ sha256: hash }: { sha256: string }) => blobs.get(hash)
      const options = { readArtifact, checkpoints: true }
      const { tracker, info, warnings } = openTracker(url, 'model: 1.5 %', folder, entries, options)
      await tracker.open({ ...info, trials })
      await tracker.finish(story)
      await tracker.close()
      expect(warnings).toEqual([])
    }
    const first = [...ends(0, 3), ...ends(1, 2)]
    await sync(first)
    await sync(first)
    // Each answer of the first two requests is lost: the server has done what nobody was told of.
    let lost = 0
    const losing = await openFaultProxy(server.url, (method, path) =>
      path.includes('logged-models') && method === 'POST' && lost++ < 3 ? 'drop-reply' : 'none',
    )
    onTestFinished(() => losing.close())
    await sync([...first, ...ends(2, 1)], losing.url)
    expect(lost).toBeGreaterThan(3)

    const script = `
import json, os, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
experiments = [e.experiment_id for e in mlflow.search_experiments()]
models = mlflow.search_logged_models(experiment_ids=experiments, output_format='list')
def read(model):
    loaded = mlflow.models.Model.load(f'models:/{model.model_id}')
    [file] = loaded.flavors['mlds']['files']
    path = os.path.join(mlflow.artifacts.download_artifacts(f'models:/{model.model_id}'), file['path'])
    outputs = mlflow.get_run(model.source_run_id).outputs.model_outputs
    return [model.name, str(model.status), model.params['width'], model.tags['mlds.best'], file['name'], open(path).read(), len(outputs)]
print(json.dumps(sorted((read(m) for m in models), key=lambda m: m[2])))`
    const python = join(dirname(process.env['MLDS_MLFLOW']!), 'python')
    const read = execFileSync(python, ['-c', script, server.url], { encoding: 'utf8', stdio: 'pipe' })
    const ready = ['best of model_ 1_5 _', 'READY']
    expect(JSON.parse(read.trim().split('\n').at(-1)!)).toEqual([
      [...ready, '5', 'false', 'end.safetensors', 'weights of 1', 1],
      [...ready, '6', 'true', 'end.safetensors', 'weights of 2', 1],
    ])
  })

  it('finds runs whose names were never written down', async () => {
    const { entries } = eventfulJournal()
    for (const _ of [1, 2]) {
      // An empty folder each time: what a crash leaves that lost every acknowledgement.
      const { tracker, info } = openTracker(server.url, 'forgetful', temporaryFolder(), entries)
      await tracker.open(info)
      await tracker.finish(story)
    }
    expectEqual(readWithPython(server.url, 'forgetful'), entries)
  })

  it('gives earlier runs the axes that vary only since the sweep was extended', async () => {
    const { entries } = eventfulJournal()
    const folder = temporaryFolder()
    const first = entries.filter(({ event }) => event.trial === toyTrial(0).id)
    const small = openTracker(server.url, 'extended', folder, first)
    await small.tracker.open({ ...small.info, trials: [toyTrial(0)] })
    await small.tracker.finish(story)
    const large = openTracker(server.url, 'extended', folder, entries)
    await large.tracker.open(large.info)
    await large.tracker.finish(story)
    const runs = readWithPython(server.url, 'extended')
    expectEqual(runs, entries)
    expect(runs.find(({ tags }) => tags['mlds.index'] === '0')!.params).toEqual({
      ...{ width: '4', seed: '0', rate: '0.001' },
    })
  })

  it('gives way to a sweep that it can not follow, and has all of it in the end', async () => {
    const { entries } = eventfulJournal()
    let away = true
    const proxy = await openFaultProxy(server.url, () => (away ? 'drop-request' : 'none'))
    onTestFinished(() => proxy.close())
    const told: Entry[] = []
    const { tracker, info, warnings } = openTracker(proxy.url, 'overtaken', temporaryFolder(), told, {
      env: { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' },
      maxWaiting: 3,
    })
    await tracker.open(info)
    for (const entry of entries) {
      told.push(entry)
      await tracker.record(entry.event, entry.offset)
    }
    expect(warnings.filter((warning) => warning.includes('too slow to follow'))).toHaveLength(1)
    away = false
    await tracker.finish(story)
    expectEqual(readWithPython(server.url, 'overtaken'), entries)
  })

  it('refuses every name that MLflow does', () => {
    const names = [
      'loss',
      'a b',
      'a.b-c_d:e/f',
      'größe',
      '日本',
      '',
      'a//b',
      '/a',
      'a/',
      './a',
      'a/.',
      '..',
      '../a',
      'a/../b',
      '...',
    ]
    names.push(
      'a@b',
      'a[0]',
      'a,b',
      'a=b',
      'a#b',
      'a%b',
      'a?b',
      'a+b',
      'a\\b',
      'a\tb',
      'a\nb',
      'x'.repeat(240),
      'x'.repeat(251),
    )
    const script = `import json, sys
from mlflow.utils.validation import _validate_metric_name, _validate_param
def takes(name):
    try:
        _validate_metric_name(name); _validate_param(name, "1"); return True
    except Exception:
        return False
print(json.dumps([takes(name) for name in json.loads(sys.argv[1])]))`
    const python = join(dirname(process.env['MLDS_MLFLOW']!), 'python')
    const theirs = JSON.parse(
      execFileSync(python, ['-c', script, JSON.stringify(names)], { encoding: 'utf8' }),
    ) as boolean[]
    const ours = names.map((name) => nameProblem(name) === undefined)
    expect(theirs.filter(Boolean).length).toBeGreaterThan(4)
    // Never more than MLflow takes; and of what it takes nothing is refused here without need.
    expect(names.filter((_, i) => ours[i] !== theirs[i])).toEqual([])
  })

  it('brings a whole sweep from the command line, live and later, with figures and a link to its runs', async () => {
    const cwd = temporaryFolder()
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=2', 'width=4,8', 'seed=0..1']
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--json']
    const live = await mlds([...args, '--name', 'cli-live', '--track', server.url], { cwd })
    expect(live.code, live.stderr).toBe(0)
    expect(JSON.parse(live.stdout)).toMatchObject({
      link: expect.stringContaining('workflowType=machine_learning') as string,
    })
    const later = await mlds([...args, '--name', 'cli-later', '--store', 'other'], { cwd })
    expect(later.code, later.stderr).toBe(0)
    const synced = await mlds(['sync', '--store', 'other', '--json'], { cwd, env: { MLFLOW_TRACKING_URI: server.url } })
    expect(JSON.parse(synced.stdout), synced.stderr).toMatchObject({ sweep: 'cli-later', sent: 4 })
    for (const [name, folder] of [
      ['cli-live', '.mlds'],
      ['cli-later', 'other'],
    ] as const) {
      const sweep = await SweepFolder.open(openStore(join(cwd, folder)), name)
      const entries = [...sweep.entries()].filter((entry): entry is Entry => 'trial' in entry.event)
      const runs = readWithPython(server.url, name)
      expectEqual(runs, entries)
      const parent = runs.find((run) => run.tags['mlds.trial'] === undefined)!
      const figures = readdirSync(sweep.figuresFolder)
      expect(figures.length).toBeGreaterThan(2)
      for (const figure of figures) {
        const hash = createHash('sha256')
          .update(readFileSync(join(sweep.figuresFolder, figure)))
          .digest('hex')
        expect(trackedFigures(parent)).toContainEqual([figure, hash])
      }
    }
  })

  it('rebuilds figures byte for byte, and a lost journal, from MLflow alone', async () => {
    const [cwd, elsewhere] = [temporaryFolder(), temporaryFolder()]
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=3', 'width=4,8', 'seed=0..1']
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'origin']
    expect(await mlds([...args, '--track', server.url], { cwd })).toMatchObject({ code: 0 })
    const drawn = await mlds(['figure', '--from', server.url, '--sweep', 'origin'], { cwd: elsewhere })
    expect(drawn.code, drawn.stderr).toBe(0)
    const sweep = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'origin')
    const figures = readdirSync(sweep.figuresFolder)
    expect(figures.filter((file) => file.endsWith('.svg')).length).toBeGreaterThan(0)
    for (const figure of figures) {
      const rebuilt = readFileSync(join(elsewhere, 'figures', 'origin', figure))
      expect(rebuilt.equals(readFileSync(join(sweep.figuresFolder, figure))), figure).toBe(true)
    }
    const manifest = JSON.parse(readFileSync(join(elsewhere, 'figures', 'origin', 'manifest.json'), 'utf8')) as object
    expect(manifest).toMatchObject({ sweep: 'origin', planHash: sweep.plan.hash, codeVersion: sweep.plan.codeVersion })

    const recovered = await mlds(['recover', 'origin', '--from', server.url], { cwd: elsewhere })
    expect(recovered.code, recovered.stderr).toBe(0)
    const copy = await SweepFolder.open(openStore(join(elsewhere, '.mlds')), 'origin')
    expect(readRecords(copy)).toEqual(readRecords(sweep))
    const resumed = await mlds([...args, '--json'], { cwd: elsewhere })
    expect(resumed.stderr).toContain('Nothing is left to run')
  })

  it('reads back every event that it was told, the long series and the ways to fail too', async () => {
    const { entries } = eventfulJournal()
    const { tracker, info } = openTracker(server.url, 'readable', temporaryFolder(), entries)
    await tracker.open(info)
    await tracker.finish(story)
    const { events } = await readTrackedSweep(new MlflowClient(mlflowSettings(server.url, {})), 'readable')
    expect(buildRecords(info.trials, events)).toEqual(
      buildRecords(
        info.trials,
        entries.map((entry) => entry.event),
      ),
    )
  })

  it('writes a tree of files that MLflow migrates and serves, equal to the journal', async () => {
    const { entries } = eventfulJournal()
    const folder = temporaryFolder()
    const tree = join(folder, 'mlruns')
    const { info } = openTracker(server.url, 'exported', folder, [])
    const runs = await writeMlruns({
      folder: tree,
      experimentName: 'toy',
      info,
      history: () => entries.map((entry) => entry.event),
      story: await story(),
      readLog: async (id) => Buffer.from(`log of ${id}`),
    })
    expect(runs).toBe(9)
    migrateFileStore(tree, join(folder, 'mlflow.db'))
    const migrated = await startMlflow({ folder, args: ['--artifacts-destination', tree] })
    onTestFinished(() => migrated.close())
    const read = readWithPython(migrated.url, 'exported')
    expectEqual(read, entries)
    expect(read.every((run) => 'log.txt' in run.artifacts || run.tags['mlds.trial'] === undefined)).toBe(true)
  })

  it('opens an exported sweep by the line that the export prints, and takes it into a database by the other', async () => {
    const cwd = temporaryFolder()
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=2', 'width=4,8', 'seed=0']
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'carried']
    expect(await mlds(args, { cwd })).toMatchObject({ code: 0 })
    const tree = join(cwd, "it's an mlruns")
    const exporting = ['export', 'carried', '--format', 'mlruns', '-o', tree]
    const refused = await mlds(exporting, { cwd, env: { MLFLOW_EXPERIMENT_ID: 'mine' } })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('experiment: mine') as string })
    const { stdout } = await mlds(exporting, { cwd, env: { MLFLOW_EXPERIMENT_ID: '42' } })
    expect(readFileSync(join(tree, '42', 'meta.yaml'), 'utf8')).toContain('name: "params"')
    const words = wordsOf(/^ {2}MLFLOW_ALLOW_FILE_STORE=true mlflow server (.*)$/m.exec(stdout)![1]!)
    const served = await startMlflow({ args: words, env: { MLFLOW_ALLOW_FILE_STORE: 'true' } })
    onTestFinished(() => served.close())
    const sweep = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'carried')
    const entries = [...sweep.entries()].filter((entry): entry is Entry => 'trial' in entry.event)
    const runs = readWithPython(served.url, 'carried')
    expectEqual(runs, entries)
    const parent = runs.find((run) => run.tags['mlds.trial'] === undefined)!
    for (const figure of readdirSync(sweep.figuresFolder)) {
      const bytes = readFileSync(join(sweep.figuresFolder, figure))
      expect(trackedFigures(parent)).toContainEqual([figure, createHash('sha256').update(bytes).digest('hex')])
    }
    const migrating = /^ {2}mlflow migrate-filestore (.*)$/m.exec(stdout)![1]!
    expect(wordsOf(migrating)).toEqual(['--source', tree, '--target', 'sqlite:///mlflow.db'])
    migrateFileStore(tree, join(cwd, 'mlflow.db'))
  })

  it('never fails a sweep: a server that is away leaves a warning and the way to sync later', async () => {
    const cwd = temporaryFolder()
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=1', 'width=4', 'seed=0']
    const away = await openFaultProxy(server.url, () => 'drop-request')
    onTestFinished(() => away.close())
    const url = away.url.replace('//', '//user:secret-word@')
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--track', url]
    const result = await mlds(args, { cwd, env: { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1' } })
    expect(result.code, result.stderr).toBe(0)
    expect(result.stdout).toContain('MLflow has not got all of it')
    expect(result.stdout).toContain('mlds sync')
    expect(result.stdout + result.stderr).not.toContain('secret-word')
    const files = readdirSync(join(cwd, '.mlds'), { recursive: true, encoding: 'utf8', withFileTypes: true })
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name)
      if (existsSync(path)) expect(readFileSync(path).includes('secret-word'), path).toBe(false)
    }
  })
})

/** Names of figures' files as mlds draws them, without their numbers, with hashes. */
function trackedFigures({ artifacts }: { readonly artifacts: Readonly<Record<string, string>> }): [string, string][] {
  return Object.entries(artifacts).flatMap(([path, hash]) => {
    const name = /^figures\/(?:.*\/)?\d+-(.*)$/.exec(path)?.[1]
    return name === undefined ? [] : [[name, hash]]
  })
}
