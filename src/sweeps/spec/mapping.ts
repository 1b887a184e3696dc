/** True of what YAML writes as a mapping: neither a list nor a single value. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** What YAML gave, with numbers for its integers, or whatever `convert` makes of them. */
export function plainNumbers(value: unknown, convert: (integer: bigint) => number | string): unknown {
  if (typeof value === 'bigint') return convert(value)
  if (Array.isArray(value)) return value.map((item) => plainNumbers(item, convert))
  if (!isMapping(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plainNumbers(item, convert)]))
}
