import { parse } from 'yaml'
import { SpecError } from '../../../core/errors.js'
import { integerValue, valueProblem } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { isMapping, plainNumbers } from '../mapping.js'
import { asAxis, AxisNames, type Imported } from './imported.js'

type Mapping = Readonly<Record<string, unknown>>
/**
 * A W&B sweep configuration (docs.wandb.ai, sweep configuration structure) as a sweep file.
 * @throws SpecError when it is not one.
 */
export function importWandb(text: string, file: string): Imported {
  let config: unknown
  try {
    config = plainNumbers(parse(text, { intAsBigInt: true }), integerValue)
  } catch (error) {
    throw new SpecError(file, (error as Error).message, { cause: error })
  }
  if (!isMapping(config) || !isMapping(config['parameters']))
    throw new SpecError(file, 'not a W&B sweep configuration: it has no parameters')
  const leftOut: string[] = []
  const axisNames = new AxisNames('.-')
  const underAxes = (found: ReadonlyMap<string, unknown>): Mapping =>
    Object.fromEntries([...found].map(([name, values]) => [axisNames.of(name), values]))
  const axes = new Map<string, unknown>()
  const searched = new Map<string, unknown>()
  const grid = config['method'] === 'grid'
  let seeds: unknown
  for (const [name, parameter] of Object.entries(config['parameters'])) {
    const range = isMapping(parameter) ? rangeOf(parameter) : undefined
    if (range === undefined || (name === 'seed' && !isSeeds(range)))
      leftOut.push(`parameters.${name}: ${JSON.stringify(parameter)}`)
    else if (name === 'seed') seeds = range
    else if (!Array.isArray(range)) searched.set(name, range)
    else if (grid || range.length === 1) axes.set(name, asAxis(range as ParamValue[]))
    else searched.set(name, asAxis(range as ParamValue[]))
  }
  if (seeds !== undefined && searched.size > 0)
    leftOut.push('parameters.seed: every drawn point runs with each of them')
  const search =
    searched.size === 0
      ? {}
      : { search: { sampler: 'random', count: Number(config['run_cap'] ?? 32), axes: underAxes(searched) } }
  if (config['method'] === 'bayes') leftOut.push('method: bayes (taken as random: there is no model-based sampler)')
  if (searched.size > 0 && config['run_cap'] === undefined)
    leftOut.push('run_cap: not given (32 points are drawn; change search.count)')
  const known = [
    'method',
    'parameters',
    'metric',
    'program',
    'command',
    'early_terminate',
    'run_cap',
    'name',
    'description',
    'project',
    'entity',
  ]
  for (const key of Object.keys(config))
    if (!known.includes(key)) leftOut.push(`${key}: ${JSON.stringify(config[key])}`)
  return {
    spec: {
      experiment: {
        command: commandOf(
          config,
          [...axes.keys(), ...searched.keys(), ...(seeds === undefined ? [] : ['seed'])].map((name) => ({
            name,
            placeholder: `{${axisNames.of(name)}}`,
          })),
          leftOut,
        ),
      },
      ...(axes.size === 0 ? {} : { axes: underAxes(axes) }),
      ...search,
      ...(seeds === undefined ? {} : { seeds }),
      ...objectiveOf(config),
      ...schedulerOf(config, leftOut),
    },
    leftOut,
  }
}

const isSeeds = (range: unknown): boolean =>
  Array.isArray(range) && range.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)

/** Values, a range of `search`, or undefined for a distribution that has no counterpart. */
function rangeOf(parameter: Mapping): unknown[] | Mapping | undefined {
  const { value, values, distribution, min, max, mu, sigma, q, probabilities } = parameter
  if (probabilities !== undefined || mu !== undefined || sigma !== undefined || q !== undefined) return undefined
  const listed = 'value' in parameter ? [value] : values
  if (Array.isArray(listed)) return valueProblem(listed) === undefined ? (listed as unknown[]) : undefined
  if (typeof min !== 'number' || typeof max !== 'number') return undefined
  const whole = Number.isInteger(min) && Number.isInteger(max)
  switch (distribution) {
    case undefined:
      return whole ? { int: [min, max] } : { uniform: [min, max] }
    case 'uniform':
      return { uniform: [min, max] }
    case 'int_uniform':
      return { int: [min, max] }
    case 'log_uniform_values':
      return { log: [min, max] }
    // Its bounds are exponents of e.
    case 'log_uniform':
      return { log: [Number(Math.exp(min).toPrecision(6)), Number(Math.exp(max).toPrecision(6))] }
    default:
      return undefined
  }
}

interface Argument {
  readonly name: string
  readonly placeholder: string
}

function commandOf(config: Mapping, given: readonly Argument[], leftOut: string[]): unknown {
  const program = typeof config['program'] === 'string' ? config['program'] : 'train.py'
  if (config['program'] === undefined) leftOut.push('program: not given (train.py is taken)')
  const args = given.map(({ name, placeholder }) => `--${name}=${placeholder}`)
  if (!Array.isArray(config['command'])) return ['python', program, ...args]
  return (config['command'] as unknown[]).flatMap((word): string[] => {
    switch (word) {
      case '${env}':
        return []
      case '${interpreter}':
        return ['python']
      case '${program}':
        return [program]
      case '${args}':
        return args
      case '${args_no_hyphens}':
        return given.map(({ name, placeholder }) => `${name}=${placeholder}`)
      default:
        if (/^\$\{/.test(String(word))) leftOut.push(`command: ${String(word)}`)
        return /^\$\{/.test(String(word)) ? [] : [String(word)]
    }
  })
}

function objectiveOf({ metric }: Mapping): Mapping {
  if (!isMapping(metric) || typeof metric['name'] !== 'string') return {}
  return { objective: { metric: metric['name'], direction: metric['goal'] === 'maximize' ? 'maximize' : 'minimize' } }
}

/** W&B's hyperband is the stopping variant of successive halving over brackets; the nearest is ASHA. */
function schedulerOf({ early_terminate: early }: Mapping, leftOut: string[]): Mapping {
  if (!isMapping(early)) return {}
  const { type, min_iter: least, max_iter: most, eta } = early
  if (type !== 'hyperband' || (typeof least !== 'number' && typeof most !== 'number')) {
    leftOut.push(`early_terminate: ${JSON.stringify(early)}`)
    return {}
  }
  if (typeof most !== 'number')
    leftOut.push('early_terminate: max_iter is not given (asha needs maxSteps: 100 is taken)')
  return {
    scheduler: {
      asha: {
        maxSteps: typeof most === 'number' ? most : 100,
        ...(typeof least === 'number' ? { minSteps: least } : {}),
        ...(typeof eta === 'number' ? { reduction: eta } : {}),
      },
    },
  }
}
