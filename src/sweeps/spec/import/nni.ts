import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { fileProblem, SpecError } from '../../../core/errors.js'
import { quoteInput } from '../../../core/quote-input.js'
import { isMapping } from '../../../core/is-mapping.js'
import { valueProblem } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { asAxis, AxisNames, type Imported } from './imported.js'
import { readable } from '../sources.js'

type Mapping = Readonly<Record<string, unknown>>
const maxBytes = 4 << 20
const maxDepth = 10

/**
 * An experiment configuration of NNI 2 or 3 (nni.readthedocs.io, experiment config reference) with its search space, or a search space
 * alone, as a sweep file.
 * @throws SpecError for a file that is neither.
 */
export function importNni(file: string): Imported {
  const config = readMapping(file)
  const isSpace =
    Object.values(config).length > 0 && Object.values(config).every((one) => isMapping(one) && '_type' in one)
  const named = config['searchSpaceFile']
  const space = isSpace
    ? config
    : typeof named === 'string'
      ? readMapping(resolve(dirname(file), named))
      : (config['searchSpace'] ?? config['search_space'])
  if (!isMapping(space))
    throw new SpecError(file, 'not a configuration of NNI: it has no searchSpace and no searchSpaceFile')
  const found: Space = { axes: new Map(), when: new Map(), names: new AxisNames('.-'), leftOut: [] }
  for (const [name, one] of Object.entries(space)) readParameter(found, name, one, undefined, 1)
  return isSpace ? assemble(found, {}, []) : assemble(found, config, unknownKeys(config))
}

interface Space {
  readonly axes: Map<string, unknown>
  /** Of a parameter within an option of another: that one, and the option. */
  readonly when: Map<string, Readonly<Record<string, ParamValue>>>
  readonly names: AxisNames
  readonly leftOut: string[]
}

function readParameter(
  space: Space,
  name: string,
  raw: unknown,
  only: Readonly<Record<string, ParamValue>> | undefined,
  depth: number,
): void {
  const { axes, when, names, leftOut } = space
  const options =
    isMapping(raw) && raw['_type'] === 'choice' && Array.isArray(raw['_value']) ? (raw['_value'] as unknown[]) : []
  const add = (axis: string, values: unknown): void => {
    const written = names.of(axis)
    if (axes.has(written)) return void leftOut.push(`${axis}: in several options of a choice`)
    axes.set(written, values)
    if (only !== undefined) when.set(written, only)
  }
  if (options.some((option) => isMapping(option) && '_name' in option)) {
    if (depth > maxDepth || !options.every((option) => isMapping(option) && typeof option['_name'] === 'string'))
      return void leftOut.push(`${name}: ${quoteInput(raw)}`)
    const inner = `${name}.name`
    add(
      inner,
      options.map((option) => (option as Mapping)['_name']),
    )
    for (const { _name: option, ...parameters } of options as Mapping[])
      for (const [key, one] of Object.entries(parameters))
        readParameter(space, `${name}.${key}`, one, { ...only, [names.of(inner)]: option as string }, depth + 1)
    return
  }
  const axis = isMapping(raw) ? axisOf(raw) : undefined
  if (axis === undefined) leftOut.push(`${name}: ${quoteInput(raw)}`)
  else add(name, axis)
}

/** NNI's types of parameters (search space specification); `undefined` for what has no counterpart. */
function axisOf({ _type: type, _value: value, ...others }: Mapping): unknown {
  if (!Array.isArray(value) || Object.keys(others).length > 0) return undefined
  const [a, b, q] = value as number[]
  if (type === 'choice') return valueProblem(value) === undefined ? asAxis(value as ParamValue[]) : undefined
  const arity = String(type).startsWith('q') ? 3 : 2
  if (value.length !== arity || !value.every((one) => typeof one === 'number')) return undefined
  // Rounded to multiples of q there, counted from the least here: the same where that is one.
  const isMultiple = [a! / q!, b! / q!].every((one) => Math.abs(one - Math.round(one)) < 1e-9)
  switch (type) {
    case 'randint':
      return b! - 1 === a ? [a] : { int: [a, b! - 1] }
    case 'uniform':
      return { uniform: [a, b] }
    case 'loguniform':
      return { log: [a, b] }
    case 'quniform':
      if (!isMultiple) return undefined
      return { [[a, b, q].every(Number.isInteger) ? 'int' : 'uniform']: [a, b], step: q }
    case 'qloguniform':
      return isMultiple ? { log: [a, b], step: q } : undefined
    case 'normal':
    case 'qnormal':
      return { normal: [a, b], ...(type === 'qnormal' ? { step: q } : {}) }
    case 'lognormal':
    case 'qlognormal':
      return { 'log-normal': [a, b], ...(type === 'qlognormal' ? { step: q } : {}) }
    default:
      return undefined
  }
}

const samplers: Readonly<Record<string, string>> = { TPE: 'tpe', Random: 'random', GP: 'gp', GridSearch: 'grid' }

