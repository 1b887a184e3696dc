import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  auditServer,
  auditSweep,
  groupRuns,
  repair,
  type SweepAudit,
} from '../../../../src/tracking/mlflow/audit/audit.js'
import { MlflowClient, type NewRun } from '../../../../src/tracking/mlflow/rest/client.js'
import type { Run } from '../../../../src/tracking/mlflow/rest/wire.js'
import { mlflowSettings } from '../../../../src/tracking/mlflow/rest/settings.js'
import { readTrackedSweep } from '../../../../src/tracking/mlflow/projection/read-sweep.js'
import { mlds, startMlds, temporaryFolder, type Finished } from '../../../helpers/cli.js'
import { openFaultProxy } from '../../../helpers/fault-proxy.js'
import { parsePlan } from '../../../../src/sweeps/stored-plan.js'
import { toyTrial } from '../../../helpers/told-by-journal.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../../../helpers/mlflow.js'

let made = 0
function run(tags: Record<string, string>, facts: Partial<Run> = {}): Run {
  const id = `run-${String(made++).padStart(4, '0')}`
  return {
    ...{ id, experimentId: '1', name: id, status: 'FINISHED', startMs: 1000, endMs: 2000, artifactUri: '' },
    ...{ tags: { 'mlds.sweep': 's', ...tags }, params: {}, latest: new Map(), lastPointMs: undefined },
    ...facts,
  }
}
/** Of the sweep s that was planned first, unless `sweepKey` says another. */
const parentOf = (facts: Partial<Run> = {}, sweepKey = 's:00000001'): Run =>
  run({ 'mlds.run_key': `${sweepKey}:sweep`, 'mlds.sweep_key': sweepKey }, facts)
const childOf = (parent: string, trial: string, facts: Partial<Run> = {}, sweepKey = 's:00000001'): Run => {
  const keys = { 'mlds.run_key': `${sweepKey}:${trial}:1`, 'mlds.sweep_key': sweepKey }
  const end = { 'mlds.state': 'finished', 'mlds.outcome': '{"state":"finished","metrics":{},"artifacts":{}}' }
  return run({ ...keys, ...end, 'mlds.trial': trial, 'mlds.attempt': '1', 'mlflow.parentRunId': parent }, facts)
}

/** Findings as `kind name`, of every group. */
function findings(runs: readonly Run[], planned?: readonly string[], running = false): string[] {
  const audits: SweepAudit[] = groupRuns(runs).map((group) =>
    auditSweep(
      group,
      planned === undefined
        ? { trials: undefined, problem: 'its plan is not there' }
        : { trials: planned.map((id, index) => ({ ...toyTrial(index), id })) },
      { running },
    ),
  )
  return audits.flatMap((audit) =>
    audit.findings.map((finding) =>
      'run' in finding
        ? `${finding.kind} ${finding.run.id}`
        : `${finding.kind} ${'trial' in finding ? finding.trial : ''}`.trim(),
    ),
  )
}

