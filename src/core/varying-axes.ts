import { lookUp } from './names.js'
import { isSameValue } from './param-value.js'
import type { Trial } from './trial.js'

/** Axes that take more than one value among these trials: what tables and charts need to show. */
export function varyingAxes(trials: readonly Pick<Trial, 'params'>[]): string[] {
  const first = trials[0]
  if (first === undefined) return []
  const names = new Set<string>()
  for (const { params } of trials) for (const name of Object.keys(params)) names.add(name)
  return [...names].filter((name) => {
    const value = lookUp(first.params, name)
    return trials.some((trial) => !isSameValue(lookUp(trial.params, name), value))
  })
}
