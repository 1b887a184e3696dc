import { z } from 'zod'
import { NameCheck } from '../../../core/names.js'
import { readOutcome } from '../../../core/divergence.js'
import { refuseNewer } from '../../../core/newer-format.js'
import { abilitiesSchema, codeKey, needsSchema } from './needs.js'
import { engineNames, type Assignment, type Metrics, type ParamValue } from '../../../core/trial.js'

/** What crosses the wire between orchestrator and workers: names, and messages with their schemas. Data only; code is an object beside them, and signed. */

/** Raised when a message's meaning changes; a worker leaves messages of a higher number to others. */
export const protocolVersion = 7
/** The oldest that is understood. Messages that mean the same since are sent with it, for processes of earlier versions. */
export const oldestProtocol = 3
/** From this version on a trial can end as diverged; before, it failed. */
export const divergedSince = 4
/** From this version on a parameter can be null, a list, or a text of more than 4,000 characters. */
export const valuesSince = 5
/** From this version on a trial's message carries a token, which what is written about its run must show. */
export const tokensSince = 6
/** From this version on a trial may bring its experiment's files along. */
export const codeSince = 7

/** What of a trial's log travels with its result. */
export const maxLogCharacters = 50_000

const hash16 = z.string().regex(/^[0-9a-f]{16}$/)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const short = z.string().max(4_000)
const name = z.string().min(1).max(200)
const count = z.int().min(0)
const ordinal = z.int().min(1)
/**
 * Of an attempt, as its worker counts them: more than ever happen, and so few that those of all runs of a trial can be added up
 * (a number beyond 2^53 - 1 is in no message and in no journal, so the trial could not begin again).
 */
const maxAttemptNumber = 1_000_000
const attemptNumber = ordinal.max(maxAttemptNumber)
const version = z.literal([oldestProtocol, divergedSince, valuesSince, tokensSince, protocolVersion])
const token = z.string().regex(/^[0-9a-f]{32}$/)

/** A moment that a date can say, in ms since 1970. */
const time = z.number().min(-8.64e15).max(8.64e15)
/** Any name that src/core/names.ts lets pass. */
const key = z.string().min(1).max(240)
/** Values by name. zod's own record leaves `__proto__` out, which may be a metric's name like any other. */
function record<T>(value: z.ZodType<T>): z.ZodType<Readonly<Record<string, T>>> {
  const pairs = z.array(z.tuple([key, value])).transform((entries) => Object.fromEntries(entries))
  return z.preprocess(
    (input) =>
      typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__') ? Object.entries(input) : input,
    z.union([z.record(key, value), pairs]),
  )
}

// JSON has no NaN: non-finite numbers travel as words.
const metric = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)])
const metrics: z.ZodType<Metrics> = record(metric)
/** Bytes of one file that a trial saves: what crosses the wire is in memory as a whole at both ends. */
export const maxSavedBytes = 2 ** 30
/** Bytes of an experiment's files with their list. */
export const maxPackBytes = 2 ** 28 + 2 ** 22
/** Bytes of a result that is too large for a message. */
const maxResultBytes = 2 ** 28
const artifact = z.object({ sha256, sizeBytes: count.max(maxSavedBytes) })
const artifacts = record(artifact)
/** The longest text of a plan (src/sweeps/plan.ts), and as much of a list's. */
const value: z.ZodType<ParamValue> = z.union([
  z.string().max(6_000),
  z.number(),
  z.boolean(),
  z.null(),
  z.lazy(() => z.array(value).max(6_000)),
])
const trial = z.object({
  id: hash16,
  index: count,
  experiment: name,
  version: count,
  stage: name,
  params: record(value),
  seeds: z.object({ data: z.number(), init: z.number(), shuffle: z.number(), corruption: z.number() }),
  parents: z.array(hash16),
  cost: z.number(),
})
const assignment = z.object({
  sweep: name,
  trial,
  attempt: ordinal,
  parents: z.array(z.object({ trial, metrics, artifacts })),
  engine: z.enum(engineNames as [string, ...string[]] as ['compiled', 'tfjs-node', 'wasm', 'cpu']),
  interactive: z.boolean(),
  watch: z.array(name).max(1_000).exactOptional(),
  timeLimitMs: z
    .number()
    .min(1)
    .max(2 ** 31 - 1)
    .exactOptional(),
  /** Workers of earlier versions pass over this, over `isolate` and over `logging`. */
  memoryGb: z.number().positive().exactOptional(),
  isolate: z.literal(true).exactOptional(),
  logging: z
    .object({
      url: z.string().regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/),
      key: sha256,
      experimentName: z.string().max(500).exactOptional(),
      experimentId: name.exactOptional(),
    })
    .exactOptional(),
})
/** The oldest version that understands the assignment as it is meant. */
export function versionFor({ trial, parents }: Pick<Assignment, 'trial' | 'parents'>): number {
  const values = [trial, ...parents.map((parent) => parent.trial)].flatMap(({ params }) => Object.values(params))
  const isNew = values.some((value) => typeof value === 'object' || (typeof value === 'string' && value.length > 4_000))
  return isNew ? valuesSince : divergedSince
}

