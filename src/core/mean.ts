/** Arithmetic mean; NaN of nothing. Finite where all values are: a sum too great for a number is taken in parts. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  if (Number.isFinite(sum)) return sum / values.length
  let inParts = 0
  for (let i = 0; i < values.length; i++) inParts += values[i]! / values.length
  return inParts
}

/** Sample standard deviation, √(Σ(x−x̄)²/(n−1)); 0 of a single value, NaN of nothing. */
export function standardDeviation(values: ArrayLike<number>): number {
  if (values.length < 2) return values.length === 1 ? 0 : NaN
  const centre = mean(values)
  const spread = (unit: number): number => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += (values[i]! / unit - centre / unit) ** 2
    return Math.sqrt(sum / (values.length - 1)) * unit
  }
  const deviation = spread(1)
  if (Number.isFinite(deviation)) return deviation
  // A square too great for a number is not, in units of the greatest value.
  let greatest = 0
  for (let i = 0; i < values.length; i++) greatest = Math.max(greatest, Math.abs(values[i]!))
  return Number.isFinite(greatest) ? spread(greatest) : deviation
}
