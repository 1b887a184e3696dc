import { quoteInput } from '../../core/quote-input.js'
import { flatten } from '../../core/flatten.js'
import { isMapping } from '../../core/is-mapping.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { isLearning, learningKeys, learningSamplers, parseLearning, type Learning } from './learning.js'
import { latinHypercube } from './samplers/latin-hypercube.js'
import { randomPoints } from './samplers/random.js'
import { sobol } from './samplers/sobol.js'
import { isRange } from './nested.js'
import { parseSampledAxis, valueAt, type SampledAxis } from './sampled-axis.js'
import { newestLanguage, type Language } from './language.js'
import type { Reading } from './values.js'

/** `count` points of the unit cube, `[count][dimensions]`, each in [0, 1), the same for the same seed. */
export type Sampler = (count: number, dimensions: number, seed: number) => number[][]

/** The samplers that draw all points before the first trial: one file, and one row here. */
export const samplers = { random: randomPoints, 'latin-hypercube': latinHypercube, sobol } satisfies Record<
  string,
  Sampler
>
export type SamplerName = keyof typeof samplers
const maxCount = 1_000_000
export const samplerNames = Object.keys(samplers) as readonly SamplerName[]

/** Points to try instead of a grid: `count` of them, the same for the same seed. */
export interface Search {
  /** A row of the table of samplers, or of those that learn (src/search/sampler.ts). */
  readonly sampler: string
  readonly count: number
  readonly seed: number
  readonly axes: Readonly<Record<string, SampledAxis>>
  /** Of a sampler that learns: what each point is suggested from. */
  readonly learning?: Learning
}

/** Samplers that draw points one by one: more of them begin with the same. */
const isDrawnOn = (sampler: string): boolean => sampler !== 'latin-hypercube'
/** How many times `count` points are drawn at most until so many are different. */
const maxDraws = 20

/**
 * The raw values of each point, in order; to be checked against the experiment's axes. A point that was drawn before is drawn
 * anew (not so in the first two languages), so that there are `count` where the axes have as many.
 */
export function samplePoints(
  { sampler, count, seed, axes }: Search,
  known: Readonly<Record<string, Sampler>> = samplers,
  language: Language = newestLanguage,
): Record<string, unknown>[] {
  const names = Object.keys(axes)
  const draw = (much: number): Record<string, unknown>[] =>
    known[sampler]!(much, names.length, seed).map((point) =>
      Object.fromEntries(names.map((name, k) => [name, valueAt(axes[name]!, point[k]!, language)])),
    )
  const drawn = draw(count)
  if (language < 3) return drawn
  const most = isDrawnOn(sampler) ? Math.min(maxDraws * count, maxCount) : count
  const different = (rows: typeof drawn): typeof drawn => [
    ...new Map(rows.map((row) => [JSON.stringify(Object.values(row)), row])).values(),
  ]
  let found = different(drawn)
  for (let much = count; found.length < count && much < most;)
    found = different(draw((much = Math.min(most, 2 * much))))
  return found.slice(0, count)
}

/** Reads a `search:` block. @throws SpaceError, UnknownNameError. */
export function parseSearch(
  raw: unknown,
  known: Readonly<Record<string, Sampler>> = samplers,
  reading: Reading = { language: newestLanguage },
): Search {
  if (!isMapping(raw)) throw new SpaceError('search: a mapping (sampler, count, axes)')
  const { axes, ...how } = raw
  if (!isMapping(axes) || Object.keys(axes).length === 0)
    throw new SpaceError('search: axes: missing (such as axes: {learningRate: {log: [1e-4, 1e-1]}})')
  const entries = Object.entries(flatten('search', axes, isRange)).map(
    ([name, value]) => [name, parseSampledAxis(name, value, reading)] as const,
  )
  return searchOf(Object.fromEntries(entries), how, known)
}

/** A search of these axes, and how it goes, as it was written. @throws SpaceError, UnknownNameError. */
export function searchOf(
  axes: Search['axes'],
  { sampler = 'random', count, seed = 0, ...others }: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, Sampler>> = samplers,
): Search {
  const isDrawn = typeof sampler === 'string' && Object.hasOwn(known, sampler)
  if (typeof sampler !== 'string' || !(isDrawn || isLearning(sampler)))
    throw new UnknownNameError('sampler', String(sampler), [...Object.keys(known), ...learningSamplers])
  refuseStrange(others, sampler, isDrawn)
  if (!Number.isSafeInteger(count) || (count as number) < 1 || (count as number) > maxCount)
    throw new SpaceError(
      `search: count: ${quoteInput(count)} is not a number of points (an integer from 1 to ${maxCount})`,
    )
  if (!Number.isSafeInteger(seed) || (seed as number) < 0)
    throw new SpaceError(`search: seed: ${quoteInput(seed)} is not a seed (an integer of at least 0)`)
  return {
    ...{ sampler, count: count as number, seed: seed as number, axes },
    ...(isDrawn ? {} : { learning: parseLearning(others, Object.keys(axes)) }),
  }
}

function refuseStrange(others: Readonly<Record<string, unknown>>, sampler: string, isDrawn: boolean): void {
  const plain = ['sampler', 'count', 'seed', 'axes']
  for (const key of Object.keys(others)) {
    if (!(learningKeys as readonly string[]).includes(key))
      throw new UnknownNameError('key of search', key, isDrawn ? plain : [...plain, ...learningKeys])
    if (isDrawn)
      throw new SpaceError(
        `search: ${key}: ${sampler} draws all points before the first trial, and learns nothing (use ${learningSamplers.join(', ')}, or leave it out)`,
      )
  }
}
