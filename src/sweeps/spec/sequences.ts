import { SpaceError } from '../../core/errors.js'
import { countSteps, decimalBetween, decimalSteps, exponentOf } from '../../core/decimal.js'
import type { Language } from './language.js'

/** A sweep of more points than this on one axis is taken for a slip of the keyboard. */
export const maxValuesPerAxis = 100_000

/** Sets of values by their ends, with both spelt as a person would: their numbers have every digit from the third language on. */
export const sequences = {
  range(name: string, [start, stop, step = 1, ...rest]: number[], language: Language): number[] {
    const [from, to] = stop === undefined ? [0, start!] : [start!, stop]
    requireNumbers(name, 'range(start, stop, step)', [from, to, step, ...rest], 3)
    if (step === 0) throw new SpaceError(`${name}: a range with step 0 never ends (use a step above or below 0)`)
    if (language < 3) {
      const count = Math.max(0, Math.ceil((to - from) / step - 1e-9))
      requireCount(name, count, 0)
      return Array.from({ length: count }, (_, i) => clean(from + i * step))
    }
    const count = Math.max(0, countSteps([from, to], step, 'up'))
    requireCount(name, count, 0)
    const value = decimalSteps(from, step)
    return Array.from({ length: count }, (_, i) => value(i))
  },
  linspace(name: string, [start, stop, count, ...rest]: number[], language: Language): number[] {
    requireNumbers(name, 'linspace(start, stop, count)', [start, stop, count, ...rest], 3)
    requireCount(name, count!, 1)
    if (language < 3)
      return Array.from({ length: count! }, (_, i) =>
        i === count! - 1 && i > 0 ? stop! : clean(start! + (i * (stop! - start!)) / Math.max(1, count! - 1)),
      )
    const value = decimalBetween(start!, stop!, count!)
    return Array.from({ length: count! }, (_, i) => value(i))
  },
  logspace(name: string, [start, stop, count, ...rest]: number[], language: Language): number[] {
    requireNumbers(name, 'logspace(start, stop, count)', [start, stop, count, ...rest], 3)
    requireCount(name, count!, 1)
    if (start! <= 0 || stop! <= 0) {
      throw new SpaceError(
        `${name}: logspace(${start}, ${stop}, ${count}) needs both ends above 0 (they are values, not exponents)`,
      )
    }
    const ratio = Math.log(stop! / start!)
    const digits = language < 3 ? 12 : logDigits(ratio / (count! - 1))
    return Array.from({ length: count! }, (_, i) =>
      i === 0
        ? start!
        : i === count! - 1
          ? stop!
          : Number((start! * Math.exp((ratio * i) / (count! - 1))).toPrecision(digits)),
    )
  },
}

/** Twelve, so that no library's last digits get into a trial's id; more where neighbours would become one. */
const logDigits = (spacing: number): number =>
  spacing === 0 || !Number.isFinite(spacing) ? 12 : Math.min(17, Math.max(12, 6 - exponentOf(Math.abs(spacing))))

export function isSequence(kind: string): kind is keyof typeof sequences {
  return Object.hasOwn(sequences, kind)
}

/** Both ends. */
export function inclusiveRange(
  name: string,
  [start, stop, step]: readonly [number, number, number],
  language: Language,
): number[] {
  requireNumbers(name, 'start..stop', [start, stop, step], 3)
  if (step <= 0) throw new SpaceError(`${name}: ${start}..${stop} step ${step} never ends (use a step above 0)`)
  const sign = Math.sign(stop - start)
  const steps = language < 3 ? Math.floor(Math.abs(stop - start) / step + 1e-9) : wholeSteps(start, stop, step)
  requireCount(name, steps + 1, 1)
  const value = language < 3 ? (i: number) => clean(start + sign * i * step) : decimalSteps(start, sign * step)
  return Array.from({ length: steps + 1 }, (_, i) => value(i))
}

const wholeSteps = (start: number, stop: number, step: number): number =>
  Math.abs(countSteps([start, stop], step, 'down'))

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

/** Up to the second language: 12 digits, so that 0.1 + 0.2 reads 0.3. */
function clean(value: number): number {
  return Number(value.toPrecision(12))
}
