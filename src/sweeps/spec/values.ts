import { SpaceError } from '../../core/errors.js'

/** A sweep of more points than this on one axis is taken for a slip of the keyboard. */
export const maxValuesPerAxis = 100_000

/**
 * The values a person wrote for one axis, before they are checked against the axis.
 *
 * Text: `8,32,128` · `"a,b",c` (what stands in quotes is one value, taken as it is) · `0..4` (both ends, step 1) · `0..1 step 0.25` · `range(start, stop, step)` (stop left out, as in
 * Python) · `linspace(start, stop, count)` · `logspace(start, stop, count)` (both ends are values, not exponents).
 * YAML may give a single value, a list of any of these, or a mapping such as `{logspace: [1e-4, 1e-1, 4]}`.
 *
 * @throws SpaceError when nothing is left, or the notation is not one of these.
 */
export function expandValues(name: string, raw: unknown): unknown[] {
  const values = expand(name, raw)
  if (values.length === 0) throw new SpaceError(`${name}: no values (give at least one, such as ${name}=1,2,3)`)
  if (values.length > maxValuesPerAxis) {
    throw new SpaceError(`${name}: ${values.length} values (at most ${maxValuesPerAxis})`)
  }
  return values
}

function expand(name: string, raw: unknown): unknown[] {
  if (raw === null || raw === undefined) return []
  if (Array.isArray(raw))
    return (raw as unknown[]).flatMap((item) => (typeof item === 'string' ? expandText(name, item) : [item]))
  if (typeof raw === 'string') return expandText(name, raw)
  if (typeof raw === 'object') return expandMapping(name, raw as Record<string, unknown>)
  return [raw]
}

function expandMapping(name: string, mapping: Record<string, unknown>): unknown[] {
  const [kind, ...others] = Object.keys(mapping)
  const rawArguments = kind === undefined ? undefined : mapping[kind]
  if (kind === undefined || others.length > 0 || !isSequence(kind) || !Array.isArray(rawArguments)) {
    throw new SpaceError(
      `${name}: ${JSON.stringify(mapping)} is not a set of values (one of {range: [start, stop, step]}, {linspace: [start, stop, count]}, {logspace: [start, stop, count]})`,
    )
  }
  return sequences[kind](name, rawArguments.map(Number))
}

const call = /^([a-z]+)\s*\(([^)]*)\)$/
const inclusive = /^(-?[\d.]+(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)(?:\s+step\s+([\d.]+(?:e-?\d+)?))?$/i

function expandText(name: string, text: string): unknown[] {
  return splitValues(text).flatMap((part): unknown[] => {
    const quoted = quotedValue.exec(part)
    if (quoted !== null) return [quoted[2]]
    const called = call.exec(part)
    if (called !== null && isSequence(called[1]!)) return sequences[called[1]](name, called[2]!.split(',').map(Number))
    const dotted = inclusive.exec(part)
    if (dotted !== null) return inclusiveRange(name, Number(dotted[1]), Number(dotted[2]), Number(dotted[3] ?? 1))
    return part === '' ? [] : [part]
  })
}

/** Quotes hold a value together where they begin and end it; elsewhere they are letters. */
const quotedValue = /^(["'])(.*)\1$/s
const quotedAhead = /^\s*(?:"[^"]*"|'[^']*')\s*(?=,|$)/

/** Split at commas outside parentheses and quotes. */
function splitValues(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (let at = 0; at < text.length; at++) {
    const quoted = part === '' && depth === 0 ? quotedAhead.exec(text.slice(at))?.[0] : undefined
    if (quoted !== undefined) {
      part = quoted
      at += quoted.length - 1
      continue
    }
    const character = text[at]!
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) {
      parts.push(part.trim())
      part = ''
    } else part += character
  }
  return [...parts, part.trim()]
}

const sequences = {
  range(name: string, [start, stop, step = 1, ...rest]: number[]): number[] {
    const [from, to] = stop === undefined ? [0, start] : [start, stop]
    requireNumbers(name, 'range(start, stop, step)', [from, to, step, ...rest], 3)
    if (step === 0) throw new SpaceError(`${name}: a range with step 0 never ends (use a step above or below 0)`)
    const count = Math.max(0, Math.ceil((to! - from!) / step - 1e-9))
    requireCount(name, count, 0)
    return Array.from({ length: count }, (_, i) => clean(from! + i * step))
  },
  linspace(name: string, [start, stop, count, ...rest]: number[]): number[] {
    requireNumbers(name, 'linspace(start, stop, count)', [start, stop, count, ...rest], 3)
    requireCount(name, count!, 1)
    return Array.from({ length: count! }, (_, i) =>
      i === count! - 1 && i > 0 ? stop! : clean(start! + (i * (stop! - start!)) / Math.max(1, count! - 1)),
    )
  },
  logspace(name: string, [start, stop, count, ...rest]: number[]): number[] {
    requireNumbers(name, 'logspace(start, stop, count)', [start, stop, count, ...rest], 3)
    requireCount(name, count!, 1)
    if (start! <= 0 || stop! <= 0) {
      throw new SpaceError(
        `${name}: logspace(${start}, ${stop}, ${count}) needs both ends above 0 (they are values, not exponents)`,
      )
    }
    const ratio = Math.log(stop! / start!)
    return Array.from({ length: count! }, (_, i) =>
      i === 0 ? start! : i === count! - 1 ? stop! : clean(start! * Math.exp((ratio * i) / (count! - 1))),
    )
  },
}

function isSequence(kind: string): kind is keyof typeof sequences {
  return Object.hasOwn(sequences, kind)
}

function inclusiveRange(name: string, start: number, stop: number, step: number): number[] {
  requireNumbers(name, 'start..stop', [start, stop, step], 3)
  if (step <= 0) throw new SpaceError(`${name}: ${start}..${stop} step ${step} never ends (use a step above 0)`)
  const count = Math.floor(Math.abs(stop - start) / step + 1e-9) + 1
  requireCount(name, count, 1)
  return Array.from({ length: count }, (_, i) => clean(start + Math.sign(stop - start) * i * step))
}

function requireNumbers(name: string, form: string, values: readonly (number | undefined)[], most: number): void {
  if (values.length > most || values.some((v) => v === undefined || !Number.isFinite(v))) {
    throw new SpaceError(`${name}: the numbers of a sequence are not right: ${values.join(', ')} (expected ${form})`)
  }
}

/** Checked before anything is built, so that a slip such as 0..1e9 costs no memory. */
function requireCount(name: string, count: number, least: number): void {
  if (!Number.isInteger(count) || count < least || count > maxValuesPerAxis) {
    throw new SpaceError(`${name}: a sequence of ${count} values (from ${least} to ${maxValuesPerAxis})`)
  }
}

/** Rounds to 12 digits, so that 0.1 + 0.2 reads 0.3 and ids do not depend on how a grid was written. */
function clean(value: number): number {
  return Number(value.toPrecision(12))
}
