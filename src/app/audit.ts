import { MldsError } from '../core/errors.js'
import { formatCount } from '../core/format.js'
import type { Clock } from '../core/clock.js'
import type { Store } from '../system/store.js'
import { holderOf, planFactsOf, SweepFolder } from '../sweeps/sweep-folder.js'
import {
  auditServer,
  repair,
  type JournalView,
  type Repair,
  type SweepAudit,
  type SweepContext,
  type SweepTrace,
} from '../tracking/mlflow/audit/audit.js'
import { MlflowClient } from '../tracking/mlflow/rest/client.js'
import { MlflowError } from '../tracking/mlflow/rest/mlflow-error.js'
import { mlflowSettings } from '../tracking/mlflow/rest/settings.js'
import { sweepKeyOf, SweepProjection } from '../tracking/mlflow/projection/projection.js'
import { attemptsOf } from '../tracking/mlflow/projection/attempts.js'
import { SweepCourse, untold } from '../tracking/mlflow/projection/story.js'
import { goneSweeps, type GoneSweep } from './mlflow/gone-sweeps.js'
import { trialEntries } from './mlflow/open-tracking.js'
import type { SweepId, Trial } from '../core/trial.js'
import { experimentToRead } from '../experiments/registry.js'
import { sourcesOf } from './mlflow/story.js'
import { describeSweep } from './stored-sweep.js'
import { withAdditions } from '../sweeps/journal/additions.js'
import { buildRecords } from '../sweeps/journal/records.js'
import { parsePlan } from '../sweeps/stored-plan.js'
import { digestRecords } from '../tracking/mlflow/records-digest.js'
import type { TrackedSweep } from '../tracking/mlflow/projection/read-sweep.js'
import type { Finding } from '../tracking/mlflow/audit/finding.js'
import { syncSweep } from './sync.js'

export interface AuditOptions {
  readonly store: Store
  readonly url: string
  /** After this long without a sign of life a sweep whose journal is elsewhere counts as not running. */
  readonly idleMs: number
  readonly repair: boolean
  /** Look at every point and file too. */
  readonly deep: boolean
  readonly clock: Clock
  readonly warn: (message: string) => void
  /** Told what is waited for while the server has not answered. */
  readonly say: (sentence: string) => void
}

/** An audit of a sweep, and whether its journal is in the store: then a sync mends what only the journal knows. */
export interface AuditedSweep extends SweepAudit {
  readonly journalHere: boolean
}

export interface Audit {
  /** Without credentials. */
  readonly url: string
  /** As it is after the repairs, if there were any. */
  readonly sweeps: readonly AuditedSweep[]
  readonly gone: readonly GoneSweep[]
  readonly repairs: readonly Repair[]
}

/**
 * Audits an MLflow server and, if asked, mends what can be mended: from the journal where it is here, else by ending and
 * marking runs. @throws MlflowError when the server cannot be reached or refuses.
 */
export async function auditTracking({
  store,
  url,
  idleMs,
  deep,
  clock,
  warn,
  ...options
}: AuditOptions): Promise<Audit> {
  const settings = mlflowSettings(url, process.env)
  const client = new MlflowClient(settings, undefined, clock, Math.random, { say: options.say })
  let journals: Promise<FindJournal> | undefined
  const findJournal: FindJournal = async (trace) => (await (journals ??= journalsOf(store)))(trace)
  const look = async (): Promise<Looked[]> => {
    const contextOf = async (trace: SweepTrace): Promise<SweepContext> => {
      const sweep = await findJournal(trace)
      if (sweep === undefined) return { running: !trace.allEnded && clock.now() - trace.lastSeenMs < idleMs }
      return holderOf(sweep.folder) !== undefined
        ? { running: true }
        : { running: false, journal: await viewJournal(store, sweep) }
    }
    const audits = await auditServer(client, contextOf, { trialsOf, deep: deep ? digestOf : undefined })
    return Promise.all(
      audits.map(async (audit) => {
        const here = (await findJournal(audit))?.id
        return { audited: { ...audit, journalHere: here !== undefined }, here }
      }),
    )
  }
  const findGone = (looked: readonly Looked[]): Promise<GoneSweep[]> =>
    goneSweeps(store, client, new Set(looked.map(({ here }) => here)))
  const conclude = (looked: readonly Looked[], gone: readonly GoneSweep[], repairs: readonly Repair[]): Audit => ({
    ...{ url: client.url, sweeps: looked.map(({ audited }) => audited), gone, repairs },
  })
  const before = await look()
  const gone = await findGone(before)
  const wanting = before.filter(({ audited }) => audited.findings.length > 0)
  // An experiment in the bin is the person's to restore: it may hold more than this sweep.
  const lost = gone.filter(({ sweep, deletedExperiment }) => {
    return deletedExperiment === undefined && holderOf(store.sweepFolder(sweep)) === undefined
  })
  if (!options.repair || wanting.length + lost.length === 0) return conclude(before, gone, [])

  const repairs: Repair[] = []
  for (const { sweep } of lost) {
    const { sent } = await syncSweep(store, sweep, { url, warn, deep }).catch((error: unknown) => {
      // A server that is away ends the audit; a sweep that can't be told, for its experiment's code is gone, hinders no other.
      if (!(error instanceof MldsError) || error instanceof MlflowError) throw error
      warn(`${sweep} can't be brought again: ${error.message}`)
      return { sent: undefined }
    })
    if (sent === undefined) continue
    repairs.push({ sweep, did: `was gone, and is brought again from its journal, ${formatCount(sent, 'run')}` })
  }
  for (const { audited, here } of wanting) {
    const { sweep } = audited
    if (here === undefined || audited.running) for (const did of await repair(client, audited)) repairs.push(did)
    else {
      const { sent } = await syncSweep(store, here, { url, warn, deep })
      repairs.push({ sweep, did: `brought up to date from its journal, ${formatCount(sent, 'run')}` })
    }
  }
  const after = await look()
  return conclude(after, await findGone(after), repairs)
}

