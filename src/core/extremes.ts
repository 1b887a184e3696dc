/** The least of any number of values: spread into `Math.min`, many would overflow the stack. Infinity of none; NaN if one is. */
export function minOf(values: Iterable<number>): number {
  let result = Infinity
  for (const value of values) result = Math.min(result, value)
  return result
}

/** The greatest of any number of values. −Infinity of none; NaN if one is. */
export function maxOf(values: Iterable<number>): number {
  let result = -Infinity
  for (const value of values) result = Math.max(result, value)
  return result
}
