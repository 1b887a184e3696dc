import { quoteInput } from '../../../core/quote-input.js'
import { isMapping } from '../../../core/is-mapping.js'
import { SpecError } from '../../../core/errors.js'
import { isSameValue, valueProblem } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { readable } from '../sources.js'
import { asAxis, AxisNames, type Imported } from './imported.js'
import { asPythonWrites, readPythonYaml } from './python-yaml.js'

type Mapping = Readonly<Record<string, unknown>>
/**
 * A W&B sweep configuration (docs.wandb.ai, sweep configuration structure) as a sweep file.
 * @throws SpecError when it is not one.
 */
export function importWandb(text: string, file: string): Imported {
  let config: unknown
  try {
    config = readPythonYaml(text)
  } catch (error) {
    throw new SpecError(file, readable((error as Error).message), { cause: error })
  }
  if (!isMapping(config) || !isMapping(config['parameters']))
    throw new SpecError(file, 'not a W&B sweep configuration: it has no parameters')
  const leftOut: string[] = []
  const taken: string[] = []
  const axisNames = new AxisNames('.-')
  const underAxes = (found: ReadonlyMap<string, unknown>): Mapping =>
    Object.fromEntries([...found].map(([name, values]) => [axisNames.of(name), values]))
  const axes = new Map<string, unknown>()
  const searched = new Map<string, unknown>()
  const grid = config['method'] === 'grid'
  let seeds: unknown
  const written = parametersOf(config['parameters'], leftOut)
  // Of JSON, true is true in any language; a word of the command has what Python's str makes of it.
  const isWord = (name: string): boolean => !isJson(config) && Object.hasOwn(config['parameters'] as Mapping, name)
  for (const { name, parameter } of written) {
    const valued =
      isMapping(parameter) && isWord(name) && name !== 'seed' ? inPython(name, parameter, taken) : parameter
    const range = isMapping(valued) ? rangeOf(valued) : undefined
    const isTwice = written.some((other) => other.name === name && other.parameter !== parameter)
    if (isTwice) leftOut.push(`parameters.${name}: ${quoteInput(parameter)} (two have this name)`)
    else if (range === undefined || (name === 'seed' && !isSeeds(range)))
      leftOut.push(`parameters.${name}: ${quoteInput(parameter)}`)
    else if (name === 'seed') seeds = range
    else if (!Array.isArray(range)) searched.set(name, range)
    else if (grid || range.length === 1) axes.set(name, asAxis(range as ParamValue[]))
    else searched.set(name, asAxis(range as ParamValue[]))
  }
  if (seeds !== undefined && searched.size > 0) taken.push('parameters.seed: every drawn point runs with each of them')
  const isBayes = config['method'] === 'bayes' && searched.size > 0
  const search =
    searched.size === 0
      ? {}
      : {
          search: {
            sampler: isBayes ? 'tpe' : 'random',
            count: isCount(config['run_cap']) ? config['run_cap'] : 32,
            axes: underAxes(searched),
          },
        }
  if (isBayes) taken.push("method: bayes (sampler: tpe; W&B's own is a Gaussian process)")
  if (searched.size > 0 && config['run_cap'] === undefined)
    taken.push('run_cap: not given (32 points are drawn; change search.count)')
  else if (config['run_cap'] !== undefined && !isCount(config['run_cap']))
    leftOut.push(`run_cap: ${quoteInput(config['run_cap'])}`)
  if (!['grid', 'random', 'bayes'].includes(String(config['method'])))
    leftOut.push(`method: ${quoteInput(config['method'])}`)
  const { metric } = config
  if (isMapping(metric) && ![undefined, 'minimize', 'maximize'].includes(metric['goal'] as string | undefined))
    leftOut.push(`metric.goal: ${quoteInput(metric['goal'])}`)
  for (const [key, value] of Object.entries(isMapping(metric) ? metric : {}))
    if (!['name', 'goal'].includes(key)) leftOut.push(`metric.${key}: ${quoteInput(value)}`)
  if (metric !== undefined && (!isMapping(metric) || typeof metric['name'] !== 'string'))
    leftOut.push(`metric: ${quoteInput(metric)} (it has no name)`)
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
  for (const key of Object.keys(config)) if (!known.includes(key)) leftOut.push(`${key}: ${quoteInput(config[key])}`)
  return {
    spec: {
      experiment: {
        command: commandOf(
          config,
          argumentsOf([...axes.keys(), ...searched.keys()], seeds !== undefined, config['parameters'], axisNames),
          leftOut,
          taken,
        ),
      },
      ...(axes.size === 0 ? {} : { axes: underAxes(axes) }),
      ...search,
      ...(seeds === undefined ? {} : { seeds }),
      ...objectiveOf(config),
      ...schedulerOf(config, leftOut),
    },
    leftOut,
    taken,
  }
}

/** The command gives parameters as JSON. */
const isJson = ({ command }: Mapping): boolean => Array.isArray(command) && command.includes('${args_json}')

/** A parameter with its values as W&B gives them to the program, each a word. */
function inPython(name: string, parameter: Mapping, taken: string[]): Mapping {
  const { value, values } = parameter
  const listed: readonly unknown[] = 'value' in parameter ? [value] : Array.isArray(values) ? values : []
  const words = listed.map((one) => (valueProblem(one) === undefined ? asPythonWrites(one) : one))
  const others = words.filter((word, i) => !isSameValue(word as ParamValue, listed[i] as ParamValue))
  if (others.length === 0) return parameter
  taken.push(`parameters.${name}: the program gets ${others.join(', ')}, as W&B writes it`)
  return 'value' in parameter ? { ...parameter, value: words[0] } : { ...parameter, values: words }
}

const isCount = (cap: unknown): cap is number => Number.isSafeInteger(cap) && (cap as number) > 0