/** A data set that a trial reads: a worker that has not the very same bytes fetches `object`, if there is one. */
const dataset = z.object({
  name,
  fingerprint: sha256,
  object: artifact.exactOptional(),
  /** What the bytes of `object` are: labels, then pixels. */
  images: z.object({ rows: ordinal, trainRows: ordinal, shape: z.array(ordinal).min(1).max(4) }).exactOptional(),
})
export type DatasetMessage = z.infer<typeof dataset>
const report = z.object({ step: z.int(), atMs: time, metrics, carried: z.literal(true).exactOptional() })
/** What is only shown to people: as much of it as they read. */
const longText = z.string().transform((text) => text.slice(0, 20_000))

/** What any version's message of a trial says, read when the full schema fails. */
export const envelope = z.object({ v: z.int(), token: token.exactOptional() })

const trialFacts = {
  v: version,
  codeVersion: name,
  maxAttempts: ordinal,
  datasets: z.array(dataset).max(1_000),
  /** Since protocol 6 (run-tokens.ts). */
  token: token.exactOptional(),
  /** Since protocol 7: the experiment's files (code-pack.ts), and whose signature the message bears (code-signature.ts). */
  code: z.object({ object: artifact.extend({ sizeBytes: count.max(maxPackBytes) }), key: codeKey }).exactOptional(),
  /** An earlier run of the trial, which was paused: this one goes on from its checkpoint. Earlier workers begin anew. */
  goesOnFrom: z.object({ generation: count, token }).exactOptional(),
}
export const trialMessage = z.object({ ...trialFacts, assignment })
export type TrialMessage = z.infer<typeof trialMessage>
/** An assignment too large for a message lies in the object store. */
export const queuedTrial = z.union([trialMessage, z.object({ ...trialFacts, object: artifact })])
export type QueuedTrial = z.infer<typeof queuedTrial>
export const storedAssignment = z.object({ assignment })

/**
 * The latest attempt at a run, stored before it begins: what a trial that takes its worker with it can't take back.
 * Whoever listens learns from it that the attempt begins, and that it ended without an outcome.
 */
export const attemptMessage = z.object({
  v: version,
  /** Counted from 1. */
  attempt: attemptNumber,
  /** How many attempts before this one ended without a word of their worker. */
  vanished: count,
  worker: name,
  nonce: name,
  startedAtMs: time,
  /** `running` until its worker says otherwise; what was handed back or given up is not held against the trial. */
  standing: z.enum(['running', 'handed back', 'given up', 'lost']),
  /** When that was said. */
  atMs: time,
  reason: short.exactOptional(),
})
export type AttemptMessage = z.infer<typeof attemptMessage>

/** Whether the metrics are called as a trial's own process would let them be called; a hostile worker's did not. */
function areNamed(told: readonly { readonly metrics: Metrics }[]): boolean {
  const names = new NameCheck('metric')
  try {
    for (const { metrics } of told) names.add(Object.keys(metrics))
    return true
  } catch {
    return false
  }
}

