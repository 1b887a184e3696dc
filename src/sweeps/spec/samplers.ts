import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { Random } from '../../core/seed.js'
import { isMapping } from './mapping.js'

export const samplerNames = ['random', 'latin-hypercube', 'sobol'] as const
export type SamplerName = (typeof samplerNames)[number]

/** Where an axis is drawn from: an interval, evenly or evenly in the logarithm, of numbers or integers; or a list. */
export type SampledAxis =
  | { readonly kind: 'uniform' | 'log' | 'int' | 'log-int'; readonly low: number; readonly high: number }
  | { readonly kind: 'choice'; readonly values: readonly unknown[] }

/** Points to try instead of a grid: `count` of them, the same for the same seed. */
export interface Search {
  readonly sampler: SamplerName
  readonly count: number
  readonly seed: number
  readonly axes: Readonly<Record<string, SampledAxis>>
}

/** The raw values of each point, in order; to be checked against the experiment's axes. */
export function samplePoints({ sampler, count, seed, axes }: Search): Record<string, unknown>[] {
  const names = Object.keys(axes)
  return unitPoints(sampler, count, names.length, seed).map((point) =>
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

/** `count` points of the unit cube, `[count][dimensions]`, each in [0, 1). */
export function unitPoints(sampler: SamplerName, count: number, dimensions: number, seed: number): number[][] {
  switch (sampler) {
    case 'random': {
      const random = new Random(seed, 'random-search')
      return Array.from({ length: count }, () => Array.from({ length: dimensions }, () => random.uniform()))
    }
    case 'latin-hypercube':
      return latinHypercube(count, dimensions, seed)
    case 'sobol':
      return sobol(count, dimensions, seed)
  }
}

/** McKay, Beckman and Conover 1979: along each axis, each of `count` equal intervals holds exactly one point. */
function latinHypercube(count: number, dimensions: number, seed: number): number[][] {
  const random = new Random(seed, 'latin-hypercube')
  const columns = Array.from({ length: dimensions }, () =>
    Array.from(random.permutation(count), (interval) => (interval + random.uniform()) / count),
  )
  return Array.from({ length: count }, (_, i) => columns.map((column) => column[i]!))
}

/**
 * Primitive polynomials and initial direction numbers of dimensions 2 to 20 (Joe and Kuo 2008, new-joe-kuo-6.21201):
 * degree, coefficients, m₁ … m_degree.
 */
const joeKuo: readonly (readonly [number, number, readonly number[]])[] = [
  [1, 0, [1]],
  [2, 1, [1, 3]],
  [3, 1, [1, 3, 1]],
  [3, 2, [1, 1, 1]],
  [4, 1, [1, 1, 3, 3]],
  [4, 4, [1, 3, 5, 13]],
  [5, 2, [1, 1, 5, 5, 17]],
  [5, 4, [1, 1, 5, 5, 5]],
  [5, 7, [1, 1, 7, 11, 19]],
  [5, 11, [1, 1, 5, 1, 1]],
  [5, 13, [1, 1, 1, 3, 11]],
  [5, 14, [1, 3, 5, 5, 31]],
  [6, 1, [1, 3, 3, 9, 7, 49]],
  [6, 13, [1, 1, 1, 15, 21, 21]],
  [6, 16, [1, 3, 1, 13, 27, 49]],
  [6, 19, [1, 1, 1, 15, 7, 5]],
  [6, 22, [1, 3, 1, 15, 13, 25]],
  [6, 25, [1, 1, 5, 5, 19, 61]],
  [7, 1, [1, 3, 7, 11, 23, 15, 103]],
]
const bits = 30

/**
 * Sobol' points (1967) by Gray code (Antonov and Saleev 1979), moved as a whole by a random shift of the seed
 * (Cranley and Patterson 1976); seed 0 leaves them where they are.
 * @throws SpaceError beyond 20 dimensions.
 */
function sobol(count: number, dimensions: number, seed: number): number[][] {
  if (dimensions > joeKuo.length + 1)
    throw new SpaceError(`sobol: ${dimensions} axes (at most ${joeKuo.length + 1}; use latin-hypercube)`)
  const random = new Random(seed, 'sobol')
  const shift = Array.from({ length: dimensions }, () => (seed === 0 ? 0 : random.uniform()))
  const directions = Array.from({ length: dimensions }, (_, k) => directionNumbers(k))
  const state = new Array<number>(dimensions).fill(0)
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) {
      const changing = trailingZeros(i)
      for (let k = 0; k < dimensions; k++) state[k]! ^= directions[k]![changing]!
    }
    return state.map((value, k) => (value / 2 ** bits + shift[k]!) % 1)
  })
}

