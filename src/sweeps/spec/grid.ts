import { quoteInput } from '../../core/quote-input.js'
import { flatten } from '../../core/flatten.js'
import { isMapping } from '../../core/is-mapping.js'
import { SpaceError, UnknownNameError, writtenAt } from '../../core/errors.js'
import { parseExpression } from '../../core/parse-expression.js'
import { isBounds, isSetOfValues } from './nested.js'
import { expandValues, type Reading } from './values.js'

type Mapping = Readonly<Record<string, unknown>>

/** Points by what a person wrote of them, before it is checked against an experiment. */
export interface Grid {
  /** Values per axis, raw. `stage.axis` addresses an axis of a later stage. */
  readonly axes: Readonly<Record<string, readonly unknown[]>>
  /** Axes whose value follows from the others' at each point: an expression each. */
  readonly derived?: Readonly<Record<string, string>>
  /** Axes that advance together, group by group: lists of one length. */
  readonly zip?: readonly Readonly<Record<string, readonly unknown[]>>[]
  /** Settings one by one, each a value of some axes; the others keep their values. */
  readonly points?: readonly Mapping[]
  /** A baseline, and values that its axes take one axis at a time. */
  readonly around?: Around
  /** An axis that matters only where others have these values; elsewhere it keeps its default. */
  readonly when?: Readonly<Record<string, Pattern>>
  /** Points left out: those that fit any of these. */
  readonly exclude?: readonly Pattern[]
  /** Expressions that a point must fulfil, all of them. */
  readonly where?: readonly string[]
}

export interface Around {
  readonly baseline: Mapping
  readonly vary: Readonly<Record<string, readonly unknown[]>>
}

/** What a point must be like, axis by axis. */
export type Pattern = Readonly<Record<string, Matcher>>
export type Matcher = readonly unknown[] | { readonly min?: number; readonly max?: number }

/** What a block may say, as a sweep file does. */
export const gridKeys = ['axes', 'zip', 'points', 'around', 'when', 'exclude', 'where'] as const

/** Reads `blocks:`. @throws SpaceError, UnknownNameError, with the path from there. */
export function parseBlocks(raw: unknown, reading: Reading): Grid[] {
  return listOf('blocks', raw).map((block, i) =>
    writtenAt([i], () => {
      const written = mapping('blocks', block)
      const strange = Object.keys(written).find((key) => !(gridKeys as readonly string[]).includes(key))
      if (strange !== undefined) throw new UnknownNameError('key of a block', strange, gridKeys)
      if (Object.keys(written).length === 0)
        throw new SpaceError('blocks: a block is empty (such as {axes: {width: [8, 16]}})')
      return parseBlock(written, reading)
    }),
  )
}

function parseBlock(written: Mapping, reading: Reading): Grid {
  const part = <T>(key: (typeof gridKeys)[number], read: (raw: unknown, reading: Reading) => T): Record<string, T> =>
    written[key] === undefined ? {} : { [key]: writtenAt([key], () => read(written[key], reading)) }
  const { axes, derived } = writtenAt(['axes'], () =>
    splitDerived(flatten('axes', written['axes'] === undefined ? {} : mapping('axes', written['axes']), isSetOfValues)),
  )
  const values = Object.entries(axes).map(
    ([name, raw]) => [name, writtenAt(['axes', name], () => expandValues(name, raw, reading))] as const,
  )
  return {
    axes: Object.fromEntries(values),
    ...(Object.keys(derived).length === 0 ? {} : { derived }),
    ...part('zip', parseZip),
    ...part('points', parsePoints),
    ...part('around', parseAround),
    ...part('when', parseWhen),
    ...part('exclude', parseExclude),
    ...part('where', parseWhere),
  }
}

/** Axes with values, and those whose value is an expression (`{expr: …}`). */
export function splitDerived(axes: Mapping): { axes: Mapping; derived: Record<string, string> } {
  const [listed, derived]: [[string, unknown][], [string, string][]] = [[], []]
  for (const [name, raw] of Object.entries(axes))
    if (isExpression(raw)) derived.push([name, writtenAt(['axes', name], () => readExpr(name, raw))])
    else listed.push([name, raw])
  return { axes: Object.fromEntries(listed), derived: Object.fromEntries(derived) }
}

export const isExpression = (raw: unknown): raw is Mapping => isMapping(raw) && Object.hasOwn(raw, 'expr')

/** The expression of `{expr: …}`. @throws SpaceError. */
export function readExpr(name: string, { expr, ...others }: Mapping): string {
  if (typeof expr !== 'string' || Object.keys(others).length > 0)
    throw new SpaceError(`${name}: expr is a text and stands alone (such as {expr: '0.1 * batch / 256'})`)
  parseExpression(expr)
  return expr
}

