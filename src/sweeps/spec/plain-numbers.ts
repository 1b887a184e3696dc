import { isMapping } from '../../core/is-mapping.js'

/** What YAML gave, with numbers for its integers, or whatever `convert` makes of them. */
export function plainNumbers(value: unknown, convert: (integer: bigint) => number | string): unknown {
  if (typeof value === 'bigint') return convert(value)
  if (Array.isArray(value)) return value.map((item) => plainNumbers(item, convert))
  if (!isMapping(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plainNumbers(item, convert)]))
}
