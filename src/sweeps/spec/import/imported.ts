import { writeValue } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { isNotation } from '../values.js'

/** A sweep file as plain data. */
export interface Imported {
  readonly spec: Readonly<Record<string, unknown>>
  /** What of the source has no counterpart, so that the sweep is not the same without it. */
  readonly leftOut: readonly string[]
  /** What the source leaves open, and what was taken. */
  readonly taken: readonly string[]
}

/** A list, or notation where an item of a list would be taken for it. */
export function asAxis(values: readonly ParamValue[]): readonly ParamValue[] | string {
  return values.some(isNotation) ? values.map(writeValue).join(',') : values
}

/** A Python program that is given each parameter as `--name=value`, under the name that it has where it comes from. */
export function commandFor(program: string, parameters: readonly string[], names: AxisNames): string[] {
  const isPlain = parameters.every((name) => names.of(name) === name)
  const words = isPlain ? ['{args}'] : parameters.map((name) => `--${name}={${names.of(name)}}`)
  return ['python', program, ...words]
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
