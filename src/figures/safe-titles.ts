import type { VegaLiteSpec } from './figure.js'

/**
 * Vega (6.4) looks a constant text up in a plain object, and takes a title such as `constructor` for what every object
 * inherits: it throws, or draws nothing. With a space after it the title is one like any other. Data stays as it is.
 */
export function withSafeTitles(spec: VegaLiteSpec): VegaLiteSpec {
  return Object.fromEntries(
    Object.entries(spec).map(([key, value]) => [
      key,
      key === 'title' || key === 'text' || key === 'subtitle'
        ? safe(value)
        : untouched.has(key)
          ? value
          : inside(value),
    ]),
  )
}

const untouched = new Set(['data', 'datasets', 'values', 'domain', 'config'])

function inside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inside)
  return typeof value === 'object' && value !== null ? withSafeTitles(value as VegaLiteSpec) : value
}

function safe(value: unknown): unknown {
  if (typeof value === 'string') return value in Object.prototype ? `${value} ` : value
  return Array.isArray(value) ? value.map(safe) : inside(value)
}
