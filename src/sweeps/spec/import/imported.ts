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

/** Names that words of a command can have between braces, for names that may hold anything: no two get the same one. */
export class AxisNames {
  readonly #given = new Map<string, string>()

  /** @param allowed letters that stay beside letters, digits and `_`; others become `_`. */
  constructor(private readonly allowed = '') {}

  of(name: string): string {
    const known = this.#given.get(name)
    if (known !== undefined) return known
    const plain = name.replace(new RegExp(`[^\\p{L}\\p{N}_${this.allowed}]+`, 'gu'), '_').replace(/^(?![\p{L}_])/u, '_')
    const taken = new Set(this.#given.values())
    let free = plain
    for (let i = 2; taken.has(free); i++) free = `${plain}_${i}`
    this.#given.set(name, free)
    return free
  }
}
