import { groupBy } from '../../../core/group-by.js'
import type { SweepId, Trial } from '../../../core/trial.js'
import { MlflowError } from '../rest/mlflow-error.js'
import type { MlflowClient } from '../rest/client.js'
import type { Finding } from './finding.js'
import type { Run } from '../rest/wire.js'
import type { Attempt } from '../projection/attempts.js'
import { childContradictions, endingOf, isToldMissing, parentContradictions, readStanding } from './contents.js'
import { lookAtStory, lookAtTrials, type DigestOf } from './deep-look.js'
import { deepDifferences, differences, missingParams } from './differences.js'
import {
  duplicateTag,
  planPath,
  sharedTag,
  statusOfState,
  withoutDuplicates,
  type ProjectedRun,
  type SweepProjection,
} from '../projection/projection.js'
import { identify, isChild, placesOf } from '../projection/identity.js'
import { notePath } from '../projection/story.js'

/** What a server holds of one sweep. */
export interface SweepAudit {
  readonly sweep: SweepId
  readonly experimentId: string
  readonly parent: Run | undefined
  readonly sweepKey: string
  readonly running: boolean
  /** Planned trials that have not run, as the sweep's journal or its story says; their absence is no finding. */
  readonly left: number
  /** Trials in the plan; undefined when the server has no plan. */
  readonly planned: number | undefined
  /** Attempts, each once. */
  readonly runs: number
  readonly finished: number
  /** Runs that programs of trials logged to, beside mlds: what is theirs there is not looked at. */
  readonly shared: number
  readonly findings: readonly Finding[]
}

/** A sweep as an audit finds it before it is judged. */
export interface SweepTrace {
  readonly sweep: SweepId
  /** `mlds.sweep_key`. */
  readonly sweepKey: string
  /** Unix time in ms of the newest point, start or end on the server. */
  readonly lastSeenMs: number
  /** Whether every run is in a terminal state. */
  readonly allEnded: boolean
}

/** What a sweep's runs should be, where its journal is. */
export interface JournalView {
  readonly planned: readonly Trial[]
  /** Its last process wrote that it ended: what has not run was left on purpose. */
  readonly isClosed: boolean
  readonly attempts: readonly Attempt[]
  readonly projection: SweepProjection
  /** Undefined where nobody knows any more what the sweep is judged by. */
  readonly parent?: (run: string) => ProjectedRun
}

/** What is known of a sweep beside its runs. */
export interface SweepContext {
  /** Whether anyone still works on it: what such a sweep lacks is no finding. */
  readonly running: boolean
  readonly journal?: JournalView | undefined
}

/** The trials of a plan's bytes, those included that it has grown by. @throws StoreError when they are none of a plan. */
export type TrialsOf = (plan: Uint8Array) => readonly Trial[]

/** The trials of the plan that a server holds, or why nobody can tell. */
export type HeldPlan = { readonly trials: readonly Trial[] } | { readonly trials: undefined; readonly problem: string }

const noPlan: HeldPlan = { trials: undefined, problem: 'its plan is not there' }

/**
 * Looks at every sweep that the server holds, oldest first; `deep` at every point and file too.
 * @throws MlflowError when the server cannot be reached or refuses.
 */
export async function auditServer(
  client: MlflowClient,
  contextOf: (trace: SweepTrace) => SweepContext | Promise<SweepContext>,
  { trialsOf, deep }: { readonly trialsOf: TrialsOf; readonly deep?: DigestOf | undefined },
): Promise<SweepAudit[]> {
  const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" LIKE '%'`)
  const audits: SweepAudit[] = []
  for (const group of groupRuns(runs)) {
    const context = await contextOf(traceOf(group))
    const plan = group.parent === undefined ? noPlan : await readPlan(client, group.parent, trialsOf)
    const audit = auditSweep(group, plan, context)
    const isDeep = deep !== undefined && !context.running
    const below = isDeep ? await lookDeeper(client, group, audit, context, deep) : []
    audits.push({ ...audit, findings: [...audit.findings, ...oncePerRun(below)] })
  }
  return audits
}

