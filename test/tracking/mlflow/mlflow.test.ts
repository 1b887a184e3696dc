import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { nameProblem } from '../../../src/core/names.js'
import { openStore } from '../../../src/system/store.js'
import { readRecords } from '../../../src/sweeps/verdicts.js'
import { buildRecords } from '../../../src/sweeps/journal/state.js'
import type { SweepStory } from '../../../src/tracking/mlflow/story.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { MlflowClient } from '../../../src/tracking/mlflow/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/settings.js'
import { writeMlruns } from '../../../src/tracking/mlflow/mlruns.js'
import { readTrackedSweep } from '../../../src/tracking/mlflow/read-sweep.js'
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
    expect(parent.tags['mlflow.note.content']).toContain('**Does it arrive?**')
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
        expect(parent.artifacts[`figures/${figure}`]).toBe(hash)
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
      expect(parent.artifacts[`figures/${figure}`]).toBe(createHash('sha256').update(bytes).digest('hex'))
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
