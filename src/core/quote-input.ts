const shownCharacters = 200

/** A value that a person gave, as an error quotes it: JSON, with `NaN` and `Infinity` as these words, of a long one the beginning. */
export function quoteInput(value: unknown): string {
  const words = written(value)
  return words.length <= shownCharacters ? words : `${words.slice(0, shownCharacters - 1)}…`
}

function written(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value)
  return `{${Object.entries(value)
    .map(([key, one]) => `${JSON.stringify(key)}:${written(one)}`)
    .join(',')}}`
}
