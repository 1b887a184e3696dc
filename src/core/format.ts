import { writeValue } from './param-value.js'
import type { ParamValue } from './trial.js'

/** At most four significant digits for measurements, integers in full. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return String(value)
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

/** As a person reads a size of files: `512 B`, `1.2 MB`; powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let size = bytes
  let unit = 0
  while (size >= 999.95 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** `1 trial`, `2 trials`: a count with its noun, whose plural has an `s` at its end. */
export const formatCount = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** A setting as a person wrote it, but for numbers of more digits than anyone writes: `0.0251188643151` is `0.0251`. */
export function formatSetting(value: ParamValue | undefined): string {
  const text = writeValue(value)
  if (typeof value !== 'number' || Number.isInteger(value) || text.length <= writtenLength) return text
  const size = Math.abs(value)
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)))
}

const writtenLength = 7

/** `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 10 min`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return 'unknown'
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${(durationMs / 1000).toFixed(1)} s`
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`
}
