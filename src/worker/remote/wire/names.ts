import { contentHash } from '../../../core/seed.js'
import type { SweepId, TrialId } from '../../../core/trial.js'
import { defaultLane } from './needs.js'

export interface Names {
  /** Streams: trials to run, results that count, begun attempts, what trials saved, and what the server gave up delivering. */
  readonly trials: string
  readonly results: string
  readonly attempts: string
  readonly uploads: string
  /** The last checkpoint of each run that goes on. */
  readonly checkpoints: string
  /** What searches have suggested, for hosts without their journals. */
  readonly suggestions: string
  readonly advisories: string
  /** The server's word that a message was delivered too often. */
  readonly givenUp: string
  /** The consumer of a lane's trials; of the default lane unless one is named. */
  consumer(lane?: string): string
  /** Where a worker in an account of its own asks a consumer for trials. */
  next(consumer: string): string
  /** Buckets: artifacts and data sets by SHA-256, workers, sweeps, who runs a sweep, what a person wants of it; lanes. */
  readonly objects: string
  readonly workers: string
  readonly sweeps: string
  readonly leases: string
  readonly controls: string
  readonly lanes: string
  /** Everything queued for one sweep, one trial of it, one generation, in whatever lane; `*` for what is left out. */
  trial(run?: Partial<RunKey>, lane?: string): string
  result(run: Partial<RunKey>): string
  attempt(run: Partial<RunKey>): string
  /** A piece of what a run saved, by the SHA-256 of the whole and its number. */
  upload(run: Partial<RunKey>, sha256?: string, piece?: number): string
  /** A piece of a run's checkpoint, by the place that it is in and its number. */
  checkpoint(run: Partial<RunKey>, place?: string, piece?: number): string
  /** A setting that a search has suggested, by how often its results were declared void, and its place. */
  suggestion(sweep: string, voids?: number, setting?: number): string
  /** Live reports of a run, by core publish. */
  event(run: Partial<RunKey>): string
  /** What its log holds, by core publish, for whoever asked. */
  log(run: Partial<RunKey>): string
  /** Orders to whoever runs it, by core publish. */
  order(run: Partial<RunKey>): string
}

/** One request for a trial: `generation` grows when the orchestrator asks again for a trial that had no result. */
export interface RunKey {
  /** A hash of the sweep's id, since ids may hold what a subject may not. */
  readonly sweep: string
  readonly trial: TrialId
  readonly generation: number
  /** What the message of the trial carried; none if an earlier version queued it (run-tokens.ts). */
  readonly token?: string
  /** Proof that whoever writes under this subject was given the trial. Default: none is shown. */
  readonly tag?: string
}

/** Results of a sweep may be declared void: the generations that follow begin here, so that no late one can count. */
const generationsPerVoid = 10_000

export const firstGenerationAfter = (voids: number): number => voids * generationsPerVoid

export const voidsBefore = (generation: number): number => Math.floor(generation / generationsPerVoid)

export const sweepToken = (sweep: SweepId): string => contentHash(sweep)

/** Subjects and stream names of one tenant (`[a-z0-9-]`, at most 40 characters). */
export function namesOf(tenant: string): Names {
  const subject =
    (kind: string) =>
    ({ sweep = '*', trial = '*', generation, tag }: Partial<RunKey> = {}) =>
      `mlds.${tenant}.${kind}.${sweep}.${trial}.${generation ?? '*'}${tag === undefined ? '' : `-${tag}`}`
  return {
    trials: `MLDS_${tenant}_TRIALS`,
    results: `MLDS_${tenant}_RESULTS`,
    attempts: `MLDS_${tenant}_ATTEMPTS`,
    uploads: `MLDS_${tenant}_UPLOADS`,
    checkpoints: `MLDS_${tenant}_CHECKPOINTS`,
    suggestions: `MLDS_${tenant}_SUGGESTIONS`,
    advisories: `MLDS_${tenant}_DLQ`,
    givenUp: `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MLDS_${tenant}_TRIALS.*`,
    consumer: (lane = defaultLane) => `w_${lane}`,
    next: (consumer) => `mlds.${tenant}.next.${consumer}`,
    objects: `mlds_${tenant}_objects`,
    workers: `mlds_${tenant}_workers`,
    sweeps: `mlds_${tenant}_sweeps`,
    leases: `mlds_${tenant}_leases`,
    controls: `mlds_${tenant}_controls`,
    lanes: `mlds_${tenant}_lanes`,
    trial: (run, lane = '*') => subject(`trial.${lane}`)(run),
    result: subject('result'),
    attempt: subject('attempt'),
    upload: (run, sha256 = '*', piece) => `${subject('upload')(run)}.${sha256}.${piece ?? '*'}`,
    checkpoint: (run, place = '*', piece) => `${subject('checkpoint')(run)}.${place}.${piece ?? '*'}`,
    suggestion: (sweep, voids, setting) => `mlds.${tenant}.suggestion.${sweep}.${voids ?? '*'}.${setting ?? '*'}`,
    event: subject('event'),
    log: subject('log'),
    order: subject('order'),
  }
}

const runSubject = /\.([0-9a-f]{16})\.([0-9a-f]{16})\.(\d{1,9})(?:-([0-9a-f]{32}))?$/

/** The run that a subject is about; `undefined` for a subject that mlds would not have written. */
export function runOf(subject: string): RunKey | undefined {
  const [, sweep, trial, generation, tag] = runSubject.exec(subject) ?? []
  if (sweep === undefined) return undefined
  return { sweep, trial: trial!, generation: Number(generation), ...(tag === undefined ? {} : { tag }) }
}

/** Where a worker hears that it is to take no more trials; beside the orders about what it runs. */
export const drainSubject = (names: Names, worker: string): string =>
  names.order({ sweep: 'worker', trial: worker, generation: 0 })

/** The lane that a queued trial's subject is in. */
export const laneIn = (subject: string): string => subject.split('.')[3] ?? defaultLane

/** A run as a key of maps. */
export const nameRun = ({ trial, generation }: RunKey): string => `${trial}.${generation}`