const outcome = z
  .discriminatedUnion('state', [
    z.object({ state: z.literal('finished'), metrics, artifacts }),
    z.object({ state: z.literal('stopped'), metrics, artifacts, reason: short }),
    // Since protocol 4: before, such a trial failed.
    z.object({ state: z.literal('diverged'), metric: key, step: z.int().exactOptional(), metrics, artifacts }),
    z.object({
      state: z.literal('failed'),
      error: z.object({ name: short, message: longText, stack: longText.exactOptional() }),
    }),
    z.object({ state: z.literal('dead'), reason: short }),
  ])
  .transform((told) => readOutcome(told))

/** The commit of a trial, with all it reported, so that no live event need arrive. */
export const resultMessage = z
  .object({
    v: version,
    worker: name,
    /** Tells a writer whether a stored result is its own. */
    nonce: name,
    /** Of this run, counted from 1; 0 when none began. */
    attempt: count.max(maxAttemptNumber),
    startedAtMs: time,
    atMs: time,
    outcome,
    reports: z.array(report),
    /** Orchestrators of earlier versions pass over this. */
    usage: z.object({ peakBytes: count, cpuShare: z.number().min(0) }).exactOptional(),
    /** The server has a checkpoint of the run, which is of no use any more. */
    checkpointed: z.literal(true).exactOptional(),
    /** The end of the trial's log. */
    log: z.string().max(maxLogCharacters).exactOptional(),
  })
  .refine(({ outcome, reports }) => areNamed([...reports, ...('metrics' in outcome ? [outcome] : [])]))
export type ResultMessage = z.infer<typeof resultMessage>
/** A result too large for a message lies in the object store. */
export const storedResult = z.union([
  resultMessage,
  /** `nonce`: of the attempt that uploaded it, for a run with a token. */
  z.object({
    v: version,
    object: artifact.extend({ sizeBytes: count.max(maxResultBytes) }),
    nonce: name.exactOptional(),
  }),
])

/** Live news beside attempts; may be lost, since the result tells all reports again. */
export const eventMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('progress'),
    v: version,
    worker: name,
    attempt: attemptNumber,
    startedAtMs: time,
    /** Position of the first report among all of this attempt. */
    from: count,
    reports: z.array(report).refine(areNamed),
  }),
  /** This worker can't run it; it is left to others. */
  z.object({ type: z.literal('refused'), v: version, worker: name, error: z.object({ name: short, message: short }) }),
])
export type EventMessage = z.infer<typeof eventMessage>
export type ProgressMessage = Extract<EventMessage, { type: 'progress' }>

/** Bytes of a log in one answer. */
export const maxLogPieceBytes = 60_000
/** A worker's answer: what a trial's log holds from this byte on. */
export const logMessage = z.object({ v: version, from: count, base64: z.string().max(2 * maxLogPieceBytes) })
export type LogMessage = z.infer<typeof logMessage>

export const orderMessage = z.discriminatedUnion('type', [
  /** Workers of earlier versions pass over `keep`, and end at once; and over `attempt`: the only one that is meant. */
  z.object({
    type: z.literal('stop'),
    reason: short,
    attempt: ordinal.exactOptional(),
    keep: z.literal(true).exactOptional(),
  }),
  /** Answers all reports before position `until`. */
  z.object({ type: z.literal('proceed'), until: count }),
  z.object({ type: z.literal('give-up') }),
  /** Say what the trial's log holds from this byte on. */
  z.object({ type: z.literal('tell-log'), from: count }),
  /** To a worker itself: take no more trials, and end when those that run have ended. */
  z.object({ type: z.literal('drain') }),
])
export type OrderMessage = z.infer<typeof orderMessage>

/** What a worker says of itself every few seconds. */
export const workerMessage = z.object({
  v: version,
  worker: name,
  host: name,
  pid: count,
  codeVersion: name,
  slots: count,
  free: count,
  running: z.array(z.object({ sweep: name, trial: hash16, attempt: ordinal, sinceMs: time })),
  draining: z.boolean(),
  /** Experiments it has that are not built in. */
  experiments: z.array(name).max(1_000).exactOptional(),
  /** What it takes trials by, since workers look into lanes. */
  abilities: abilitiesSchema.exactOptional(),
  /** Trials run to an outcome, messages thrown away as malformed, trials left to other workers, results that came too late. */
  done: count,
  malformed: count,
  refused: count,
  fenced: count,
  startedAtMs: time,
  atMs: time,
})
export type WorkerMessage = z.infer<typeof workerMessage>

