import { writeValue } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { isNotation } from '../values.js'

/** A sweep file as plain data, and what of the source could not be said in it. */
export interface Imported {
  readonly spec: Readonly<Record<string, unknown>>
  readonly leftOut: readonly string[]
}

/** A list, or notation where an item of a list would be taken for it. */
export function asAxis(values: readonly ParamValue[]): readonly ParamValue[] | string {
  return values.some(isNotation) ? values.map(writeValue).join(',') : values
}