function assemble({ axes, when, leftOut }: Space, config: Mapping, unknown: readonly string[]): Imported {
  for (const key of unknown) leftOut.push(key)
  const taken: string[] = []
  const tuner = isMapping(config['tuner']) ? config['tuner'] : {}
  const { name: tunerName, classArgs, ...unknownOfTuner } = tuner
  const { optimize_mode: mode, ...others } = isMapping(classArgs) ? classArgs : ({} as Mapping)
  for (const [key, one] of Object.entries(unknownOfTuner)) leftOut.push(`tuner.${key}: ${quoteInput(one)}`)
  for (const [key, one] of Object.entries(others)) leftOut.push(`tuner.classArgs.${key}: ${quoteInput(one)}`)
  if (![undefined, 'minimize', 'maximize'].includes(mode as string | undefined))
    leftOut.push(`tuner.classArgs.optimize_mode: ${quoteInput(mode)}`)
  const sampler = samplers[typeof tunerName === 'string' ? tunerName : tunerName === undefined ? 'Random' : '']
  if (sampler === undefined) leftOut.push(`tuner: ${quoteInput(tunerName)} (random is taken)`)
  const ranges = [...axes].filter(([, axis]) => isMapping(axis))
  const isGrid = sampler === 'grid' && ranges.length === 0
  if (sampler === 'grid' && !isGrid)
    leftOut.push(`tuner: "GridSearch" over a range: ${ranges.map(([name]) => name).join(', ')}`)
  const count = config['maxTrialNumber'] ?? config['max_trial_number']
  if (count === undefined && !isGrid) taken.push('maxTrialNumber: not given (32 points are drawn; change search.count)')
  if (config['trialConcurrency'] !== undefined)
    taken.push(`trialConcurrency: say --workers ${JSON.stringify(config['trialConcurrency'])}`)
  const command = typeof config['trialCommand'] === 'string' ? config['trialCommand'] : 'python train.py'
  if (config['trialCommand'] === undefined) taken.push('trialCommand: not given (python train.py is taken)')
  taken.push('parameters: given as --name=value (a program that calls nni.get_next_parameter() reads flags instead)')
  taken.push('objective: default (what a program gave to nni.report_final_result() it prints as default=…)')
  // Where an option of a choice has no such parameter, none is given.
  const absent = Object.fromEntries([...when.keys()].map((name) => [name, null]))
  const all = Object.fromEntries(axes)
  return {
    spec: {
      experiment: {
        command: `${command.replaceAll('{', '{{')} {args}`,
        ...(typeof config['trialCodeDirectory'] === 'string' && config['trialCodeDirectory'] !== '.'
          ? { cwd: config['trialCodeDirectory'] }
          : {}),
        ...(when.size === 0 ? {} : { defaults: absent }),
      },
      ...(isGrid
        ? { axes: all }
        : {
            search: {
              sampler: sampler === undefined || sampler === 'grid' ? 'random' : sampler,
              count: Number(count ?? 32),
              axes: all,
            },
          }),
      ...(when.size === 0 ? {} : { when: Object.fromEntries(when) }),
      objective: { metric: 'default', direction: mode === 'minimize' ? 'minimize' : 'maximize' },
      ...schedulerOf(config['assessor'], leftOut),
      ...timeoutOf(config['maxTrialDuration'], leftOut),
    },
    leftOut,
    taken,
  }
}

/** A time with its unit, or seconds (NNI 2, experiment config). */
function timeoutOf(duration: unknown, leftOut: string[]): Mapping {
  if (duration === undefined || duration === null) return {}
  if (typeof duration === 'string') return { timeout: duration }
  if (typeof duration === 'number' && duration > 0) return { timeout: `${duration}s` }
  leftOut.push(`maxTrialDuration: ${quoteInput(duration)}`)
  return {}
}

function schedulerOf(assessor: unknown, leftOut: string[]): Mapping {
  if (assessor === undefined || assessor === null) return {}
  const { name, classArgs, ...unknown } = isMapping(assessor) ? assessor : ({} as Mapping)
  const { start_step: start, optimize_mode: _, ...others } = isMapping(classArgs) ? classArgs : ({} as Mapping)
  if (name !== 'Medianstop' || Object.keys({ ...others, ...unknown }).length > 0) {
    leftOut.push(`assessor: ${quoteInput(assessor)}`)
    return {}
  }
  return { scheduler: { median: typeof start === 'number' && start > 0 ? { graceSteps: start } : {} } }
}

/** Those that say what is tried and how; others are listed. */
const known = [
  ...[
    'searchSpace',
    'searchSpaceFile',
    'search_space',
    'trialCommand',
    'trialCodeDirectory',
    'trialConcurrency',
    'maxTrialNumber',
  ],
  ...[
    'max_trial_number',
    'maxTrialDuration',
    'tuner',
    'assessor',
    'experimentName',
    'debug',
    'logLevel',
    'experimentWorkingDirectory',
  ],
]

function unknownKeys(config: Mapping): string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const isLocal = key === 'trainingService' && isMapping(value) && value['platform'] === 'local'
    return known.includes(key) || isLocal ? [] : [`${key}: ${quoteInput(value)}`]
  })
}

function readMapping(file: string): Mapping {
  let text: string
  try {
    if (statSync(file).size > maxBytes) throw new SpecError(file, `it has more than ${maxBytes} bytes`)
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof SpecError) throw error
    throw new SpecError(file, fileProblem(error), { cause: error })
  }
  let raw: unknown
  try {
    raw = parse(text)
  } catch (error) {
    throw new SpecError(file, `not YAML: ${readable((error as Error).message.split('\n')[0]!)}`, { cause: error })
  }
  if (!isMapping(raw)) throw new SpecError(file, 'a configuration of NNI is a mapping')
  return raw
}