/** A sweep as the server knows it: enough to resume it where its folder is gone. */
export const sweepMessage = z.object({
  v: version,
  sweep: name,
  planHash: name,
  /** The bytes of plan.json, in the object store. */
  plan: artifact,
  /** The experiment's files, where they travel with the trials. */
  code: artifact.exactOptional(),
  total: count,
  codeVersion: name,
  engine: z.enum(engineNames as [string, ...string[]] as ['compiled', 'tfjs-node', 'wasm', 'cpu']),
  openedAtMs: time,
  /** The last result, by its place in the stream, that whoever ran the sweep had written down when it ended in order. */
  collectedUpTo: count.exactOptional(),
  /** Every trial has ended, though some may have run elsewhere and left no result here. */
  isOver: z.literal(true).exactOptional(),
  /** How many times all results before were declared void. */
  voids: count.exactOptional(),
  /** What the tokens of its runs follow from; none before protocol 6. */
  secret: sha256.exactOptional(),
  /** What an earlier version left when the secret was made: results up to this place, and runs under way, need no token. */
  untokened: z.object({ upTo: count, runs: z.array(z.string().max(30)).max(20_000) }).exactOptional(),
})
export type SweepMessage = z.infer<typeof sweepMessage>

/** A setting that a search has suggested, which a host resumes the search by that has not its journal. */
export const suggestionMessage = z.object({
  v: version,
  setting: count,
  values: record(value),
  trialsHash: hash16,
  rule: name,
  modelSize: count,
  criterion: metric.exactOptional(),
  fallback: short.exactOptional(),
  ended: count.exactOptional(),
  told: z.array(count).max(1_000_000).readonly().exactOptional(),
  failed: z.array(hash16).max(1_000_000).readonly().exactOptional(),
  tookMs: z.number().exactOptional(),
})
export type SuggestionMessage = z.infer<typeof suggestionMessage>

/** A lane of the queue, which workers ask for trials who have what these need. */
export const laneMessage = z.object({ v: version, needs: needsSchema })
export type LaneMessage = z.infer<typeof laneMessage>

/** What a person wants of a sweep; workers and orchestrator obey. */
export const controlMessage = z.object({
  v: version,
  wanted: z.enum(['run', 'pause', 'cancel']),
  by: name,
  atMs: time,
})
export type ControlMessage = z.infer<typeof controlMessage>

/** Who runs a sweep now. */
export const leaseMessage = z.object({
  v: version,
  sweep: name,
  holder: z.object({
    pid: count,
    host: name,
    started: z.string().max(100),
    boot: z.string().max(100),
    pidNamespace: z.string().max(100).exactOptional(),
  }),
  nonce: name,
  atMs: time,
})
export type LeaseMessage = z.infer<typeof leaseMessage>

/** The server's word that it gave a message up (docs.nats.io, JetStream advisories). */
export const deliveryAdvisory = z.object({ stream: name, consumer: name, stream_seq: ordinal, deliveries: count })

export function encode(message: object): string {
  const text = JSON.stringify(message)
  // A null is a parameter's, or stands for a number that JSON has not. To look at each value costs twice the time.
  if (!text.includes('null')) return text
  return JSON.stringify(message, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  )
}

/** The message, or `undefined` when it is not one of this schema: never an exception, whatever came. */
export function decode<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/**
 * What is kept on the server, as `decode`; but what a newer mlds wrote is not taken for nothing.
 * @throws StoreError when it is of a higher protocol; `what` names it.
 */
export function decodeKept<T>(schema: z.ZodType<T>, text: string, what: string): T | undefined {
  const message = decode(schema, text)
  if (message === undefined)
    refuseNewer(`${what} on the NATS server`, 'protocol', {
      format: decode(envelope, text)?.v,
      known: protocolVersion,
    })
  return message
}
