import { mean, standardDeviation } from '../../core/mean.js'

export interface Line {
  readonly steps: readonly number[]
  readonly values: readonly number[]
}

/** Mean and sample standard deviation over trials at each step that any of them has; where only one has it, the band has no width. */
export interface Band {
  readonly steps: number[]
  readonly mean: number[]
  readonly low: number[]
  readonly high: number[]
}

export function bandOf(lines: readonly Line[]): Band {
  const at = new Map<number, number[]>()
  for (const { steps, values } of lines)
    steps.forEach((step, i) => {
      const value = values[i]!
      if (!Number.isFinite(value)) return
      const known = at.get(step)
      if (known === undefined) at.set(step, [value])
      else known.push(value)
    })
  const steps = [...at.keys()].sort((a, b) => a - b)
  const means = steps.map((step) => mean(at.get(step)!))
  const spreads = steps.map((step) => standardDeviation(at.get(step)!))
  return {
    steps,
    mean: means,
    low: means.map((value, i) => value - spreads[i]!),
    high: means.map((value, i) => value + spreads[i]!),
  }
}

/**
 * Exponential moving average, corrected for its beginning: s = w·s + (1−w)·x, divided by 1−wⁿ (Kingma and Ba 2015, section 3).
 * @param weight of what was before, from 0 (none) to below 1. What is no number is passed over.
 */
export function smoothed(values: readonly number[], weight: number): number[] {
  let [sum, count] = [0, 0]
  return values.map((value) => {
    if (!Number.isFinite(value)) return value
    sum = weight * sum + (1 - weight) * value
    count++
    return sum / (1 - weight ** count)
  })
}
