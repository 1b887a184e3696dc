import { readRegularFile } from '../system/read-regular-file.js'
import type { Claim, Verdict, VerdictState } from '../experiments/experiment.js'
import { refuseNewer } from '../core/newer-format.js'
import { replaceFile } from '../system/replace-file.js'
import type { TrialRecord } from '../core/trial.js'
import type { SweepFolder } from './sweep-folder.js'
import { lockHolder } from '../system/lock.js'
import type { JournalEvent } from './journal/journal.js'
import { buildRecords } from './journal/records.js'

export interface ClaimVerdict extends Verdict {
  readonly claim: string
  readonly statement: string
  readonly published: string
  readonly fragile: boolean
  /** Of the claim's rule; 1 of verdicts that were stored before rules had versions. */
  readonly version: number
  /** Of a check, which can't fail unless the software does. */
  readonly kind?: 'check'
}

/** Weighs every claim of the experiment against the records; a check that cannot be made is inconclusive, never an error. */
export function judge(claims: readonly Claim[], records: readonly TrialRecord[]): ClaimVerdict[] {
  return claims
    .filter((claim) => concerns(claim, records))
    .map((claim) => ({
      claim: claim.id,
      statement: claim.statement,
      published: claim.published,
      fragile: claim.fragile ?? false,
      version: claim.version ?? 1,
      ...(claim.kind === undefined ? {} : { kind: claim.kind }),
      ...check(claim, records),
    }))
}

function concerns(claim: Claim, records: readonly TrialRecord[]): boolean {
  try {
    return claim.concerns?.(records) ?? true
  } catch {
    return true
  }
}

function check(claim: Claim, records: readonly TrialRecord[]): Verdict {
  let given: unknown
  try {
    given = claim.check(records)
  } catch (error) {
    return notMade(error instanceof Error ? error.message : String(error))
  }
  if (isVerdict(given)) return verdictOf(given)
  // What it throws later must not end the process.
  if (given instanceof Promise) given.catch(() => {})
  return notMade(
    `it gave ${given instanceof Promise ? 'a promise' : describe(given)}, which is no { state: ${states.join(', ')}; summary: a text; seeds: a number }`,
  )
}

const notMade = (why: string): Verdict => ({
  state: 'inconclusive',
  summary: `the check could not be made: ${why}`,
  seeds: 0,
})

const states: readonly unknown[] = ['reproduced', 'not reproduced', 'inconclusive'] satisfies VerdictState[]

/** Whether what a person's check gave, or a file holds, can be shown as a verdict. */
function isVerdict(given: unknown): given is Verdict {
  if (typeof given !== 'object' || given === null) return false
  const { state, summary, seeds } = given as Partial<Record<keyof Verdict, unknown>>
  return states.includes(state) && typeof summary === 'string' && typeof seeds === 'number'
}

/** The parts of a verdict alone; an effect or an interval that is none is left out. */
function verdictOf({ state, summary, seeds, effect, interval, together, p }: Verdict): Verdict {
  const isInterval =
    Array.isArray(interval) && interval.length === 2 && interval.every((end) => typeof end === 'number')
  return {
    ...{ state, summary, seeds },
    ...(typeof effect === 'number' ? { effect } : {}),
    ...(isInterval ? { interval: interval } : {}),
    ...(together === true ? { together } : {}),
    ...(typeof p === 'number' ? { p } : {}),
  }
}

/** Before rules had versions, all were of the first. */
function versionOf(verdict: object): number {
  const { version } = verdict as { readonly version?: unknown }
  return Number.isSafeInteger(version) ? (version as number) : 1
}

function describe(given: unknown): string {
  try {
    return (JSON.stringify(given) ?? typeof given).slice(0, 200)
  } catch {
    return typeof given
  }
}

/** Keeps what a run of the sweep concluded beside its journal. @throws StoreError when a newer mlds wrote those that are there. */
export async function storeVerdicts(sweep: SweepFolder, verdicts: readonly ClaimVerdict[]): Promise<void> {
  await storedVerdicts(sweep)
  await replaceFile(sweep.verdictsFile, `${JSON.stringify(verdicts, null, 2)}\n`)
}

/** What is known of every trial now: what a process that was killed had begun is not running any more. */
export function readRecords(sweep: SweepFolder): TrialRecord[] {
  return readRecordsAndEngines(sweep).records
}

/** The same with the engines that its journal names, in their order: a large journal is read once for both. */
export function readRecordsAndEngines(sweep: SweepFolder): {
  readonly records: TrialRecord[]
  readonly engines: ReadonlySet<string>
} {
  const engines = new Set<string>()
  const noted = function* (): Generator<JournalEvent> {
    for (const event of sweep.events()) {
      if (event.type === 'opened' && event.engine !== undefined) engines.add(event.engine)
      yield event
    }
  }
  const isRun = lockHolder(sweep.lockFile) !== undefined
  return { records: buildRecords(sweep.frozen.trials, noted(), { isRun }), engines }
}

/** As `readRecords`, but a trial that was running when its process was killed is still called so: exports keep their bytes. */
export function readRecordsAsWritten(sweep: SweepFolder): TrialRecord[] {
  return buildRecords(sweep.frozen.trials, sweep.events())
}

/** Verdicts in a list are of format 1; another format is an object that says its number. */
const verdictsFormat = 1

/**
 * What the last run of the sweep concluded; empty before it did.
 * @throws StoreError when a newer mlds wrote it down.
 */
export async function storedVerdicts(sweep: SweepFolder): Promise<ClaimVerdict[]> {
  let stored: unknown
  try {
    stored = JSON.parse(readRegularFile(sweep.verdictsFile, 'utf8'))
  } catch {
    return []
  }
  if (Array.isArray(stored))
    return stored.filter(isVerdict).map((verdict) => ({ ...verdict, version: versionOf(verdict) }) as ClaimVerdict)
  const { format } = (stored ?? {}) as { format?: unknown }
  refuseNewer(sweep.verdictsFile, 'verdicts format', { format, known: verdictsFormat })
  return []
}