interface Looked {
  readonly audited: AuditedSweep
  /** The sweep's name in the store, where its journal is here. */
  readonly here: SweepId | undefined
}

/** Finds the sweep in the store that a server's runs came from: the same first name, planned at the same time. */
type FindJournal = (trace: Pick<SweepTrace, 'sweep' | 'sweepKey'>) => Promise<SweepFolder | undefined>

/** Reads each plan once, however many sweeps the server has. */
async function journalsOf(store: Store): Promise<FindJournal> {
  const idsByKey = new Map<string, string[]>()
  for (const id of await store.sweepIds()) {
    const facts = planFactsOf(store, id)
    if (facts === undefined) continue
    const key = sweepKeyOf({ sweep: facts.sweep, openedAtMs: facts.createdAtMs })
    idsByKey.set(key, [...(idsByKey.get(key) ?? []), id])
  }
  return async ({ sweep, sweepKey }) => {
    // Mostly it is still called so; one that was renamed has its first name in its plan.
    const ids = idsByKey.get(sweepKey) ?? []
    for (const id of [...ids].sort((a, b) => Number(b === sweep) - Number(a === sweep))) {
      const folder = await SweepFolder.open(store, id).catch(() => undefined)
      if (folder !== undefined) return folder
    }
    return undefined
  }
}

/** What the server should hold of a sweep that nobody runs. */
async function viewJournal(store: Store, sweep: SweepFolder): Promise<JournalView> {
  const experiment = await experimentToRead(sweep, { warn: () => {} }).catch(() => undefined)
  const info = describeSweep({ sweep, experiment: experiment ?? unknownExperiment })
  const sources = experiment && sourcesOf({ store, sweep, experiment }, false)
  const projection = new SweepProjection(info, sources ?? { readLog: async () => undefined })
  const course = new SweepCourse(info.objective, info.trials, info.openedAtMs)
  const closed = sweep.closedAs
  const story = { ...untold, ...(closed !== undefined && { closed }) }
  const history = [...trialEntries(sweep)].map(({ event }) => event)
  for (const event of history) course.apply(event)
  return {
    planned: info.trials,
    attempts: attemptsOf(info.trials, history),
    projection,
    isClosed: closed !== undefined,
    ...(experiment && { parent: (run: string) => projection.parent(course, story, { run }) }),
  }
}

function trialsOf(bytes: Uint8Array): readonly Trial[] {
  const { trials, added = [] } = parsePlan(bytes, 'in MLflow')
  return [...trials, ...added.flatMap((addition) => addition.trials)]
}

function digestOf({ plan, events }: TrackedSweep): string {
  const { trials, added } = parsePlan(plan, 'a plan in MLflow')
  return digestRecords(buildRecords(trials, withAdditions(events, added)))
}

const unknownExperiment = { question: '', objective: { metric: '', direction: 'minimize' } } as const

const shown = { findings: 10, trials: 3 }

/** Findings as sentences; of many, the first. */
export function describeFindings(findings: readonly Finding[]): string[] {
  const missing = findings.flatMap((finding) => (finding.kind === 'missing' ? [finding] : []))
  const others = findings.flatMap((finding) => (finding.kind === 'missing' ? [] : [describe(finding)]))
  const more = (count: number): string => (count > 0 ? ` and ${count} more` : '')
  const nameOf = (finding: (typeof missing)[number]): string =>
    finding.attempt === undefined ? finding.trial : `attempt ${finding.attempt} of ${finding.trial}`
  const hidden = more(others.length - shown.findings)
  return [
    ...others.slice(0, shown.findings),
    ...(hidden === '' ? [] : [`${hidden.trim()} (--json has all)`]),
    ...(missing.length === 0
      ? []
      : [
          `${missing.length === 1 ? '1 planned trial has' : `${missing.length} planned trials have`} no run: ${missing.slice(0, shown.trials).map(nameOf).join(', ')}${more(missing.length - shown.trials)}`,
        ]),
  ]
}

function describe(finding: Exclude<Finding, { kind: 'missing' }>): string {
  switch (finding.kind) {
    case 'unended':
      return `${finding.run.name} is ${finding.run.status} and nobody runs it: run ${finding.run.id}`
    case 'duplicate':
      return `${finding.run.name} is there twice: run ${finding.run.id} repeats ${finding.of.id}`
    case 'stray':
      return `${finding.run.name} is under no parent: run ${finding.run.id}`
    case 'differs':
      return `${finding.run.name} is not as it should be: ${finding.what.slice(0, shown.trials).join(', ')}: run ${finding.run.id}`
    case 'no-plan':
      return `${finding.problem}: what is missing cannot be told`
    case 'no-parent':
      return 'its parent run is not there'
  }
}
