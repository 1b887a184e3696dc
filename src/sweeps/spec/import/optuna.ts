import { quoteInput } from '../../../core/quote-input.js'
import { isMapping } from '../../../core/is-mapping.js'
import { SpecError, UnknownNameError } from '../../../core/errors.js'
import type { ParamValue } from '../../../core/trial.js'
import { conditionOf, describeCondition, type Condition } from './optuna-conditions.js'
import { AxisNames, commandFor, type Imported } from './imported.js'
import type { OptunaStudy, OptunaTrial } from './optuna-storage.js'

/**
 * A study of Optuna (3 to 5) as a sweep file: axes and ranges from the distributions that its trials wrote down, its directions,
 * and its completed settings, the best first, as those that the search tries first. Optuna's values are no results here: mlds has not
 * seen them come about, so those settings run again.
 * @throws SpecError when no trial has a parameter.
 */
export function importOptuna(study: OptunaStudy, file: string, { program, tried }: OptunaOptions): Imported {
  const leftOut: string[] = []
  const taken: string[] = []
  const names = new AxisNames('.-')
  const axes = new Map<string, Axis>()
  for (const trial of study.trials)
    for (const [name, { distribution }] of trial.params) {
      const axis = axisOf(distribution)
      if (axis === undefined) leftOut.push(`${name}: ${quoteInput(distribution)}`)
      else if (axes.has(name) && JSON.stringify(axes.get(name)) !== JSON.stringify(axis))
        leftOut.push(`${name}: ${quoteInput(distribution)} (other trials have another range)`)
      else axes.set(name, axis)
    }
  if (axes.size === 0) throw new SpecError(file, `no trial of study ${study.name} has a parameter`)
  const ended = study.trials.filter(({ state }) => state === 'COMPLETE' || state === 'PRUNED')
  const conditions = new Map<string, Condition>()
  for (const name of [...axes.keys()].sort((a, b) => countOf(b, ended) - countOf(a, ended))) {
    const without = ended.length - countOf(name, ended)
    if (without === 0) continue
    const condition = conditionOf(name, ended, (parent) => Array.isArray(axes.get(parent)))
    if ('parent' in condition) {
      conditions.set(name, condition)
      taken.push(
        `${name}: matters where ${describeCondition(condition)}, as in all ${ended.length} trials that have ended (Optuna keeps no conditions: put right under when what the program does otherwise)`,
      )
    } else
      leftOut.push(
        `${name}: ${without} of ${ended.length} trials have none, and when it matters only the program says (${condition.length === 0 ? 'by no list and no integer can it be told' : `${condition.join(' and ')} would do equally`}: add it under when)`,
      )
  }
  if (study.directions.length === 0) leftOut.push('a direction: the study has none')
  const enqueue = ranked(study)
    .filter(({ params }) => [...axes.keys()].every((name) => params.has(name) || conditions.has(name)))
    .map(({ params }) =>
      Object.fromEntries(
        // What does not matter there has any value.
        [...axes].map(([name, axis]) => [names.of(name), params.has(name) ? params.get(name)!.value : firstOf(axis)]),
      ),
    )
  const told = [...new Map(enqueue.map((setting) => [JSON.stringify(setting), setting])).values()].slice(0, tried)
  taken.push(
    `${ended.length} trials have ended in Optuna: ${told.length === 0 ? 'none of their settings is tried first' : `the settings of ${told.length} are tried first, best first`}, and nothing of their values is taken over`,
  )
  taken.push('sampler: tpe (the file does not say which one Optuna used), and no pruner for the same reason')
  taken.push(`program: ${program}, with every parameter as --name=value`)
  if (study.directions.length > 0)
    taken.push(
      `objective: ${objectives(study)
        .map(({ metric }) => metric)
        .join(', ')} (Optuna gives values no names: put in those that the program reports)`,
    )
  const counted = Math.max(study.trials.length, told.length + 1)
  return {
    spec: {
      experiment: {
        command: commandFor(program, [...axes.keys()], names),
        // An option that does not matter is left out.
        ...(conditions.size > 0 && {
          defaults: Object.fromEntries([...conditions.keys()].map((name) => [names.of(name), null])),
        }),
      },
      search: {
        sampler: 'tpe',
        count: counted,
        axes: Object.fromEntries([...axes].map(([name, axis]) => [names.of(name), axis])),
        ...(told.length === 0 ? {} : { enqueue: told }),
      },
      ...(conditions.size > 0 && {
        when: Object.fromEntries(
          [...conditions].map(([name, { parent, wanted }]) => [names.of(name), { [names.of(parent)]: wanted }]),
        ),
      }),
      objective: study.directions.length === 1 ? objectives(study)[0] : objectives(study),
    },
    leftOut: [...new Set(leftOut)],
    taken,
  }
}

