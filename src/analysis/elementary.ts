/**
 * Exponential and logarithm of additions, multiplications and divisions alone, which IEEE 754 fixes to the bit. `Math.exp`
 * and its like are whatever the build of V8 made of them, and may differ between versions and processors.
 */

const ln2High = 0.69314718036912381649
const ln2Low = 1.90821492927058770002e-10
/** 2ⁿ for n = −1022 … 1023. */
const powersOfTwo = new Float64Array(2046).fill(2.2250738585072014e-308)
for (let i = 1; i < powersOfTwo.length; i++) powersOfTwo[i] = 2 * powersOfTwo[i - 1]!
const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)
/** Which of the two words has the sign and the exponent: the second one on little-endian processors. */
const upper = new Uint8Array(Float64Array.of(1).buffer)[7] === 0x3f ? 1 : 0

/** eˣ to about one unit in the last place. */
export function exp(x: number): number {
  if (x !== x) return NaN
  if (x > 709.782712893384) return Infinity
  if (x < -745.1332191019412) return 0
  const n = Math.round(x * 1.4426950408889634)
  const high = x - n * ln2High
  const low = n * ln2Low
  const r = high - low
  // The rational form of FreeBSD's e_exp.c: eʳ = 1 + r + r·c/(2−c), with c = r − r²(P₁ + P₂r² + …).
  const t = r * r
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))))
  const y = 1 - (low - (r * c) / (2 - c) - high)
  if (n > 1023) return y * 2 * powersOfTwo[n + 1021]!
  return n < -1022 ? y * powersOfTwo[n + 1076]! * 5.551115123125783e-17 : y * powersOfTwo[n + 1022]!
}

/** ln x to about one unit in the last place. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN
  if (x === Infinity) return x
  let scaled = x
  let k = 0
  if (x < 2.2250738585072014e-308) {
    scaled = x * 18014398509481984
    k = -54
  }
  number[0] = scaled
  const high = words[upper]!
  k += (high >>> 20) - 1023
  // The mantissa in [√½, √2).
  const half = (high & 0xfffff) >= 0x6a09f ? 1 : 0
  words[upper] = (high & 0xfffff) | ((1023 - half) << 20)
  const f = number[0] - 1
  k += half
  // The polynomial of FreeBSD's e_log.c in s = f/(2+f): ln(1+f) = f − f²/2 + s(f²/2 + R).
  const s = f / (2 + f)
  const z = s * s
  const w = z * z
  const even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
  const odd =
    z * (0.666666666666673513 + w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)))
  const halfSquare = 0.5 * f * f
  return k * ln2High - (halfSquare - (s * (halfSquare + even + odd) + k * ln2Low) - f)
}
