import { contentHash } from '../../../core/seed.js'
import type { SweepId, TrialId } from '../../../core/trial.js'

export interface Names {
  /** Streams: trials to run, results that count, begun attempts, what trials saved, and what the server gave up delivering. */
  readonly trials: string
  readonly results: string
  readonly attempts: string
  readonly uploads: string
  readonly advisories: string
  /** The server's word that a message was delivered too often. */
  readonly givenUp: string
  /** The consumer of a pool's trials. */
  readonly durable: string
  /** Buckets: artifacts and data sets by SHA-256, workers, sweeps, who runs a sweep, what a person wants of it. */
  readonly objects: string
  readonly workers: string
  readonly sweeps: string
  readonly leases: string
  readonly controls: string
  /** Everything queued for one sweep, one trial of it, one generation; `*` for what is left out. */
  trial(run?: Partial<RunKey>): string
  result(run: Partial<RunKey>): string
  attempt(run: Partial<RunKey>): string
  /** A piece of what a run saved, by the SHA-256 of the whole and its number. */
  upload(run: Partial<RunKey>, sha256?: string, piece?: number): string
  /** Live reports of a run, by core publish. */
  event(run: Partial<RunKey>): string
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
export function namesOf(tenant: string, pool = 'default'): Names {
  const subject =
    (kind: string) =>
    ({ sweep = '*', trial = '*', generation, tag }: Partial<RunKey> = {}) =>
      `mlds.${tenant}.${kind}.${sweep}.${trial}.${generation ?? '*'}${tag === undefined ? '' : `-${tag}`}`
  return {
    trials: `MLDS_${tenant}_TRIALS`,
    results: `MLDS_${tenant}_RESULTS`,
    attempts: `MLDS_${tenant}_ATTEMPTS`,
    uploads: `MLDS_${tenant}_UPLOADS`,
    advisories: `MLDS_${tenant}_DLQ`,
    givenUp: `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MLDS_${tenant}_TRIALS.w_${pool}`,
    durable: `w_${pool}`,
    objects: `mlds_${tenant}_objects`,
    workers: `mlds_${tenant}_workers`,
    sweeps: `mlds_${tenant}_sweeps`,
    leases: `mlds_${tenant}_leases`,
    controls: `mlds_${tenant}_controls`,
    trial: subject(`trial.${pool}`),
    result: subject('result'),
    attempt: subject('attempt'),
    upload: (run, sha256 = '*', piece) => `${subject('upload')(run)}.${sha256}.${piece ?? '*'}`,
    event: subject('event'),
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

/** A run as a key of maps. */
export const nameRun = ({ trial, generation }: RunKey): string => `${trial}.${generation}`
