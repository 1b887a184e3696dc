import { MldsError } from '../core/errors.js'
import { isMapping } from '../core/is-mapping.js'

/**
 * Metrics as code has told them, which no type has checked: numbers by name. One that is undefined is not there.
 * @param what who told them, such as `run`.
 * @throws MldsError that names the first that is no number, and its value.
 */
export function requireMetricNumbers(what: string, told: unknown): void {
  if (!isMapping(told))
    throw new MldsError(
      'METRIC',
      `${what}: ${shown(told)} is no set of metrics (numbers by name, such as { loss: 0.5 })`,
    )
  for (const [name, value] of Object.entries(told))
    if (typeof value !== 'number' && value !== undefined)
      throw new MldsError('METRIC', `${what}: the metric ${name} is no number: ${shown(value)}`)
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  const text = typeof value === 'function' || typeof value === 'symbol' ? typeof value : JSON.stringify(value)
  return (text ?? 'undefined').slice(0, 100)
}
