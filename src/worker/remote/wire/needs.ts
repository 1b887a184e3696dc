import { z } from 'zod'
import { formatDuration } from '../../../core/format.js'
import { contentHash } from '../../../core/seed.js'

/** What a trial needs of a worker, and what a worker has. Trials that need the same wait in one lane of the queue. */

const name = z.string().min(1).max(200)
const labels = z.array(name).max(100)
/** Devices, or a share of one; and GB of memory, of 10^9 bytes. */
const amount = z.number().min(0).max(1e6)

/** A public key of Ed25519 (RFC 8032), as people hand it on. */
export const codeKey = z.string().regex(/^ed25519:[A-Za-z0-9_-]{43}$/)

const duration = z.number().min(0).max(Number.MAX_SAFE_INTEGER)

export const needsSchema = z.object({
  /** Of mlds: what workers must be compatible with. */
  codeVersion: name,
  /** With the hash of its code, where it is not built in. */
  experiment: name,
  version: z.int().min(0),
  labels,
  gpu: amount,
  memoryGb: amount,
  /** An attempt that takes longer is ended. */
  timeLimitMs: duration.exactOptional(),
  /** The experiment's files come with the trial, signed with this key. */
  code: z.object({ key: codeKey, kind: z.enum(['module', 'program']) }).exactOptional(),
})
export type Needs = z.infer<typeof needsSchema>

export const abilitiesSchema = z.object({
  /** Experiments by name, with their versions. */
  experiments: z.array(z.tuple([name, z.int().min(0)])).max(2_000),
  labels,
  gpus: amount,
  memoryGb: amount,
  /** Until it leaves, where it has a limit; and what the longest trial of each lane took it. */
  timeLeftMs: duration.exactOptional(),
  took: z
    .array(z.tuple([name, duration]))
    .max(1_000)
    .exactOptional(),
  /** Whose code it takes; none where this is absent. Modules run inside it, which `--trial-user` rules out. */
  code: z.object({ keys: z.array(codeKey).max(100), modules: z.boolean() }).exactOptional(),
})
export type Abilities = z.infer<typeof abilitiesSchema>

/** Where trials wait whose orchestrators know of no lanes: all workers look there. */
export const defaultLane = 'default'

/** The lane of trials that need this. */
export const laneOf = (needs: Needs): string => contentHash(needs)

/** What a worker lacks to run trials that need this, as a person is told of it; `undefined` when it lacks nothing. */
export function lacking(
  needs: Needs,
  worker: { readonly codeVersion: string; readonly abilities?: Abilities | undefined },
): string | undefined {
  const { codeVersion, labels, gpu, memoryGb } = needs
  const { abilities } = worker
  if (abilities === undefined) return 'it runs an earlier mlds, which takes no trials of this one (update it)'
  if (!isCompatible(worker.codeVersion, codeVersion)) return `it has mlds ${worker.codeVersion} (not ${codeVersion})`
  const what = needs.code === undefined ? lackingExperiment(needs, abilities) : lackingConsent(needs.code, abilities)
  if (what !== undefined) return what
  const missing = labels.filter((label) => !abilities.labels.includes(label))
  if (missing.length > 0) return `it has no label ${missing.join(', ')}`
  if (gpu > abilities.gpus) return `it has ${abilities.gpus} GPUs`
  if (memoryGb > abilities.memoryGb) return `it has ${abilities.memoryGb} GB of memory`
  return lackingTime(needs, abilities)
}

function lackingExperiment({ experiment, version }: Needs, { experiments }: Abilities): string | undefined {
  const has = experiments.find(([known]) => known === experiment)
  if (has === undefined) {
    const [other] = experiments.find(([known]) => titleOf(known) === titleOf(experiment)) ?? []
    return `it ${other === undefined ? 'does not have the experiment' : `has ${other}, another version of`} ${experiment}`
  }
  return has[1] === version ? undefined : `it has version ${has[1]} of ${experiment} (not ${version})`
}

/** What keeps a worker from taking the code that comes with a trial. */
export function lackingConsent(
  { key, kind }: NonNullable<Needs['code']>,
  { code }: Pick<Abilities, 'code'>,
): string | undefined {
  if (code === undefined) return 'it takes no code'
  if (!code.keys.includes(key)) return `it takes no code of ${key}`
  return kind === 'module' && !code.modules ? 'it runs programs as another user, and takes no modules' : undefined
}

/** The same of time alone: the worker leaves before such a trial could end. */
export function lackingTime(needs: Needs, { timeLeftMs, took = [] }: Abilities): string | undefined {
  if (timeLeftMs === undefined) return undefined
  const { timeLimitMs } = needs
  const ownMs = timeLimitMs === undefined ? took.find(([lane]) => lane === laneOf(needs))?.[1] : undefined
  if ((timeLimitMs ?? ownMs ?? 0) <= timeLeftMs) return undefined
  return timeLimitMs === undefined
    ? `it leaves before another trial that takes ${formatDuration(ownMs!)}, as one did there, could end`
    : `it leaves before a trial that may take ${formatDuration(timeLimitMs)} could end`
}

/** An experiment's name without the hash of its code. */
const titleOf = (experiment: string): string => experiment.replace(/\.[0-9a-f]{8}$/, '')

/** What a trial needs, in words. */
export function describeNeeds({ experiment, labels, gpu, memoryGb }: Needs): string {
  const beside = [
    ...labels.map((label) => `label ${label}`),
    ...(gpu > 0 ? [`gpu: ${gpu}`] : []),
    ...(memoryGb > 0 ? [`memoryGb: ${memoryGb}`] : []),
  ]
  return beside.length === 0 ? experiment : `${experiment} (${beside.join(', ')})`
}

/** Whether code of one version may run what another planned: the same major number, and below 1 the same minor. */
export function isCompatible(a: string, b: string): boolean {
  const [majorA, minorA] = a.split('.')
  const [majorB, minorB] = b.split('.')
  return majorA === majorB && (majorA !== '0' || minorA === minorB)
}
