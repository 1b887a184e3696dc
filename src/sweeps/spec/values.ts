import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, writtenAt } from '../../core/errors.js'
import { integerValue, readWord, valueProblem, writeValue } from '../../core/param-value.js'
import type { ParamValue } from '../../core/trial.js'
import { newestLanguage, type Language } from './language.js'
import { inclusiveRange, isSequence, maxValuesPerAxis, sequences } from './sequences.js'

export interface Reading {
  readonly language: Language
  /** Whether a word without quotes has a kind of its own, as a program's has; else its axis says what it is. Default false. */
  readonly isLiteral?: boolean
}

/**
 * The values a person wrote for one axis, before they are checked against the axis.
 *
 * Text in the place of a list is notation: `8,32,128` · `"a,b",c` (what stands in quotes is a text, a quote in it is doubled) ·
 * `[64,64],[128]` (a list is one value) · `0..4` (both ends, step 1) · `0..1 step 0.25` · `range(start, stop, step)` (stop left out,
 * as in Python) · `linspace(start, stop, count)` · `logspace(start, stop, count)` (both ends are values, not exponents).
 * YAML may give a single value, a list of values, each as it is, or a mapping such as `{logspace: [1e-4, 1e-1, 4]}`.
 *
 * @throws SpaceError when nothing is left, or the notation is not one of these.
 */
export function expandValues(name: string, raw: unknown, reading: Reading = { language: newestLanguage }): unknown[] {
  const values = expand(name, raw, reading)
  if (values.length === 0) throw new SpaceError(`${name}: no values (give at least one, such as ${name}=1,2,3)`)
  if (values.length > maxValuesPerAxis) {
    throw new SpaceError(`${name}: ${values.length} values (at most ${maxValuesPerAxis})`)
  }
  return values
}

function expand(name: string, raw: unknown, reading: Reading): unknown[] {
  if (raw === null || raw === undefined) return []
  if (Array.isArray(raw)) {
    if (reading.language > 1) return literalValues(name, raw as unknown[])
    return (raw as unknown[]).flatMap((item) => (typeof item === 'string' ? expandText(name, item, reading) : [item]))
  }
  if (typeof raw === 'string') return expandText(name, raw, reading)
  if (typeof raw === 'object') return expandMapping(name, raw as Record<string, unknown>, reading)
  return reading.language > 1 ? literalValues(name, [raw]) : [raw]
}

/**
 * The items of a list, each as it is.
 * @throws SpaceError for what is no value, or was meant as notation; its path is the item's place in the list.
 */
export function literalValues(name: string, items: readonly unknown[]): ParamValue[] {
  for (const [i, item] of items.entries()) writtenAt([i], () => checkItem(name, item, items))
  return items as ParamValue[]
}

function checkItem(name: string, item: unknown, items: readonly unknown[]): void {
  const problem = valueProblem(item)
  if (problem !== undefined)
    throw new SpaceError(`${name}: ${typeof item === 'number' ? item : JSON.stringify(item)} ${problem}`)
  if (!isNotation(item)) return
  const whole = (write: (item: ParamValue) => string): string =>
    quoted(items.map((value) => (isNotation(value) ? write(value) : writeValue(value as ParamValue))).join(','))
  throw new SpaceError(
    `${name}: ${item} is a set of values, and each item of a list is one value (for the set write ${name}: ${whole(String)}, for the text ${name}: ${whole(writeValue)})`,
  )
}

/** As YAML takes it for one text, wherever it stands. */
const quoted = (text: string): string =>
  /[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text) ? JSON.stringify(text) : `'${text.replaceAll("'", "''")}'`

/** A text that names several values where it stands in the place of a list. */
export function isNotation(item: unknown): item is string {
  return typeof item === 'string' && sequenceIn(item) !== undefined
}

