import { z } from 'zod'
import { contentHash } from '../../seed.js'
import { engineNames, type Metrics, type SweepId, type TrialId } from '../../trial.js'

/** What crosses the wire between orchestrator and workers: names, and messages with their schemas. Data only, never code. */

/** Raised when a message's meaning changes; a worker leaves messages of another number to others. */
export const protocolVersion = 1

export interface Names {
  readonly trials: string
  readonly results: string
  readonly durable: string
  readonly objects: string
  readonly workers: string
  /** Everything queued for one sweep, one trial of it, one generation. */
  trial(run?: Partial<RunKey>): string
  result(run: Partial<RunKey>): string
  event(run: Partial<RunKey>): string
  control(run: Partial<RunKey>): string
}

/** One request for a trial: `generation` grows when the orchestrator asks again for a trial that had no result. */
export interface RunKey {
  /** A hash of the sweep's id, since ids may hold what a subject may not. */
  readonly sweep: string
  readonly trial: TrialId
  readonly generation: number
}

export const sweepToken = (sweep: SweepId): string => contentHash(sweep)

/** Subjects and stream names of one tenant (`[a-z0-9-]`, at most 40 characters). */
export function namesOf(tenant: string, pool = 'default'): Names {
  const subject =
    (kind: string) =>
    ({ sweep = '*', trial = '*', generation }: Partial<RunKey> = {}) =>
      `mlds.${tenant}.${kind}.${sweep}.${trial}.${generation ?? '*'}`
  return {
    trials: `MLDS_${tenant}_TRIALS`,
    results: `MLDS_${tenant}_RESULTS`,
    durable: `w_${pool}`,
    objects: `mlds_${tenant}_objects`,
    workers: `mlds_${tenant}_workers`,
    trial: subject(`trial.${pool}`),
    result: subject('result'),
    event: subject('event'),
    control: subject('control'),
  }
}

/** The trial and generation that a subject ends with. */
export function runOf(subject: string): RunKey {
  const [sweep = '', trial = '', generation = ''] = subject.split('.').slice(-3)
  return { sweep, trial, generation: Number(generation) }
}

const hash16 = z.string().regex(/^[0-9a-f]{16}$/)
const short = z.string().max(4_000)
const name = z.string().min(1).max(200)
const count = z.int().min(0)
// JSON has no NaN: non-finite numbers travel as words.
const metric = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)])
const metrics: z.ZodType<Metrics> = z.record(name, metric)
const artifact = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: count })
const artifacts = z.record(name, artifact)
const trial = z.object({
  id: hash16,
  index: count,
  experiment: name,
  version: count,
  stage: name,
  params: z.record(name, z.union([short, z.number(), z.boolean()])),
  seeds: z.object({ data: z.number(), init: z.number(), shuffle: z.number(), corruption: z.number() }),
  parents: z.array(hash16),
  cost: z.number(),
})
const assignment = z.object({
  sweep: name,
  trial,
  attempt: z.int().min(1),
  parents: z.array(z.object({ trial, metrics, artifacts })),
  engine: z.enum(engineNames as [string, ...string[]] as ['compiled', 'tfjs-node', 'wasm', 'cpu']),
  interactive: z.boolean(),
})
const report = z.object({ step: z.number(), atMs: z.number(), metrics })

export const trialMessage = z.object({ v: z.literal(protocolVersion), maxAttempts: z.int().min(1), assignment })

const outcome = z.discriminatedUnion('state', [
  z.object({ state: z.literal('finished'), metrics, artifacts }),
  z.object({ state: z.literal('stopped'), metrics, artifacts, reason: short }),
  z.object({
    state: z.literal('failed'),
    error: z.object({ name: short, message: z.string(), stack: z.string().exactOptional() }),
  }),
  z.object({ state: z.literal('dead'), reason: short }),
])

/** The commit of a trial, with all it reported, so that no live event need arrive. */
export const resultMessage = z.object({
  v: z.literal(protocolVersion),
  worker: name,
  /** Tells a writer whether a stored result is its own. */
  nonce: name,
  delivery: z.int().min(1),
  startedAtMs: z.number(),
  atMs: z.number(),
  outcome,
  reports: z.array(report),
})
export type ResultMessage = z.infer<typeof resultMessage>
/** A result too large for a message lies in the object store. */
export const storedResult = z.union([resultMessage, z.object({ v: z.literal(protocolVersion), object: artifact })])

/** Live news of a run; may be lost, since the result tells it all again. */
export const eventMessage = z.object({
  v: z.literal(protocolVersion),
  worker: name,
  delivery: z.int().min(1),
  startedAtMs: z.number(),
  /** Position of the first report among all of this delivery. */
  from: count,
  reports: z.array(report),
})
export type EventMessage = z.infer<typeof eventMessage>

export const controlMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stop'), reason: short }),
  /** Answers all reports before position `until`. */
  z.object({ type: z.literal('proceed'), until: count }),
  z.object({ type: z.literal('give-up') }),
])
export type ControlMessage = z.infer<typeof controlMessage>

/** What a worker says of itself every few seconds. */
export const workerMessage = z.object({
  v: z.literal(protocolVersion),
  worker: name,
  codeVersion: name,
  slots: count,
  running: z.array(hash16),
  atMs: z.number(),
})
export type WorkerMessage = z.infer<typeof workerMessage>

export function encode(message: object): string {
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