/** Reads `points:`, a table of settings. */
export function parsePoints(raw: unknown, reading: Reading): Mapping[] {
  return listOf('points', raw).map((row, i) => writtenAt([i], () => setting('points', row, reading)))
}

/** Reads `around:`, a baseline and what is varied of it. */
export function parseAround(raw: unknown, reading: Reading): Around {
  const { baseline = {}, vary, ...others } = mapping('around', raw)
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new UnknownNameError('key of around', strange, ['baseline', 'vary'])
  if (vary === undefined) throw new SpaceError('around: vary: missing (such as {vary: {dropout: [0, 0.5]}})')
  const varied = Object.entries(flatten('vary', mapping('vary', vary), isSetOfValues)).map(
    ([name, values]) => [name, writtenAt(['vary', name], () => expandValues(name, values, reading))] as const,
  )
  if (varied.length === 0) throw new SpaceError('around: vary: names no axis (such as {vary: {dropout: [0, 0.5]}})')
  const isEmpty = isMapping(baseline) && Object.keys(baseline).length === 0
  return {
    baseline: isEmpty ? {} : writtenAt(['baseline'], () => setting('baseline', baseline, reading)),
    vary: Object.fromEntries(varied),
  }
}

/** One value of each of some axes, as it is written. */
function setting(where: string, raw: unknown, reading: Reading): Mapping {
  const entries = Object.entries(flatten(where, mapping(where, raw)))
  if (entries.length === 0) throw new SpaceError(`${where}: a setting names no axis (such as {width: 8, batch: 50})`)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, writtenAt([name], () => expandValues(name, [value], reading)[0])]),
  )
}

/** Reads `where:`, an expression or a list of them. */
export function parseWhere(raw: unknown): string[] {
  return listOf('where', raw).map((text, i) =>
    writtenAt([i], () => {
      if (typeof text !== 'string')
        throw new SpaceError(`where: ${quoteInput(text)} is not a text (such as 'width * depth <= 512')`)
      parseExpression(text)
      return text
    }),
  )
}

/** Reads `zip:`, groups of axes that advance together. */
export function parseZip(raw: unknown, reading: Reading): Record<string, unknown[]>[] {
  const groups: unknown[] = Array.isArray(raw) ? raw : [raw]
  return groups.map((group) => {
    const entries = Object.entries(flatten('zip', mapping('zip', group), isSetOfValues)).map(
      ([name, values]) => [name, expandValues(name, values, reading)] as const,
    )
    const [first, ...others] = entries
    if (first === undefined || others.length === 0) throw new SpaceError('zip: a group needs at least two axes')
    for (const [name, values] of others)
      if (values.length !== first[1].length)
        throw new SpaceError(
          `zip: ${first[0]} has ${first[1].length} values and ${name} has ${values.length} (zipped axes have equally many)`,
        )
    return Object.fromEntries(entries)
  })
}

export function parseWhen(raw: unknown, reading: Reading): Record<string, Pattern> {
  return Object.fromEntries(
    Object.entries(mapping('when', raw)).map(([axis, pattern]) => [
      axis,
      parsePattern(`when: ${axis}`, pattern, reading),
    ]),
  )
}

export function parseExclude(raw: unknown, reading: Reading): Pattern[] {
  const patterns: unknown[] = Array.isArray(raw) ? raw : [raw]
  return patterns.map((pattern) => parsePattern('exclude', pattern, reading))
}

function parsePattern(where: string, raw: unknown, reading: Reading): Pattern {
  const entries = Object.entries(flatten(where, mapping(where, raw), isBounds))
  if (entries.length === 0) throw new SpaceError(`${where}: names no axis (such as {optimizer: sgd})`)
  return Object.fromEntries(entries.map(([axis, value]) => [axis, parseMatcher(`${where}: ${axis}`, value, reading)]))
}

function parseMatcher(where: string, raw: unknown, reading: Reading): Matcher {
  if (raw === null && reading.language > 1) return [null]
  if (!isMapping(raw) || !('min' in raw || 'max' in raw)) return expandValues(where, raw, reading)
  const { min, max, ...others } = raw
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError(`bound of ${where}`, unknown, ['min', 'max'])
  for (const bound of [min, max])
    if (bound !== undefined && typeof bound !== 'number')
      throw new SpaceError(`${where}: ${quoteInput(bound)} is not a number`)
  return { ...(min === undefined ? {} : { min: min as number }), ...(max === undefined ? {} : { max: max as number }) }
}

/** The items, also of one that was written without the list around it. */
function listOf(where: string, raw: unknown): unknown[] {
  const items: unknown[] = Array.isArray(raw) ? raw : [raw]
  if (items.length === 0) throw new SpaceError(`${where}: an empty list (leave it out)`)
  return items
}

export function mapping(where: string, raw: unknown): Mapping {
  if (!isMapping(raw)) throw new SpaceError(`${where}: ${quoteInput(raw)} is not a mapping of axes to values`)
  return raw
}
