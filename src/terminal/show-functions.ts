import { MldsError } from '../core/errors.js'
import { targetFormulas, targetFunctions, type TargetFunction } from '../data/functions.js'
import type { Experiment } from '../experiments/experiment.js'
import { drawFunctions } from '../figures/functions.js'
import { drawInto } from './draw-into.js'
import { formatTable } from './table.js'

/** A function that nets of an experiment may fit. */
export interface ShownFunction {
  readonly name: TargetFunction
  readonly formula: string
}

/** The functions that an experiment's trials can fit. @throws MldsError for one that fits none. */
export function shownFunctions({ name, stages }: Pick<Experiment, 'name' | 'stages'>): ShownFunction[] {
  const isKnown = (choice: string): choice is TargetFunction => Object.hasOwn(targetFunctions, choice)
  const axes = stages.flatMap(({ space }) => Object.values(space))
  const choices = axes.flatMap((axis) => (axis.kind === 'choice' && axis.choices.every(isKnown) ? axis.choices : []))
  const names = [...new Set(choices)].filter(isKnown)
  if (names.length === 0) throw new MldsError('FUNCTIONS', `${name} fits no function (mlds experiments sim-func does)`)
  return names.map((one) => ({ name: one, formula: targetFormulas[one] }))
}

export function formatFunctions(functions: readonly ShownFunction[]): string {
  return formatTable(
    ['function', 'y for x from 0 to 1'],
    functions.map(({ name, formula }) => [name, formula]),
  )
}

/** Draws functions into a file. @throws MldsError for a file of another kind, StoreError when it can't be written. */
export async function drawFunctionsInto(
  file: string,
  title: string,
  functions: readonly ShownFunction[],
): Promise<void> {
  const drawn = functions.map(({ name, formula }) => ({ name, formula, of: targetFunctions[name] }))
  await drawInto(file, title, drawFunctions(title, drawn))
}
