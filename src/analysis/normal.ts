import { exp, log } from './elementary.js'

/** The normal distribution by plain arithmetic, the same to the bit on every machine. */

/** Σ coefficients[k] · xᵏ. */
function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0
  for (let k = coefficients.length - 1; k >= 0; k--) sum = sum * x + coefficients[k]!
  return sum
}

// The rational approximations of Sun's fdlibm (s_erf.c, 1993), by range of |x|.
const centre = [
  [
    0.128379167095512558561, -0.32504210724700149937, -0.0284817495755985104766, -0.00577027029648944159157,
    -0.0000237630166566501626084,
  ],
  [
    1, 0.397917223959155352819, 0.0650222499887672944485, 0.00508130628187576562776, 0.000132494738004321644526,
    -0.0000039602282787753681232,
  ],
] as const
const around1 = [
  [
    -0.00236211856075265944077, 0.414856118683748331666, -0.372207876035701323847, 0.318346619901161753674,
    -0.110894694282396677476, 0.0354783043256182359371, -0.002166375594868790843,
  ],
  [
    1, 0.106420880400844228286, 0.540397917702171048937, 0.0718286544141962662868, 0.126171219808761642112,
    0.0136370839120290507362, 0.011984499846799107417,
  ],
] as const
const below3 = [
  [
    -0.00986494403484714822705, -0.693858572707181764372, -10.5586262253232909814, -62.3753324503260060396,
    -162.396669462573470355, -184.605092906711035994, -81.2874355063065934246, -9.81432934416914548592,
  ],
  [
    1, 19.6512716674392571292, 137.6577541435190426, 434.565877475229228821, 645.387271733267880336,
    429.008140027567833386, 108.635005541779435134, 6.57024977031928170135, -0.0604244152148580987438,
  ],
] as const
const tail = [
  [
    -0.00986494292470009928597, -0.799283237680523006574, -17.7579549177547519889, -160.636384855821916062,
    -637.566443368389627722, -1025.09513161107724954, -483.519191608651397019,
  ],
  [
    1, 30.3380607434824582924, 325.792512996573918826, 1536.72958608443695994, 3199.85821950859553908,
    2553.05040643316442583, 474.528541206955367215, -22.4409524465858183362,
  ],
] as const
const ratio = ([numerator, denominator]: readonly [readonly number[], readonly number[]], x: number): number =>
  polynomial(numerator, x) / polynomial(denominator, x)
/** erf 1, as the range around it was fitted with. */
const erf1 = 0.845062911510467529297

/** For x ≥ 1.25: ln(x · exp(x²) · erfc x). */
const logTail = (x: number): number => -0.5625 + ratio(x < 1 / 0.35 ? below3 : tail, 1 / (x * x))

/** 1 − erf x, with its digits in both tails. */
export function erfc(x: number): number {
  const size = Math.abs(x)
  if (size < 0.84375) {
    const tailless = x + x * ratio(centre, x * x)
    return x < 0.25 ? 1 - tailless : 0.5 - (x - 0.5 + (tailless - x))
  }
  let upper: number
  if (size < 1.25) upper = 1 - erf1 - ratio(around1, size - 1)
  else if (size > 28) upper = 0
  else {
    // x² in two parts, of which the first is exact.
    const short = Math.fround(size)
    upper = (exp(-short * short) * exp((short - size) * (short + size) + logTail(size))) / size
  }
  return x < 0 ? 2 - upper : upper
}

/** exp(x²) · erfc x for x ≥ 1.25, which does not underflow. */
export const scaledErfc = (x: number): number => exp(logTail(x)) / x

/** √(2π). */
export const rootOf2Pi = 2.5066282746310005
export const log2Pi = 1.8378770664093456

export const normalDensity = (x: number): number => exp(-x * x * 0.5) / rootOf2Pi

/** Φ(x), the share of a standard normal below x. */
export const normalCdf = (x: number): number => 0.5 * erfc(-x * Math.SQRT1_2)

/** ln Φ(x), also where Φ(x) underflows. */
export function logNormalCdf(x: number): number {
  if (x > 4) {
    // ln(1 − upper): its first terms, where the difference has lost its digits.
    const upper = normalCdf(-x)
    return -upper * (1 + upper * (1 / 2 + upper / 3))
  }
  if (x > -5) return log(normalCdf(x))
  const z = -x * Math.SQRT1_2
  return logTail(z) - z * z - log(2 * z)
}

/** Φ(high) − Φ(low) for low ≤ high, worked out in the left tail, where its digits are. */
export const normalMass = (low: number, high: number): number =>
  low > 0 ? normalCdf(-low) - normalCdf(-high) : normalCdf(high) - normalCdf(low)

// AS 241 (Wichura 1988), PPND16.
const quantileCentre = [
  [
    3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
    67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
  ],
  [
    1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867, 39307.89580009271061,
    28729.085735721942674, 5226.495278852854561,
  ],
] as const
const quantileMiddle = [
  [
    1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
    1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 0.00077454501427834140764,
  ],
  [
    1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
    0.0151986665636164571966, 0.0005475938084995344946, 1.05075007164441684324e-9,
  ],
] as const
const quantileTail = [
  [
    6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
    0.026532189526576123093, 0.0012426609473880784386, 0.0000271155556874348757815, 2.01033439929228813265e-7,
  ],
  [
    1, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 0.0007868691311456132591,
    0.000018463183175100546818, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
  ],
] as const

/** The x with Φ(x) = p; ∓∞ at 0 and 1. */
export function normalQuantile(p: number): number {
  const q = p - 0.5
  if (Math.abs(q) <= 0.425) return q * ratio(quantileCentre, 0.180625 - q * q)
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : NaN
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p))
  const size = r <= 5 ? ratio(quantileMiddle, r - 1.6) : ratio(quantileTail, r - 5)
  return q < 0 ? -size : size
}
