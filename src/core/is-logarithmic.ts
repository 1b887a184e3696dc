/**
 * Whether values are better seen as logarithms: positive ones that lie in equal ratios over tenfold or more, as `logspace`
 * makes them, or that span more than fiftyfold without lying in equal steps.
 */
export function isLogarithmic(values: readonly number[]): boolean {
  const sorted = [...new Set(values)].sort((a, b) => a - b)
  const [least, greatest] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  if (!(least > 0) || greatest === Infinity) return false
  const inOrder = (at: (value: number) => number): boolean =>
    areEqual(sorted.slice(1).map((value, i) => at(value) - at(sorted[i]!)))
  if (sorted.length > 2 && inOrder(Math.log)) return greatest / least >= 10
  return greatest / least > 50 && (sorted.length < 3 || !inOrder((value) => value))
}

const areEqual = (steps: readonly number[]): boolean =>
  steps.every((step) => Math.abs(step - steps[0]!) < 1e-6 * steps[0]!)
