import { SpaceError, writtenAt } from '../../core/errors.js'
import type { Experiment, Stage } from '../../experiments/experiment.js'
import { expressionOver, readExpression, type Expression } from '../../core/expression.js'
import { addressAxis } from './factors.js'

/** An axis whose value follows from others of its stage. */
export interface Derivation {
  readonly stage: Stage
  readonly name: string
  /** As it was written, with or without its stage. */
  readonly written: string
  readonly expression: Expression
}

/** The derived axes, each after those that it names. @throws SpaceError, UnknownNameError; for axes that derive from each other too. */
export function derivationsOf(
  experiment: Experiment,
  derived: Readonly<Record<string, string>>,
): readonly Derivation[] {
  const all = Object.entries(derived).map(([written, text]): Derivation =>
    writtenAt(['axes', written], () => {
      const [stage, name] = addressAxis(experiment, written)
      return { stage, name, written, expression: expressionOver(stage.space, text) }
    }),
  )
  const ordered: Derivation[] = []
  const visit = (one: Derivation, above: readonly Derivation[]): void => {
    if (ordered.includes(one)) return
    if (above.includes(one))
      writtenAt(['axes', one.written], () => {
        throw new SpaceError(
          `${one.name}: its value follows from itself (${[...above, one].map(({ name }) => name).join(' → ')})`,
        )
      })
    for (const other of all)
      if (other.stage === one.stage && one.expression.names.includes(other.name)) visit(other, [...above, one])
    ordered.push(one)
  }
  for (const one of all) visit(one, [])
  return ordered
}

/** What a command's axis holds where its values follow from others': a value of the kind that the expression gives. */
export function exampleOf(
  text: string,
  valuesOf: (name: string) => readonly unknown[],
  known: readonly string[],
): unknown {
  const kindOf = (name: string) => {
    const kinds = new Set(valuesOf(name).map((value) => typeof value))
    const [kind] = kinds
    if (kinds.size === 0) return undefined
    if (kinds.size > 1) return 'any' as const
    return kind === 'number' ? 'number' : kind === 'string' ? 'text' : kind === 'boolean' ? 'boolean' : 'any'
  }
  const { type } = readExpression(text, kindOf, known)
  return { number: 0, text: '', boolean: false, list: [], null: null, any: null }[type]
}