describe('an audit', () => {
  it('finds nothing wrong with a parent and one ended run for each planned trial', () => {
    const parent = parentOf()
    expect(findings([parent, childOf(parent.id, 'x'), childOf(parent.id, 'y')], ['x', 'y'])).toEqual([])
  })

  it('names runs that never ended, unless somebody runs the sweep', () => {
    const parent = parentOf({ status: 'RUNNING' })
    const child = childOf(parent.id, 'x', { status: 'SCHEDULED' })
    expect(findings([parent, child], ['x'])).toEqual([`unended ${parent.id}`, `unended ${child.id}`])
    expect(findings([parent, child], ['x', 'y'], true)).toEqual([])
  })

  it('keeps of two runs with one key the one that knows its outcome, whatever order they come in', () => {
    const parent = parentOf()
    const whole = childOf(parent.id, 'x')
    const { 'mlds.outcome': _, ...untold } = whole.tags
    const empty = { ...whole, id: 'run-9999', status: 'RUNNING', tags: untold }
    fc.assert(
      fc.property(fc.shuffledSubarray([parent, empty, whole], { minLength: 3 }), (runs) => {
        expect(findings(runs, ['x'])).toEqual([`duplicate ${empty.id}`])
      }),
    )
  })

  it('makes one of a sweep whose parent was made twice, and leaves two sweeps of one name apart', () => {
    const [first, second] = [parentOf(), parentOf()]
    const children = [childOf(first.id, 'x'), childOf(second.id, 'y'), childOf(second.id, 'z')]
    expect(findings([first, second, ...children], ['x', 'y', 'z'])).toEqual([
      `duplicate ${first.id}`,
      `stray ${children[0]!.id}`,
    ])
    const other = parentOf({}, 's:00000002')
    const theirs = childOf(other.id, 'x', {}, 's:00000002')
    expect(findings([first, other, childOf(first.id, 'x'), theirs], ['x'])).toEqual([])
  })

  it('brings home a run of an unknown parent although two sweeps have its name', () => {
    const [first, second] = [parentOf(), parentOf({}, 's:00000002')]
    const lost = childOf('gone', 'x', {}, 's:00000002')
    expect(findings([first, second, childOf(first.id, 'x'), lost], ['x'])).toEqual([`stray ${lost.id}`])
  })

  it('knows a parent made twice for one, though one of them is from before the sweep was extended', () => {
    const small = parentOf()
    const large = { ...parentOf(), tags: { ...small.tags, 'mlds.plan_hash': 'other' } }
    expect(findings([small, large, childOf(large.id, 'x')], ['x'])).toEqual([`duplicate ${small.id}`])
  })

  it('takes a marked duplicate for settled as long as its original is there', () => {
    const parent = parentOf()
    const kept = childOf(parent.id, 'x')
    const copy = childOf(parent.id, 'x')
    const marked = { ...copy, tags: { ...copy.tags, 'mlds.duplicate_of': kept.id } }
    expect(findings([parent, kept, marked], ['x'])).toEqual([])
    expect(findings([parent, marked], ['x'])).toEqual([])
  })

  it('says what is missing, and when that cannot be said', () => {
    const parent = parentOf()
    expect(findings([parent, childOf(parent.id, 'x')], ['w', 'x', 'y'])).toEqual(['missing w', 'missing y'])
    expect(findings([parent, childOf(parent.id, 'x')])).toEqual(['no-plan'])
    // Nothing is said of counts that nobody can count.
    const counts = { planned: 1, missing: 0, finished: 1, stopped: 0, diverged: 0, failed: 0, dead: 0 }
    const standing = JSON.stringify({ counts: { ...counts, cancelled: 0, skipped: 0 }, closed: 'done' })
    const tags = { ...parentOf().tags, 'mlds.state': 'complete', 'mlds.standing': standing }
    const told = parentOf({ tags })
    expect(findings([told, childOf(told.id, 'x', { latest: new Map() })])).toEqual(['no-plan'])
    expect(findings([childOf('gone', 'x')])).toEqual(['no-parent'])
    const lost = childOf('gone', 'x')
    expect(findings([parent, lost], ['x'])).toEqual([`stray ${lost.id}`])
  })
})

