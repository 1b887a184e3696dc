/** Quantiles asked for before, by level and degrees of freedom: a comparison asks for the same one at every point. */
const known = new Map<string, number>()

/**
 * How many standard errors Student's t keeps within with probability `level`, for a whole number of degrees of freedom
 * from 1: `studentQuantile(0.95, 2)` is 4.303.
 */
export function studentQuantile(level: number, freedom: number): number {
  const key = `${level} ${freedom}`
  const found = known.get(key) ?? Math.sqrt(freedom) * Math.tan(angleWithin(level, freedom))
  known.set(key, found)
  return found
}

/** P(|T| < t) for Student's t: `studentProbability(4.303, 2)` is 0.95. */
export const studentProbability = (t: number, freedom: number): number =>
  probabilityWithin(Math.atan(Math.abs(t) / Math.sqrt(freedom)), freedom)

/** θ = arctan(t / √ν) where P(|T| < t) = `level`, by halving. */
function angleWithin(level: number, freedom: number): number {
  let [low, high] = [0, Math.PI / 2]
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2
    if (probabilityWithin(middle, freedom) < level) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(|T| < √ν tan θ), in closed form (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). */
function probabilityWithin(angle: number, freedom: number): number {
  const [sine, square] = [Math.sin(angle), Math.cos(angle) ** 2]
  const isOdd = freedom % 2 === 1
  let term = isOdd ? Math.cos(angle) : 1
  let sum = 0
  for (let k = isOdd ? 1 : 0; k <= freedom - 2; k += 2) {
    sum += term
    term *= ((k + 1) / (k + 2)) * square
  }
  return isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
}