const isSeeds = (range: unknown): boolean =>
  Array.isArray(range) && range.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)

/** Values, a range of `search`, or undefined for a distribution that has no counterpart. */
function rangeOf(parameter: Mapping): unknown[] | Mapping | undefined {
  const { value, values, distribution, min, max, mu = 0, sigma = 1, q = 1, probabilities } = parameter
  const listed = 'value' in parameter ? [value] : values
  if (Array.isArray(listed)) {
    if (valueProblem(listed) !== undefined || listed.length === 0) return undefined
    if (probabilities !== undefined && (!Array.isArray(probabilities) || probabilities.length !== listed.length))
      return undefined
    return probabilities === undefined ? (listed as unknown[]) : { choice: listed, weights: probabilities }
  }
  const law = { normal: 'normal', q_normal: 'normal', log_normal: 'log-normal', q_log_normal: 'log-normal' }[
    String(distribution)
  ]
  if (law !== undefined) return { [law]: [mu, sigma], ...(String(distribution).startsWith('q_') ? { step: q } : {}) }
  if (typeof min !== 'number' || typeof max !== 'number' || !(min < max)) return undefined
  const whole = Number.isInteger(min) && Number.isInteger(max)
  switch (distribution) {
    case undefined:
      return whole ? { int: [min, max] } : { uniform: [min, max] }
    case 'uniform':
      return { uniform: [min, max] }
    case 'int_uniform':
      return { int: [min, max] }
    // Multiples of q, as here where the least is one.
    case 'q_uniform':
    case 'q_log_uniform_values':
      if (typeof q !== 'number' || !Number.isInteger(min / q) || !Number.isInteger(max / q)) return undefined
      return distribution === 'q_uniform'
        ? { [whole && Number.isInteger(q) ? 'int' : 'uniform']: [min, max], step: q }
        : { log: [min, max], step: q }
    case 'log_uniform_values':
      return { log: [min, max] }
    // Its bounds are exponents of e.
    case 'log_uniform':
      return { log: [Number(Math.exp(min).toPrecision(6)), Number(Math.exp(max).toPrecision(6))] }
    default:
      return undefined
  }
}

/** What W&B knows of a parameter (docs.wandb.ai, sweep configuration, parameters). */
const parameterKeys = ['value', 'values', 'probabilities', 'distribution', 'min', 'max', 'mu', 'sigma', 'q']

interface WrittenParameter {
  readonly name: string
  readonly parameter: unknown
}

/** The parameters by name, those within others with dots between (W&B's nested `parameters`). */
function parametersOf(parameters: Mapping, leftOut: string[], prefix = ''): WrittenParameter[] {
  return Object.entries(parameters).flatMap(([key, parameter]) => {
    const name = `${prefix}${key}`
    if (!isMapping(parameter)) return [{ name, parameter }]
    const { parameters: inner } = parameter
    const known = isMapping(inner) ? ['parameters'] : parameterKeys
    for (const [other, value] of Object.entries(parameter))
      if (!known.includes(other)) leftOut.push(`parameters.${name}.${other}: ${quoteInput(value)}`)
    return isMapping(inner) ? parametersOf(inner, leftOut, `${name}.`) : [{ name, parameter }]
  })
}

/** W&B gives the program each of its parameters; one that holds others as all that it holds. */
function argumentsOf(
  names: readonly string[],
  hasSeed: boolean,
  parameters: Mapping,
  axisNames: AxisNames,
): Argument[] {
  const outer = Object.keys(parameters).flatMap((key): Argument[] => {
    if (names.includes(key)) return [{ name: key, placeholder: `{${axisNames.of(key)}}` }]
    const inner = names.find((name) => name.startsWith(`${key}.`))
    if (inner === undefined) return []
    return [{ name: key, placeholder: `{${axisNames.of(inner).split('.').slice(0, key.split('.').length).join('.')}}` }]
  })
  return [...outer, ...(hasSeed ? [{ name: 'seed', placeholder: '{seed}' }] : [])]
}

interface Argument {
  readonly name: string
  readonly placeholder: string
}

/** A word as it stands: braces that would name an axis are doubled. */
const literalWord = (word: unknown): string => String(word).replaceAll(/[{}]/g, '$&$&')

function commandOf(config: Mapping, given: readonly Argument[], leftOut: string[], taken: string[]): unknown {
  const program = typeof config['program'] === 'string' ? literalWord(config['program']) : 'train.py'
  if (config['program'] === undefined) taken.push('program: not given (train.py is taken)')
  const args = given.map(({ name, placeholder }) => `--${name}=${placeholder}`)
  if (!Array.isArray(config['command'])) return ['python', program, ...args]
  return (config['command'] as unknown[]).flatMap((word): string[] => {
    switch (word) {
      case '${env}':
        return ['/usr/bin/env']
      case '${interpreter}':
        return ['python']
      case '${program}':
        return [program]
      case '${args}':
        return args
      case '${args_json}':
        if (!given.some(({ name }) => name === 'seed')) return ['{params}']
        leftOut.push('command: ${args_json} (with a seed among the parameters)')
        return []
      case '${args_no_hyphens}':
        return given.map(({ name, placeholder }) => `${name}=${placeholder}`)
      default:
        if (!String(word).includes('${')) return [literalWord(word)]
        leftOut.push(`command: ${String(word)}`)
        return []
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
  const { type, min_iter: least, max_iter: most, eta, ...others } = early
  if (type !== 'hyperband' || (typeof least !== 'number' && typeof most !== 'number')) {
    leftOut.push(`early_terminate: ${quoteInput(early)}`)
    return {}
  }
  for (const [key, value] of Object.entries(others)) leftOut.push(`early_terminate.${key}: ${quoteInput(value)}`)
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