/** What two ways of looking at a run found to differ, each thing once. */
function oncePerRun(findings: readonly Finding[]): Finding[] {
  const differing = findings.flatMap((finding) => (finding.kind === 'differs' ? [finding] : []))
  const others = findings.filter(({ kind }) => kind !== 'differs')
  const byRun = [...groupBy(differing, ({ run }) => run)]
  const merged = byRun.map(
    ([run, of]) => ({ kind: 'differs', run, what: [...new Set(of.flatMap(({ what }) => what))] }) as const,
  )
  return [...others, ...merged]
}

/** The runs of one sweep: a name alone does not tell two people's sweeps apart, but `mlds.sweep_key` does. */
export interface RunGroup {
  readonly parent: Run | undefined
  readonly otherParents: readonly Run[]
  readonly children: readonly Run[]
}

export function groupRuns(all: readonly Run[]): RunGroup[] {
  const sweeps = groupBy(withoutDuplicates(all), (run) => identify(run).sweepKey)
  const places = [...sweeps.values()].flatMap((runs) => [...placesOf(runs).values()])
  return places.map((runs) => {
    const children = runs.filter(isChild)
    const named = groupBy(children, (run) => run.tags['mlflow.parentRunId'] ?? '')
    // The one that most children name, so that the fewest have to move.
    const [parent, ...otherParents] = runs
      .filter((run) => !isChild(run))
      .sort((a, b) => (named.get(b.id)?.length ?? 0) - (named.get(a.id)?.length ?? 0) || byWorth(a, b))
    return { parent, otherParents, children }
  })
}

/** Judges one sweep's runs. */
export function auditSweep(group: RunGroup, plan: HeldPlan, { running, journal }: SweepContext): SweepAudit {
  const planned = journal === undefined || plan.trials === undefined ? plan.trials : journal.planned
  const { parent, otherParents } = group
  const twins = [...groupBy(group.children, keyOf).values()].map((same) => [...same].sort(byWorth))
  const children = twins.map(([kept]) => kept!)
  const known = new Set(children.map((run) => identify(run).trial))
  const duplicates = [
    ...otherParents.map((run) => ({ kind: 'duplicate', run, of: parent! }) as const),
    ...twins.flatMap(([of, ...rest]) => rest.map((run) => ({ kind: 'duplicate', run, of: of! }) as const)),
  ]
  const strays = children.filter((run) => run.tags['mlflow.parentRunId'] !== parent?.id)
  const elsewhere = children.filter((run) => parent !== undefined && run.experimentId !== parent.experimentId)
  const unended = [...(parent === undefined ? [] : [parent]), ...children].filter((run) => !hasEnded(run))
  const found = new Set([...unended, ...strays, ...elsewhere])
  const { sweep, sweepKey } = traceOf(group)
  const absent = (planned ?? []).flatMap(({ id }) => (known.has(id) ? [] : [id]))
  const begun = new Set(journal?.attempts.map(({ trial }) => trial.id))
  const left = absent.filter((id) => !begun.has(id))
  const isToldOf = journal === undefined ? isToldMissing(parent, absent) : journal.isClosed
  const missing = isToldOf ? absent.filter((id) => begun.has(id)) : absent
  return {
    sweep,
    sweepKey,
    experimentId: group.children[0]?.experimentId ?? parent!.experimentId,
    parent,
    running,
    planned: planned?.length,
    runs: children.length,
    left: isToldOf && !running ? left.length : 0,
    finished: children.filter((run) => run.status === 'FINISHED').length,
    shared: children.filter((run) => sharedTag in run.tags).length,
    findings: [
      // A request that arrived twice leaves two runs at any time: this is wrong even while the sweep runs.
      ...duplicates,
      ...(running
        ? []
        : [
            ...(parent === undefined ? [{ kind: 'no-parent' } as const] : []),
            ...(parent !== undefined && plan.trials === undefined
              ? [{ kind: 'no-plan', problem: plan.problem } as const]
              : []),
            ...(parent === undefined ? [] : strays.map((run) => ({ kind: 'stray', run, parent }) as const)),
            ...elsewhere.map((run) => ({ kind: 'differs', run, what: [isElsewhere] }) as const),
            ...unended.map((run) => ({ kind: 'unended', run }) as const),
            ...missing.map((trial) => ({ kind: 'missing', trial }) as const),
            ...(journal === undefined
              ? findContradictions(parent, children, planned, found)
              : holdAgainst(journal, parent, children, found)),
          ]),
    ],
  }
}