function directionNumbers(dimension: number): number[] {
  if (dimension === 0) return Array.from({ length: bits }, (_, i) => 2 ** (bits - 1 - i))
  const [degree, coefficients, initial] = joeKuo[dimension - 1]!
  const v: number[] = []
  for (let i = 0; i < bits; i++) {
    if (i < degree) v.push(initial[i]! * 2 ** (bits - 1 - i))
    else {
      let value = v[i - degree]! ^ (v[i - degree]! >>> degree)
      for (let k = 1; k < degree; k++) if ((coefficients >> (degree - 1 - k)) & 1) value ^= v[i - k]!
      v.push(value)
    }
  }
  return v
}

/** Of i ≥ 1: which direction the i-th Gray code changes. */
function trailingZeros(i: number): number {
  return 31 - Math.clz32(i & -i)
}

/** Reads a `search:` block. @throws SpaceError, UnknownNameError. */
export function parseSearch(raw: unknown): Search {
  if (!isMapping(raw)) throw new SpaceError('search: a mapping (sampler, count, axes)')
  const { sampler = 'random', count, seed = 0, axes, ...others } = raw
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of search', unknown, ['sampler', 'count', 'seed', 'axes'])
  if (typeof sampler !== 'string' || !(samplerNames as readonly string[]).includes(sampler))
    throw new UnknownNameError('sampler', String(sampler), samplerNames)
  if (!Number.isSafeInteger(count) || (count as number) < 1 || (count as number) > 1_000_000)
    throw new SpaceError(
      `search: count: ${JSON.stringify(count)} is not a number of points (an integer from 1 to 1000000)`,
    )
  if (!Number.isSafeInteger(seed) || (seed as number) < 0)
    throw new SpaceError(`search: seed: ${JSON.stringify(seed)} is not a seed (an integer of at least 0)`)
  if (!isMapping(axes) || Object.keys(axes).length === 0)
    throw new SpaceError('search: axes: missing (such as axes: {learningRate: {log: [1e-4, 1e-1]}})')
  return {
    sampler: sampler as SamplerName,
    count: count as number,
    seed: seed as number,
    axes: Object.fromEntries(Object.entries(axes).map(([name, value]) => [name, parseSampledAxis(name, value)])),
  }
}

const kinds = ['uniform', 'log', 'int', 'log-int', 'choice'] as const

function parseSampledAxis(name: string, raw: unknown): SampledAxis {
  if (Array.isArray(raw) && raw.length > 0) return { kind: 'choice', values: raw as unknown[] }
  const [kind, ...others] = isMapping(raw) ? Object.keys(raw) : []
  if (kind === undefined || others.length > 0)
    throw new SpaceError(
      `search: ${name}: ${JSON.stringify(raw)} is not a range (one of {uniform: [low, high]}, {log: […]}, {int: […]}, {log-int: […]}, or a list of values)`,
    )
  if (!(kinds as readonly string[]).includes(kind)) throw new UnknownNameError(`range of ${name}`, kind, kinds)
  const given = (raw as Readonly<Record<string, unknown>>)[kind]
  if (kind === 'choice') {
    if (!Array.isArray(given) || given.length === 0) throw new SpaceError(`search: ${name}: choice has no values`)
    return { kind, values: given as unknown[] }
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