export interface OptunaOptions {
  readonly program: string
  /** How many of its settings are tried first at most. */
  readonly tried: number
}

/** The study that is meant, of those in a storage. @throws SpecError, UnknownNameError that list them. */
export function chooseStudy(studies: readonly OptunaStudy[], file: string, wanted: string | undefined): OptunaStudy {
  const names = studies.map(({ name }) => name)
  if (wanted !== undefined) {
    const found = studies.find(({ name }) => name === wanted)
    if (found === undefined) throw new UnknownNameError('study', wanted, names)
    return found
  }
  if (studies.length === 1) return studies[0]!
  throw new SpecError(
    file,
    studies.length === 0 ? 'there is no study in it' : `there are several studies in it: ${names.join(', ')}`,
    {
      ...(studies.length === 0 ? {} : { hint: `choose one with --study, such as --study ${names[0]}` }),
    },
  )
}

const objectives = ({ directions }: OptunaStudy): { metric: string; direction: string }[] =>
  directions.map((direction, i) => ({ metric: directions.length === 1 ? 'value' : `value${i}`, direction }))

/** Those with a value, the best of one objective first; of several as they came. */
function ranked({ trials, directions }: OptunaStudy): OptunaTrial[] {
  const complete = trials.filter(({ state, values }) => state === 'COMPLETE' && values.every(Number.isFinite))
  if (directions.length !== 1) return complete
  const sign = directions[0] === 'maximize' ? -1 : 1
  return complete.sort((a, b) => sign * (a.values[0]! - b.values[0]!))
}

const countOf = (name: string, trials: readonly OptunaTrial[]): number =>
  trials.filter(({ params }) => params.has(name)).length

const firstOf = (axis: Axis): unknown => (Array.isArray(axis) ? axis[0] : (Object.values(axis)[0] as unknown[])[0])

type Axis = readonly unknown[] | Readonly<Record<string, unknown>>

/** Optuna's distributions (optuna.distributions, also the names of before 3.0); `undefined` for what has no counterpart. */
function axisOf(distribution: unknown): Axis | undefined {
  if (!isMapping(distribution) || !isMapping(distribution['attributes'])) return undefined
  const { low, high, log, step, q, choices } = distribution['attributes']
  const range = [low, high]
  const by = typeof step === 'number' ? step : typeof q === 'number' ? q : undefined
  switch (distribution['name']) {
    case 'CategoricalDistribution':
      return Array.isArray(choices) ? (choices as ParamValue[]) : undefined
    case 'FloatDistribution':
    case 'UniformDistribution':
    case 'LogUniformDistribution':
    case 'DiscreteUniformDistribution': {
      const isLog = log === true || distribution['name'] === 'LogUniformDistribution'
      if (low === high) return [low]
      if (by === undefined) return { [isLog ? 'log' : 'uniform']: range }
      return { uniform: range, step: by }
    }
    case 'IntDistribution':
    case 'IntUniformDistribution':
    case 'IntLogUniformDistribution': {
      const isLog = log === true || distribution['name'] === 'IntLogUniformDistribution'
      if (low === high) return [low]
      if (isLog) return { 'log-int': range }
      if (by === undefined || by === 1) return { int: range }
      return { int: range, step: by }
    }
    default:
      return undefined
  }
}
