import { quoteInput } from '../../core/quote-input.js'
import { isMapping } from '../../core/is-mapping.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import type { Language } from './language.js'
import { expandValues } from './values.js'

/** One list moves all four seeds together; a mapping sets them apart, crossing those that have several values. */
export type SeedsSpec = readonly number[] | Readonly<Partial<Record<SeedName, readonly number[]>>>
export const seedNames = ['data', 'init', 'shuffle', 'corruption'] as const
export type SeedName = (typeof seedNames)[number]

/** `repeat: 5` is seeds 0 to 4: equal points with equal seeds would be one and the same trial. */
export function parseRepeat(raw: unknown): SeedsSpec {
  if (!Number.isSafeInteger(raw) || (raw as number) < 1 || (raw as number) > 100_000)
    throw new SpaceError(`repeat: ${quoteInput(raw)} is not a number of repeats (an integer from 1 to 100000)`)
  return Array.from({ length: raw as number }, (_, seed) => seed)
}

export function parseSeeds(raw: unknown, language: Language): SeedsSpec {
  if (isMapping(raw)) {
    if (!['range', 'linspace', 'logspace'].includes(Object.keys(raw)[0] ?? '')) {
      return Object.fromEntries(
        Object.entries(raw).map(([name, values]) => {
          if (!isSeedName(name)) throw new UnknownNameError('seed', name, seedNames)
          return [name, parseSeedList(values, language)]
        }),
      )
    }
  }
  return parseSeedList(raw, language)
}

export function parseSeedList(raw: unknown, language: Language): number[] {
  return expandValues('seed', raw, { language }).map((value) => {
    const seed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (!Number.isSafeInteger(seed) || (seed as number) < 0) {
      throw new SpaceError(`seed: ${quoteInput(value)} is not a seed (an integer of at least 0)`)
    }
    return seed as number
  })
}

export function isSeedName(name: string): name is SeedName {
  return (seedNames as readonly string[]).includes(name)
}

export function isTogether(seeds: SeedsSpec): seeds is readonly number[] {
  return Array.isArray(seeds)
}