function expandMapping(name: string, mapping: Record<string, unknown>, reading: Reading): unknown[] {
  const [kind, ...others] = Object.keys(mapping)
  const rawArguments = kind === undefined ? undefined : mapping[kind]
  if (kind === undefined || others.length > 0 || !isSequence(kind) || !Array.isArray(rawArguments)) {
    throw new SpaceError(
      `${name}: ${quoteInput(mapping)} is not a set of values (one of {range: [start, stop, step]}, {linspace: [start, stop, count]}, {logspace: [start, stop, count]})`,
    )
  }
  return expandSequence(name, { kind, args: rawArguments.map(String) }, reading)
}

/** A set of values by its ends, as it was written. */
interface Sequence {
  readonly kind: keyof typeof sequences | '..'
  readonly args: readonly string[]
}

const call = /^([a-z]+)\s*\(([^)]*)\)$/
const inclusive = /^(-?[\d.]+(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)(?:\s+step\s+([\d.]+(?:e-?\d+)?))?$/i

function sequenceIn(part: string): Sequence | undefined {
  const called = call.exec(part)
  if (called !== null && isSequence(called[1]!)) return { kind: called[1], args: called[2]!.split(',') }
  const dotted = inclusive.exec(part)
  return dotted === null ? undefined : { kind: '..', args: [dotted[1]!, dotted[2]!, dotted[3] ?? '1'] }
}

function expandSequence(name: string, { kind, args }: Sequence, { language }: Reading): unknown[] {
  const numbers = args.map(Number)
  const values =
    kind === '..'
      ? inclusiveRange(name, numbers as [number, number, number], language)
      : sequences[kind](name, numbers, language)
  const isWhole = (kind === '..' || kind === 'range') && args.every((arg) => /^\s*[-+]?\d+\s*$/.test(arg))
  if (language === 1 || !isWhole) return values
  // Integers keep all their digits; how many there are, numbers have told.
  const [start, end, step = 1n] = args.map((arg) => BigInt(arg.trim().replace(/^\+/, '')))
  const [from, by] =
    kind === '..' ? [start!, end! < start! ? -step : step] : end === undefined ? [0n, 1n] : [start!, step]
  const stop = end ?? start!
  const count = kind === '..' ? Number((stop - from) / by) + 1 : stepsBefore(stop - from, by)
  return Array.from({ length: count }, (_, i) => integerValue(from + BigInt(i) * by))
}

/** How many multiples of `by`, from 0 on, lie before `stop`. */
function stepsBefore(stop: bigint, by: bigint): number {
  const steps = stop / by + (stop % by === 0n ? 0n : 1n)
  return stop > 0n === by > 0n && stop !== 0n ? Number(steps) : 0
}

function expandText(name: string, text: string, reading: Reading): unknown[] {
  const { language, isLiteral = false } = reading
  return splitValues(text, language).flatMap((part): unknown[] => {
    if (quotedValue(language).test(part)) return [language === 1 ? part.slice(1, -1) : unquoted(part)]
    const sequence = sequenceIn(part)
    if (sequence !== undefined) return expandSequence(name, sequence, reading)
    if (part === '') return []
    if (language > 1) refuseHalfSaid(name, part)
    return language > 1 && isLiteral ? literalValues(name, [readPart(name, part)]) : [part]
  })
}

/** One value without quotes around it. A list holds values of every kind, also lists. */
function readPart(name: string, part: string): ParamValue {
  if (!isBracketed(part)) return readWord(part)
  const items = splitValues(part.slice(1, -1), newestLanguage)
  if (items.length === 1 && items[0] === '') return []
  return items.map((item) => {
    if (item === '') throw new SpaceError(`${name}: ${part} has an item that is nothing (for an empty text write "")`)
    if (quotedValue(newestLanguage).test(item)) return unquoted(item)
    refuseOpenQuote(name, item)
    return readPart(name, item)
  })
}

/** @throws SpaceError for a part that begins as more than a word and does not end so, or is a range of a search. */
function refuseHalfSaid(name: string, part: string): void {
  refuseOpenQuote(name, part)
  const [, kind, within] = rangeCall.exec(part) ?? []
  if (kind !== undefined)
    throw new SpaceError(
      `${name}: ${part} is a range, from which a search draws (write search: {axes: {${name}: {${kind}: [${within!.trim()}]}}}; for the text itself ${writeValue(part)})`,
    )
  const open = openCall.exec(part)?.[0]
  if (open !== undefined)
    throw new SpaceError(`${name}: ${open} is not closed: ${part} (for the text itself write ${writeValue(part)})`)
  let depth = 0
  for (const { character, isQuoted } of characters(part, newestLanguage)) {
    if (!isQuoted) depth += character === '[' ? 1 : character === ']' ? -1 : 0
    if (depth < 0) break
  }
  if (depth === 0) return
  const problem = depth > 0 ? 'a [ is not closed' : 'a ] closes nothing'
  throw new SpaceError(`${name}: ${problem}: ${part} (for the text itself write ${writeValue(part)})`)
}

/** A set of values or a range whose numbers go on to the end. */
const openCall = /^(?:range|linspace|logspace|uniform|log|int|log-int|normal|log-normal)\s*\((?=[-+\d.eE,\s]*$)/

/** A range of a search as one would call it, with two numbers. */
const rangeCall = /^(uniform|log|int|log-int|normal|log-normal)\s*\(\s*([-+\d.eE]+\s*,\s*[-+\d.eE]+\s*)\)$/

function refuseOpenQuote(name: string, part: string): void {
  const quote = part[0]!
  if (quote !== '"' && quote !== "'") return
  throw new SpaceError(
    `${name}: a text in quotes ends with the quote that begins it: ${part} (for a quote that is a letter write ${writeValue(part)})`,
  )
}

/** Whether the bracket that begins it is closed by the one that ends it. */
function isBracketed(part: string): boolean {
  if (!part.startsWith('[') || !part.endsWith(']')) return false
  let depth = 0
  let at = 0
  for (const { character, isQuoted } of characters(part, newestLanguage)) {
    at += character.length
    if (!isQuoted) depth += character === '[' ? 1 : character === ']' ? -1 : 0
    if (depth === 0 && at < part.length) return false
  }
  return depth === 0
}

/** Quotes hold a value together where they begin and end it; elsewhere they are letters. */
const quotedValue = (language: Language): RegExp =>
  language === 1 ? /^(["']).*\1$/s : /^(?:"(?:[^"]|"")*"|'(?:[^']|'')*')$/
const quotedAhead = (language: Language): RegExp =>
  language === 1 ? /^\s*(?:"[^"]*"|'[^']*')\s*(?=,|$)/ : /^\s*(?:"(?:[^"]|"")*"|'(?:[^']|'')*')\s*(?=[,\]]|$)/

function unquoted(part: string): string {
  const quote = part[0]!
  return part.slice(1, -1).replaceAll(quote + quote, quote)
}

/** What it is made of, one by one; a value in quotes is one. */
function* characters(text: string, language: Language): Generator<{ character: string; isQuoted: boolean }> {
  let isBegin = true
  for (let at = 0; at < text.length; at++) {
    const ahead: string | undefined = isBegin ? quotedAhead(language).exec(text.slice(at))?.[0] : undefined
    const character: string = ahead ?? text[at]!
    yield { character, isQuoted: ahead !== undefined }
    if (ahead !== undefined) at += ahead.length - 1
    isBegin =
      ahead === undefined &&
      (character === ',' || (language > 1 && character === '[') || (isBegin && character.trim() === ''))
  }
}

/** Split at commas outside parentheses, brackets and quotes. */
function splitValues(text: string, language: Language): string[] {
  const [open, close] = language === 1 ? ['(', ')'] : ['([', ')]']
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const { character, isQuoted } of characters(text, language)) {
    if (!isQuoted && open.includes(character)) depth++
    if (!isQuoted && close.includes(character)) depth--
    if (character === ',' && depth === 0) {
      parts.push(part.trim())
      part = ''
    } else part += character
  }
  return [...parts, part.trim()]
}
