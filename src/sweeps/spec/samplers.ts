import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { isMapping } from './mapping.js'
import { latinHypercube } from './samplers/latin-hypercube.js'
import { randomPoints } from './samplers/random.js'
import { sobol } from './samplers/sobol.js'
import { expandValues, literalValues, newestLanguage, type Reading } from './values.js'

/** `count` points of the unit cube, `[count][dimensions]`, each in [0, 1), the same for the same seed. */
export type Sampler = (count: number, dimensions: number, seed: number) => number[][]

/** The samplers that `search` knows: one file, and one row here. */
export const samplers = { random: randomPoints, 'latin-hypercube': latinHypercube, sobol } satisfies Record<
  string,
  Sampler
>
export type SamplerName = keyof typeof samplers
export const samplerNames = Object.keys(samplers) as readonly SamplerName[]

/** Where an axis is drawn from: an interval, evenly or evenly in the logarithm, of numbers or integers; or a list. */
export type SampledAxis =
  | { readonly kind: 'uniform' | 'log' | 'int' | 'log-int'; readonly low: number; readonly high: number }
  | { readonly kind: 'choice'; readonly values: readonly unknown[] }

/** Points to try instead of a grid: `count` of them, the same for the same seed. */
export interface Search {
  /** A row of the table of samplers. */
  readonly sampler: string
  readonly count: number
  readonly seed: number
  readonly axes: Readonly<Record<string, SampledAxis>>
}

/** The raw values of each point, in order; to be checked against the experiment's axes. */
export function samplePoints(
  { sampler, count, seed, axes }: Search,
  known: Readonly<Record<string, Sampler>> = samplers,
): Record<string, unknown>[] {
  const names = Object.keys(axes)
  return known[sampler]!(count, names.length, seed).map((point) =>
    Object.fromEntries(names.map((name, k) => [name, valueAt(axes[name]!, point[k]!)])),
  )
}

/** The value at u ∈ [0, 1) of an axis; six digits, so that a value reads well and is the same on every machine. */
function valueAt(axis: SampledAxis, u: number): unknown {
  if (axis.kind === 'choice') return axis.values[Math.floor(u * axis.values.length)]
  const { kind, low, high } = axis
  switch (kind) {
    case 'uniform':
      return Number((low + u * (high - low)).toPrecision(6))
    case 'log':
      return Number((low * Math.exp(u * Math.log(high / low))).toPrecision(6))
    case 'int':
      return Math.min(high, low + Math.floor(u * (high - low + 1)))
    case 'log-int':
      return Math.min(high, Math.floor(low * Math.exp(u * Math.log((high + 1) / low)) + 1e-9))
  }
}

/** Reads a `search:` block. @throws SpaceError, UnknownNameError. */
export function parseSearch(
  raw: unknown,
  known: Readonly<Record<string, Sampler>> = samplers,
  reading: Reading = { language: newestLanguage },
): Search {
  if (!isMapping(raw)) throw new SpaceError('search: a mapping (sampler, count, axes)')
  const { sampler = 'random', count, seed = 0, axes, ...others } = raw
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of search', unknown, ['sampler', 'count', 'seed', 'axes'])
  if (typeof sampler !== 'string' || !Object.hasOwn(known, sampler))
    throw new UnknownNameError('sampler', String(sampler), Object.keys(known))
  if (!Number.isSafeInteger(count) || (count as number) < 1 || (count as number) > 1_000_000)
    throw new SpaceError(
      `search: count: ${JSON.stringify(count)} is not a number of points (an integer from 1 to 1000000)`,
    )
  if (!Number.isSafeInteger(seed) || (seed as number) < 0)
    throw new SpaceError(`search: seed: ${JSON.stringify(seed)} is not a seed (an integer of at least 0)`)
  if (!isMapping(axes) || Object.keys(axes).length === 0)
    throw new SpaceError('search: axes: missing (such as axes: {learningRate: {log: [1e-4, 1e-1]}})')
  return {
    sampler,
    count: count as number,
    seed: seed as number,
    axes: Object.fromEntries(
      Object.entries(axes).map(([name, value]) => [name, parseSampledAxis(name, value, reading)]),
    ),
  }
}

const kinds = ['uniform', 'log', 'int', 'log-int', 'choice'] as const

function parseSampledAxis(name: string, raw: unknown, reading: Reading): SampledAxis {
  const choice = (values: unknown[]): SampledAxis => ({
    kind: 'choice',
    values: reading.language === 1 ? values : literalValues(name, values),
  })
  if (typeof raw === 'string' && reading.language > 1)
    return { kind: 'choice', values: expandValues(name, raw, reading) }
  if (Array.isArray(raw) && raw.length > 0) return choice(raw as unknown[])
  const [kind, ...others] = isMapping(raw) ? Object.keys(raw) : []
  if (kind === undefined || others.length > 0)
    throw new SpaceError(
      `search: ${name}: ${JSON.stringify(raw)} is not a range (one of {uniform: [low, high]}, {log: […]}, {int: […]}, {log-int: […]}, or a list of values)`,
    )
  if (!(kinds as readonly string[]).includes(kind)) throw new UnknownNameError(`range of ${name}`, kind, kinds)
  const given = (raw as Readonly<Record<string, unknown>>)[kind]
  if (kind === 'choice') {
    if (!Array.isArray(given) || given.length === 0) throw new SpaceError(`search: ${name}: choice has no values`)
    return choice(given as unknown[])
  }
  const [low, high] = Array.isArray(given) && given.length === 2 ? given.map(Number) : [NaN, NaN]
  const right = Number.isFinite(low) && Number.isFinite(high) && low! < high!
  const whole = !kind.endsWith('int') || (Number.isSafeInteger(low) && Number.isSafeInteger(high))
  if (!right || !whole || (kind.startsWith('log') && low! <= 0))
    throw new SpaceError(
      `search: ${name}: ${JSON.stringify(given)} is not a range (${kind} wants [low, high]${kind.endsWith('int') ? ', integers' : ''}, low below high${kind.startsWith('log') ? ', both above 0' : ''})`,
    )
  return { kind: kind as 'uniform' | 'log' | 'int' | 'log-int', low: low!, high: high! }
}