/** What runs say of themselves, and the parent of them, that does not fit, beyond what is `found` already. */
function findContradictions(
  parent: Run | undefined,
  children: readonly Run[],
  planned: readonly Trial[] | undefined,
  found: ReadonlySet<Run>,
): Finding[] {
  const isTold = parent !== undefined && readStanding(parent) !== undefined
  const of = (run: Run, what: readonly string[]): Finding[] =>
    what.length === 0 || found.has(run) ? [] : [{ kind: 'differs', run, what }]
  return [
    // Without its plan nobody can count its trials.
    ...(parent === undefined || planned === undefined
      ? []
      : of(parent, parentContradictions(parent, children, planned))),
    ...children.flatMap((run) => of(run, childContradictions(run, isTold))),
  ]
}

/** What differs from the journal, beyond what is `found` already. */
function holdAgainst(
  { attempts, projection, parent: wantedParent }: JournalView,
  parent: Run | undefined,
  children: readonly Run[],
  found: ReadonlySet<Run>,
): Finding[] {
  const trials = new Set(children.map((run) => identify(run).trial))
  const compare = (run: Run, wanted: ProjectedRun, needed = wanted.params): Finding[] => {
    const params = Object.keys(missingParams(run, { params: needed })).map((name) => `its parameter ${name} is missing`)
    const what = [...differences(run, wanted).map((difference) => difference.what), ...params]
    return what.length === 0 || found.has(run) ? [] : [{ kind: 'differs', run, what }]
  }
  return [
    ...(parent === undefined || wantedParent === undefined
      ? []
      : compare(parent, { ...wantedParent(parent.id), points: [] })),
    ...pair(attempts, projection, children).flatMap(([attempt, run]): Finding[] => {
      const { id: trial } = attempt.trial
      if (run !== undefined)
        return compare(
          run,
          projection.child(attempt, parent?.id ?? run.tags['mlflow.parentRunId'] ?? ''),
          projection.paramsOf(trial),
        )
      return trials.has(trial) ? [{ kind: 'missing', trial, attempt: attempt.attempt }] : []
    }),
  ]
}

function pair(
  attempts: readonly Attempt[],
  projection: SweepProjection,
  children: readonly Run[],
): [Attempt, Run | undefined][] {
  const byKey = new Map(children.map((run) => [keyOf(run), run]))
  return attempts.map((attempt) => {
    const run = byKey.get(projection.childKey(attempt))
    return [{ ...attempt, isShared: run !== undefined && sharedTag in run.tags }, run]
  })
}

/** What no search tells, of runs that seem right as far as one does. */
async function lookDeeper(
  client: MlflowClient,
  { parent, children }: RunGroup,
  { findings }: SweepAudit,
  { journal }: SweepContext,
  digestOf: DigestOf,
): Promise<Finding[]> {
  const wanting = new Set(findings.flatMap((finding) => ('run' in finding ? [finding.run] : [])))
  const below: Finding[] = []
  const look = async (run: Run | undefined, wanted: () => ProjectedRun): Promise<void> => {
    if (run === undefined || wanting.has(run)) return
    const differing = await deepDifferences(client, run, wanted())
    // Earlier versions counted otherwise what the points of a parent tell: they stay among its own.
    const found = differing.filter(({ isFixed }) => run !== parent || isFixed !== true)
    if (found.length > 0) below.push({ kind: 'differs', run, what: found.map(({ what }) => what) })
  }
  if (parent !== undefined) for (const finding of await lookAtStory(client, parent)) below.push(finding)
  if (journal === undefined)
    return parent === undefined
      ? below
      : [
          ...below,
          ...(await lookAtTrials(
            client,
            parent,
            children.filter((run) => !wanting.has(run)),
            digestOf,
          )),
        ]
  if (journal.parent !== undefined)
    await look(parent, () => {
      const wanted = journal.parent!(parent!.id)
      // The note tells of verdicts, figures and other runs: it is held against the manifest, above.
      return { ...wanted, files: wanted.files.filter(({ path }) => path !== notePath) }
    })
  for (const [attempt, run] of pair(journal.attempts, journal.projection, children))
    await look(run, () => journal.projection.child(attempt, ''))
  return below
}

const isElsewhere = 'it is in another experiment than its parent'

