import { DamageTally } from '../sweeps/journal/damage.js'
import { repairJournal, type JournalRepair } from '../sweeps/journal/repair.js'
import { isComplete, isResult, type SweepCounts, type SweepState } from '../sweeps/journal/state.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import {
  verifyConfirmation,
  verifySearch,
  type ConfirmationVerification,
  type SearchVerification,
} from './verify-search.js'
import { verifySeeds, type SeedsVerification } from './verify-seeds.js'
import { verifyStops, type StopsVerification } from './verify-stops.js'
import { lockSweep } from '../system/lock.js'
import type { Store } from '../system/store.js'

/** Journal lines that are told one by one; all are counted. */
const linesTold = 100

/** What a sweep's journal and saved files prove. */
export interface Verification {
  readonly counts: SweepCounts
  /** Every planned trial has one result, and all that it saved is whole. */
  readonly complete: boolean
  readonly damage: DamageTally
  /** The first 100 damaged lines, and why each can't be used. */
  readonly damagedLines: readonly string[]
  /** Ends that stand twice in the journal and count once. */
  readonly repeatedEnds: number
  /** Saved files that are gone or altered, and why. */
  readonly brokenArtifacts: readonly string[]
  /** Of a search that learns: its suggestions, made again from the results that they were made from. */
  readonly search?: SearchVerification
  /** Of another sweep whose best settings were run on fresh seeds: those, chosen again from the results that there were. */
  readonly confirmation?: ConfirmationVerification
  /** Of a sweep that adds seeds until its claims are decided: each addition, decided again from the results there were. */
  readonly seeds?: SeedsVerification
  /** Of a sweep with rules that stop trials: what they decided, decided again from the reports there were. */
  readonly stops?: StopsVerification
}

/** Reads the whole journal, and hashes every saved file: a result whose files are gone or altered is no result. */
export async function verifySweep(store: Store, sweep: SweepFolder): Promise<Verification> {
  const damage = new DamageTally()
  const damagedLines: string[] = []
  const state = sweep.restore((found) => {
    damage.add(found)
    if (damagedLines.length < linesTold) damagedLines.push(`journal line ${found.line}: ${found.reason}`)
  })
  const brokenArtifacts = await brokenArtifactsOf(store, state)
  const counts = state.counts()
  const search = await verifySearch(store, sweep)
  const confirmation = await verifyConfirmation(store, sweep)
  const seeds = await verifySeeds(store, sweep)
  const stops = await verifyStops(sweep)
  const comesOut = [search, confirmation, seeds, stops].every((one) => one?.isDone !== false)
  const complete = isComplete(counts) && brokenArtifacts.length === 0 && comesOut
  return {
    ...{ counts, complete, damage, damagedLines, repeatedEnds: state.repeatedEnds, brokenArtifacts },
    ...(search === undefined ? {} : { search }),
    ...(confirmation === undefined ? {} : { confirmation }),
    ...(seeds === undefined ? {} : { seeds }),
    ...(stops === undefined ? {} : { stops }),
  }
}

async function brokenArtifactsOf(store: Store, state: SweepState): Promise<string[]> {
  const broken: string[] = []
  for (const { trial, outcome } of state.trials.values()) {
    if (!isResult(outcome)) continue
    for (const [name, artifact] of Object.entries(outcome.artifacts))
      await store
        .readObject(artifact)
        .catch((error: Error) => broken.push(`trial ${trial.id}, ${name}: ${error.message}`))
  }
  return broken
}

/**
 * Makes a damaged journal whole; what it was is kept beside it. @returns `undefined` when it is whole already.
 * @throws StoreError while a process runs the sweep.
 */
export async function repairSweep(sweep: SweepFolder): Promise<JournalRepair | undefined> {
  const lock = lockSweep(sweep.lockFile, sweep.id)
  try {
    return await repairJournal(sweep.journalFile, sweep.frozen.trials)
  } finally {
    lock.release()
  }
}