/** Its second trial waits until the file that GATE names is there. */
const gated = `import { existsSync } from 'node:fs'
import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  space: { n: integer({ default: 0 }) },
  async run({ n }, { report, signal }) {
    for (let step = 1; step <= 3; step++) await report(step, { loss: (n + 1) / step })
    while (n > 0 && !signal.aborted && !existsSync(process.env.GATE)) await new Promise((wake) => setTimeout(wake, 10))
    return { loss: n }
  },
})
`

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('mlds audit', () => {
  let server: MlflowServer
  let client: MlflowClient
  beforeAll(async () => {
    server = await startMlflow()
    client = new MlflowClient(mlflowSettings(server.url, {}))
  })
  afterAll(() => server.close())

  /** As a request that arrived twice would: whatever is there already. */
  const makeRun = (experiment: string, fresh: NewRun): Promise<Run> =>
    client.createRun(experiment, fresh, 'mlds.run_key')

  interface Printed {
    readonly sound: boolean
    readonly repairs: readonly { readonly sweep: string; readonly did: string }[]
    readonly sweeps: readonly {
      readonly sweep: string
      readonly running: boolean
      readonly planned?: number
      readonly runs: number
      readonly finished: number
      readonly findings: readonly { readonly kind: string; readonly run?: string; readonly of?: string }[]
    }[]
  }
  const read = (finished: Finished): Printed => JSON.parse(finished.stdout) as Printed
  const kindsOf = (printed: Printed, sweep: string): Record<string, number> => {
    const kinds = printed.sweeps.find((each) => each.sweep === sweep)!.findings.map(({ kind }) => kind)
    return Object.fromEntries([...new Set(kinds)].map((kind) => [kind, kinds.filter((each) => each === kind).length]))
  }

  /** A sweep of three trials that mlds was killed in, after the first had finished and the second had reported. */
  async function killedSweep(
    name: string,
    meanwhile?: (cwd: string) => Promise<void>,
  ): Promise<{ cwd: string; gate: string; args: string[] }> {
    const cwd = temporaryFolder()
    const gate = join(cwd, 'gate')
    writeFileSync(join(cwd, 'gated.ts'), gated)
    const args = ['sweep', './gated.ts', '--set', 'n=0..2', '--name', name, '--workers', '1', '--track', server.url]
    const sweep = startMlds(args, { cwd, env: { GATE: gate } })
    const reported = async (): Promise<boolean> => {
      const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = '${name}'`)
      const trial = (index: string): Run | undefined => runs.find(({ tags }) => tags['mlds.index'] === index)
      return trial('0')?.status === 'FINISHED' && trial('1')?.latest.has('loss') === true
    }
    while (!(await reported())) {
      expect(sweep.child.exitCode, sweep.output()).toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await meanwhile?.(cwd)
    sweep.child.kill('SIGKILL')
    await sweep.finished
    return { cwd, gate, args }
  }

  it('lets a running sweep be, finds what a killed one left, and mends it from its journal', async () => {
    const { cwd, gate, args } = await killedSweep('killed', async (folder) => {
      const during = await mlds(['audit', server.url, '--json'], { cwd: folder })
      expect(during).toMatchObject({ code: 0 })
      expect(read(during).sweeps).toMatchObject([{ sweep: 'killed', running: true, findings: [] }])
    })

    const after = await mlds(['audit', server.url, '--json'], { cwd })
    expect(after, after.stderr).toMatchObject({ code: 1 })
    // The parent and the second trial did not end, the third never began.
    expect(kindsOf(read(after), 'killed')).toEqual({ unended: 2, missing: 1 })
    const told = await mlds(['audit', server.url], { cwd })
    expect(told.stdout).toContain('n=1 seed=0 is RUNNING and nobody runs it')
    expect(told.stdout).toContain(`mlds sync killed --track ${server.url}`)

    const repaired = await mlds(['audit', server.url, '--repair', '--json'], { cwd })
    expect(read(repaired).repairs).toEqual([
      { sweep: 'killed', did: expect.stringContaining('from its journal') as string },
    ])
    expect(kindsOf(read(repaired), 'killed')).toEqual({ missing: 1 })
    expect(repaired.code).toBe(1)

    writeFileSync(gate, '')
    const resumed = await mlds(args, { cwd, env: { GATE: gate } })
    expect(resumed, resumed.stdout + resumed.stderr).toMatchObject({ code: 0 })
    const sound = await mlds(['audit', server.url, '--json'], { cwd })
    expect(sound).toMatchObject({ code: 0 })
    expect(read(sound)).toMatchObject({ sound: true, sweeps: [{ planned: 3, runs: 4, finished: 3, findings: [] }] })

    // Grown since, and tracked nowhere: its journal is still the one that these runs came from.
    const more = ['sweep', './gated.ts', '--set', 'n=0..3', '--name', 'killed', '--extend']
    expect(await mlds(more, { cwd, env: { GATE: gate } })).toMatchObject({ code: 0 })
    const [child] = (await readTrackedSweep(client, 'killed')).children
    await makeRun(child!.experimentId, { name: child!.name, startMs: child!.startMs, tags: child!.tags })
    const grown = await mlds(['audit', server.url, '--repair', '--json'], { cwd })
    expect(read(grown), grown.stderr).toMatchObject({ sound: true, sweeps: [{ planned: 4, runs: 5, finished: 4 }] })
    expect(read(grown).repairs).toMatchObject([{ did: expect.stringContaining('from its journal') as string }])

    // What only a deep look sees is mended by what that look advises.
    await client.log(child!.id, { points: [{ key: 'loss', value: 9, step: 2, timestamp: 1 }] })
    const seen = await mlds(['audit', server.url, '--deep'], { cwd })
    expect(seen, seen.stderr).toMatchObject({ code: 1 })
    const [, advice] = /^ *mlds (.*) mends it exactly$/m.exec(seen.stdout)!
    expect(await mlds(advice!.split(' '), { cwd })).toMatchObject({ code: 0 })
    expect(await mlds(['audit', server.url, '--deep'], { cwd })).toMatchObject({ code: 0 })
  })

  it('without the journal ends and marks runs, and deletes no result', async () => {
    await killedSweep('orphaned')
    const elsewhere = temporaryFolder()
    const all = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'orphaned'`)
    const parent = all.find((each) => each.tags['mlds.trial'] === undefined)!
    const first = all.find((each) => each.tags['mlds.index'] === '0')!
    // What a request that arrived twice leaves, and a run whose parent was deleted by hand.
    const { 'mlflow.runName': _name, ...twinTags } = first.tags
    const twin = await makeRun(first.experimentId, { name: first.name, startMs: 5, tags: twinTags })
    const trial = 'f'.repeat(16)
    const key = `${first.tags['mlds.sweep_key']}:${trial}:1`
    const strayTags = { ...twinTags, 'mlds.run_key': key, 'mlds.trial': trial, 'mlflow.parentRunId': 'gone' }
    const stray = await makeRun(first.experimentId, { name: 'stray', startMs: 5, tags: strayTags })
    const before = readWithPython(server.url, 'orphaned')

    const recent = await mlds(['audit', server.url, '--json'], { cwd: elsewhere })
    expect(kindsOf(read(recent), 'orphaned')).toEqual({ duplicate: 1 })
    const idle = ['audit', server.url, '--idle-minutes', '0', '--json']
    const found = await mlds(idle, { cwd: elsewhere })
    expect(found).toMatchObject({ code: 1 })
    expect(kindsOf(read(found), 'orphaned')).toEqual({ duplicate: 1, stray: 1, unended: 3, missing: 1 })

    const repaired = await mlds([...idle, '--repair'], { cwd: elsewhere })
    expect(kindsOf(read(repaired), 'orphaned')).toEqual({ missing: 1 })
    expect(read(repaired).repairs.filter(({ sweep }) => sweep === 'orphaned')).toHaveLength(5)
    const again = await mlds([...idle, '--repair'], { cwd: elsewhere })
    expect(read(again).repairs).toEqual([])

    const after = new Map(readWithPython(server.url, 'orphaned').map((each) => [each.run_id, each]))
    for (const { run_id, metrics, params, artifacts } of before)
      expect(after.get(run_id)).toMatchObject({ metrics, params, artifacts })
    expect([...after.values()].map(({ status }) => status).sort()).toEqual([
      'FINISHED',
      'FINISHED',
      'KILLED',
      'KILLED',
      'KILLED',
    ])
    expect(after.get(twin.id)!.tags['mlds.duplicate_of']).toBe(first.id)
    expect(after.get(stray.id)!.tags['mlflow.parentRunId']).toBe(parent.id)
    const second = [...after.values()].find(({ tags }) => tags['mlds.index'] === '1')!
    expect(second).toMatchObject({ status: 'KILLED', tags: { 'mlds.state': 'lost' } })
    expect(second.end).toBe(Math.max(...second.metrics['loss']!.map(([, atMs]) => atMs)))
  })

  it('reads each trial once where a duplicate is marked', async () => {
    const cwd = temporaryFolder()
    const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=2', 'width=4', 'seed=0']
    const args = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'twice']
    expect(await mlds([...args, '--track', server.url], { cwd })).toMatchObject({ code: 0 })
    const undisturbed = await readTrackedSweep(client, 'twice')
    const [child] = undisturbed.children
    await makeRun(child!.experimentId, { name: child!.name, startMs: child!.startMs, tags: child!.tags })
    const audits = await auditServer(client, () => ({ running: false }), {
      trialsOf: (bytes) => parsePlan(bytes, 'the server').trials,
    })
    expect(
      await repair(
        client,
        audits.find(({ sweep }) => sweep === 'twice')!,
      ),
    ).toHaveLength(1)
    expect((await readTrackedSweep(client, 'twice')).events).toEqual(undisturbed.events)
  })

  it('says in a sentence that there is no server, or none was named', async () => {
    const cwd = temporaryFolder()
    const away = await openFaultProxy(server.url, () => 'drop-request')
    onTestFinished(() => away.close())
    const failed = await mlds(['audit', away.url], { cwd, env: { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' } })
    expect(failed).toMatchObject({ code: 3, stdout: '' })
    expect(failed.stderr).toContain(`no answer from ${away.url}`)
    expect(await mlds(['audit'], { cwd, env: { MLFLOW_TRACKING_URI: '' } })).toMatchObject({ code: 2 })
    expect(await mlds(['audit', './mlruns'], { cwd })).toMatchObject({ code: 2 })
  })

  it('tells of a sweep that was sent there and is gone, and brings it back but for what lies in MLflow’s bin', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'gated.ts'), gated)
    const env = { GATE: join(cwd, 'gated.ts'), MLFLOW_EXPERIMENT_NAME: 'binned' }
    const args = ['sweep', './gated.ts', '--set', 'n=0..1', '--name', 'thrown-away', '--track', server.url]
    expect(await mlds(args, { cwd, env })).toMatchObject({ code: 0 })
    const ask = async (path: string, body: object): Promise<void> => {
      const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
      })
      expect(answer.status).toBe(200)
    }
    const id = await client.ensureExperiment('binned')
    const audited = async (): Promise<Printed & { gone?: string[] }> =>
      read(await mlds(['audit', server.url, '--json'], { cwd }))
    const isThere = { gone: undefined, sweep: { runs: 2, findings: [] } }
    const told = ({ gone, sweeps }: Printed & { gone?: string[] }) => ({
      gone,
      sweep: sweeps.find(({ sweep }) => sweep === 'thrown-away'),
    })
    expect(told(await audited())).toMatchObject(isThere)

    await ask('experiments/delete', { experiment_id: id })
    const binned = await mlds(['audit', server.url], { cwd })
    expect(binned.code).toBe(1)
    expect(binned.stdout).toContain('Sent there, and with no run there any more: thrown-away')
    expect(binned.stdout).toContain(`mlflow experiments restore --experiment-id ${id}`)
    await ask('experiments/restore', { experiment_id: id })
    expect(told(await audited())).toMatchObject(isThere)

    await ask('experiments/delete', { experiment_id: id })
    const refused = await mlds(['audit', server.url, '--repair'], { cwd })
    expect(refused).toMatchObject({ code: 1, stderr: '' })
    expect(refused.stdout).toContain(`The experiment binned is deleted, and thrown-away with it`)
    expect(refused.stdout).not.toContain('brought again')
    const refusedToo = await mlds(['sync', 'thrown-away', '--track', server.url], { cwd })
    expect(refusedToo.stderr).toContain('the MLflow experiment is deleted: binned')
    expect(refusedToo.code).toBe(3)
    await ask('experiments/restore', { experiment_id: id })
    expect(told(await audited())).toMatchObject(isThere)

    const empty = async (): Promise<void> => {
      for (const { id: run } of await client.searchRuns([id], '')) await client.deleteRun(run)
    }
    await empty()
    const emptied = await mlds(['audit', server.url], { cwd })
    expect(emptied.code).toBe(1)
    const [, repair, sync] = /^Brought again by: mlds (.*), or one of them by: mlds (.*)$/m.exec(emptied.stdout)!
    // Back where they lay, whatever MLFLOW_EXPERIMENT_NAME said when the sweep ran.
    const repaired = await mlds(repair!.split(' '), { cwd })
    expect(repaired.stdout, repaired.stderr).toContain(
      'thrown-away: was gone, and is brought again from its journal, 2 runs',
    )
    expect(await client.searchRuns([id], '')).toHaveLength(3)
    expect(told(await audited())).toMatchObject(isThere)

    await empty()
    expect(await mlds(sync!.split(' '), { cwd })).toMatchObject({ code: 0 })
    expect(told(await audited())).toMatchObject(isThere)
  })
})
