/** Arithmetic on numbers as people write them, in tens: 3 · 0.1 is 0.3, and 131073 + 0.001 loses no digit. */

/** digits · 10^exponent. */
interface Decimal {
  readonly digits: bigint
  readonly exponent: number
}

function decimalOf(value: number): Decimal {
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string]
  const [whole, fraction = ''] = mantissa.split('.')
  return { digits: BigInt(whole! + fraction), exponent: Number(exponent) - fraction.length }
}

/** The digits of each at the least exponent of all. */
function aligned(values: readonly number[]): { readonly digits: readonly bigint[]; readonly exponent: number } {
  const decimals = values.map(decimalOf)
  const exponent = decimals.reduce((least, one) => Math.min(least, one.exponent), Infinity)
  return { digits: decimals.map((one) => one.digits * 10n ** BigInt(one.exponent - exponent)), exponent }
}

/** start + i · step, rounded once. */
export function decimalSteps(start: number, step: number): (i: number) => number {
  const { digits, exponent } = aligned([start, step])
  return (i) => Number(`${digits[0]! + BigInt(i) * digits[1]!}e${exponent}`)
}

/** How many whole steps lie between 0 and `distance`: ⌊distance / step⌋, or the next above where it is no whole number. */
export function countSteps(distance: readonly [from: number, to: number], step: number, round: 'down' | 'up'): number {
  const [from, to, by] = aligned([...distance, step]).digits as [bigint, bigint, bigint]
  const whole = (to - from) / by
  return Number(whole) + (round === 'up' && (to - from) % by !== 0n && to - from > 0n === by > 0n ? 1 : 0)
}

/** Digits after which a quotient is cut, well beyond those of a number. */
const quotientDigits = 30

/** `count` numbers from `start` to `stop`, evenly, each rounded once. */
export function decimalBetween(start: number, stop: number, count: number): (i: number) => number {
  const { digits, exponent } = aligned([start, stop])
  const [from, to] = digits as [bigint, bigint]
  const parts = BigInt(Math.max(1, count - 1))
  const scale = 10n ** BigInt(quotientDigits)
  return (i) => {
    const sum = from * (parts - BigInt(i)) + to * BigInt(i)
    return Number(`${(sum * scale) / parts}e${exponent - quotientDigits}`)
  }
}

/** ⌊log₁₀ value⌋ of a number above 0, read from its decimal form. */
export const exponentOf = (value: number): number => Number(value.toExponential().split('e')[1])