/** What was done about a finding, in words. */
export interface Repair {
  readonly sweep: SweepId
  readonly run?: Run
  readonly did: string
}

/**
 * Ends, marks and re-homes runs; deletes nothing, and touches no point. What needs the journal (a missing run, plan or
 * parent) stays as it is. A later sync from the journal sets exact times and states.
 */
export async function repair(client: MlflowClient, { sweep, findings, parent }: SweepAudit): Promise<Repair[]> {
  const done: Repair[] = []
  for (const finding of findings) {
    if (finding.kind === 'unended') {
      const status = await end(client, finding.run, finding.run === parent)
      done.push({ sweep, run: finding.run, did: `ended as ${status}` })
    } else if (finding.kind === 'duplicate') {
      const tags = { [duplicateTag]: finding.of.id }
      await client.log(finding.run.id, { tags })
      if (!hasEnded(finding.run))
        await client.updateRun(finding.run.id, { status: 'KILLED', endMs: lastSeenMs(finding.run) })
      done.push({ sweep, run: finding.run, did: `marked as a duplicate of ${finding.of.id}` })
    } else if (finding.kind === 'differs' && finding.run !== parent) {
      const ending = endingOf(finding.run)
      if (ending === undefined || (isFit(finding.run, ending) && finding.run.tags['mlds.state'] === ending)) continue
      const status = await end(client, finding.run, false)
      done.push({ sweep, run: finding.run, did: `set to ${status}, as its outcome says` })
    } else if (finding.kind === 'stray') {
      await client.log(finding.run.id, { tags: { 'mlflow.parentRunId': finding.parent.id } })
      done.push({ sweep, run: finding.run, did: `put under its parent ${finding.parent.id}` })
    }
  }
  return done
}

/** A run whose outcome arrived ends by it, another one as lost: as the journal would say of an attempt nobody ended. */
async function end(client: MlflowClient, run: Run, isParent: boolean): Promise<string> {
  const known = endingOf(run)
  const state = known ?? 'lost'
  const reason = 'mlds audit found that nobody ran it any more'
  const tags = {
    'mlds.state': state,
    ...(known === undefined && !isParent && { 'mlds.outcome': JSON.stringify({ state, reason }) }),
  }
  await client.log(run.id, { tags })
  const status = statusOfState(state)
  await client.updateRun(run.id, { status, endMs: run.endMs ?? lastSeenMs(run) })
  return status
}

const keyOf = (run: Run): string => identify(run).key
const isFit = ({ status }: Run, state: string): boolean => status === statusOfState(state)
const hasEnded = (run: Run): boolean => ['FINISHED', 'FAILED', 'KILLED'].includes(run.status)
const lastSeenMs = (run: Run): number => Math.max(run.startMs, run.endMs ?? 0, run.lastPointMs ?? 0)

function traceOf(group: RunGroup): SweepTrace {
  const runs = [...(group.parent === undefined ? [] : [group.parent]), ...group.otherParents, ...group.children]
  return {
    sweep: runs[0]!.tags['mlds.sweep']!,
    sweepKey: identify(runs[0]!).sweepKey,
    lastSeenMs: runs.reduce((latest, run) => Math.max(latest, lastSeenMs(run)), 0),
    allEnded: runs.every(hasEnded),
  }
}

/** Of runs with one key the first is kept: one that knows its outcome, has ended, and has come furthest. */
function byWorth(a: Run, b: Run): number {
  const worth = (run: Run): number[] => [
    Number('mlds.outcome' in run.tags),
    Number(hasEnded(run)),
    run.lastPointMs ?? 0,
    run.latest.size,
  ]
  const [ours, theirs] = [worth(a), worth(b)]
  const differing = ours.findIndex((value, i) => value !== theirs[i])
  return differing < 0 ? (a.id < b.id ? -1 : 1) : theirs[differing]! - ours[differing]!
}

async function readPlan(client: MlflowClient, parent: Run, trialsOf: TrialsOf): Promise<HeldPlan> {
  try {
    return { trials: trialsOf(await client.getArtifact(parent, planPath)) }
  } catch (error) {
    if (error instanceof MlflowError) {
      if (error.status === 404) return noPlan
      throw error
    }
    return { trials: undefined, problem: `its plan can’t be read: ${(error as Error).message}` }
  }
}
