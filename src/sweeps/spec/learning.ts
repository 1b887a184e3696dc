import { quoteInput } from '../../core/quote-input.js'
import { isMapping } from '../../core/is-mapping.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import type { ParamValue } from '../../core/trial.js'
import type { PointSamplerName } from '../../search/samplers.js'

/** A sampler that learns from results; `random` is one that draws. */
export type LearningSampler = Exclude<PointSamplerName, 'random'>
/** The samplers that learn; told here by name alone, so that whoever offers them need not load them. */
export const learningSamplers: readonly LearningSampler[] = ['tpe', 'gp', 'cma-es', 'nsga2', 'auto']
export const isLearning = (sampler: string): boolean => (learningSamplers as readonly string[]).includes(sampler)

/** What the points of a search are suggested from. */
export interface Learning {
  /** Setting i is suggested from the results of settings 0 to i − `parallel`, and the points of those between. */
  readonly parallel: number
  /** `fixed`: by index, the same whatever ends first. `arrival`: from all that has ended by then, which the journal keeps. */
  readonly order: 'fixed' | 'arrival'
  /** Whether a setting with a trial that failed counts as worse than every other, or teaches nothing. */
  readonly failed: 'worst' | 'ignore'
  /** Settings tried first, each a value of every searched axis. */
  readonly enqueue: readonly Readonly<Record<string, ParamValue>>[]
  /** Earlier sweeps whose results it begins with. */
  readonly learnFrom?: readonly string[]
}

export const learningKeys = ['parallel', 'order', 'failed', 'enqueue', 'learnFrom'] as const

/** A number of the spec, not of the machine: the same suggestions everywhere. */
export const defaultParallel = 8
const maxParallel = 1000
/** The most fresh seeds on which a search's best settings are run again. */
export const maxConfirm = 1000
/** The most earlier sweeps that a search begins with. */
const maxLearnFrom = 100

/**
 * Reads what `search:` says of a sampler that learns.
 * @throws SpaceError, UnknownNameError.
 */
export function parseLearning(
  raw: Readonly<Partial<Record<(typeof learningKeys)[number], unknown>>>,
  axes: readonly string[],
): Learning {
  const { parallel = defaultParallel, order = 'fixed', failed = 'worst', enqueue = [], learnFrom } = raw
  if (!Number.isSafeInteger(parallel) || (parallel as number) < 1 || (parallel as number) > maxParallel)
    throw new SpaceError(
      `search: parallel: ${quoteInput(parallel)} is not a number of settings (an integer from 1 to ${maxParallel})`,
    )
  return {
    parallel: parallel as number,
    order: oneOf('order', order, ['fixed', 'arrival']),
    failed: oneOf('failed', failed, ['worst', 'ignore']),
    enqueue: (Array.isArray(enqueue) ? (enqueue as unknown[]) : [enqueue]).map((one) => parseEnqueued(one, axes)),
    ...(learnFrom === undefined ? {} : { learnFrom: parseLearnFrom(learnFrom) }),
  }
}

function oneOf<const T extends string>(key: string, value: unknown, known: readonly T[]): T {
  if (typeof value === 'string' && (known as readonly string[]).includes(value)) return value as T
  throw new UnknownNameError(`${key} of search`, String(value), known)
}

/** @throws SpaceError for what is no list of names, each once. */
function parseLearnFrom(raw: unknown): readonly string[] {
  const written = Array.isArray(raw) ? (raw as unknown[]) : [raw]
  const names = written.filter((name): name is string => typeof name === 'string' && name !== '')
  const strange = written.find((name) => typeof name !== 'string' || name === '')
  if (names.length < Math.max(1, written.length))
    throw new SpaceError(
      `search: learnFrom: ${quoteInput(strange ?? raw)} is not the name of a sweep (mlds list shows them)`,
    )
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new SpaceError(`search: learnFrom: ${twice} is there twice (leave one out)`)
  if (names.length > maxLearnFrom)
    throw new SpaceError(`search: learnFrom: ${names.length} sweeps (at most ${maxLearnFrom})`)
  return names
}

/** Each axis of a setting has a value: nothing else would say what the others are. */
function parseEnqueued(raw: unknown, axes: readonly string[]): Readonly<Record<string, ParamValue>> {
  if (!isMapping(raw))
    throw new SpaceError(`search: enqueue: ${quoteInput(raw)} is not a setting (such as {${axes[0]!}: …})`)
  for (const name of Object.keys(raw)) if (!axes.includes(name)) throw new UnknownNameError('searched axis', name, axes)
  const missing = axes.find((name) => !Object.hasOwn(raw, name))
  if (missing !== undefined)
    throw new SpaceError(`search: enqueue: ${quoteInput(raw)} lacks ${missing} (give every searched axis a value)`)
  return raw as Readonly<Record<string, ParamValue>>
}
