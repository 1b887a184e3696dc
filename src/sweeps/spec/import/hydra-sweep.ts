import { SpaceError } from '../../../core/errors.js'
import { isMapping } from '../../../core/is-mapping.js'
import type { ParamValue } from '../../../core/trial.js'
import { valueAt, type Composed, type GroupOverride, type HydraConfigs } from './hydra-folder.js'

/** A word of Hydra's command line, read. */
export interface Override {
  readonly word: string
  readonly sign: '' | '+' | '++' | '~'
  readonly name: string
  readonly raw: string | undefined
  /** What it takes; `undefined` of what only Hydra itself can read. */
  readonly values: readonly ParamValue[] | undefined
}

/** What configs add to the overrides of a command line. */
export interface ConfigsSweep {
  /** The configs' own, but for those that the command line says too, then the command line's. */
  readonly overrides: readonly Override[]
  readonly leftOut: readonly string[]
  readonly taken: readonly string[]
  /** Words that the program needs beside. */
  readonly words: readonly string[]
}

/** More choices of groups than that are not put together one by one. */
const maxChoices = 200

/**
 * Puts the configs together as each trial would, and tells what Hydra would not take: an option that a group has not, a key that a
 * config has not.
 * @param given the overrides of the command line. @param read reads an override as it would stand on the command line.
 */
export function sweepOfConfigs(
  from: HydraConfigs,
  given: readonly Override[],
  read: (word: string) => Override,
): ConfigsSweep {
  const { configs, name } = from
  const composeWith = (overrides: readonly Override[], choice: Choice): Composed =>
    configs.compose(
      name,
      overrides.flatMap((override) => groupOverride(override, choice, from)),
    )
  const first = composeWith(given, firstChoice(given, from))
  const said = new Set(given.map((override) => override.name))
  const own = heldBy(first, said, read)
  const overrides = [...own.overrides.filter((override) => !said.has(override.name)), ...given]

  const problems = new Set<string>()
  const absent = new Set(first.absent)
  for (const { word, name: group, values } of overrides) {
    if (!configs.isGroup(groupOf(group))) continue
    const options = configs.options(groupOf(group))
    for (const value of values ?? [])
      for (const option of [value].flat())
        if (
          typeof option === 'string' &&
          !options.includes(option) &&
          configs.load(`${groupOf(group)}/${option}`) === undefined
        )
          problems.add(`${word} (${groupOf(group)} has no ${option}: it has ${options.join(', ') || 'no config'})`)
  }
  const { choices, isWhole } = choicesOf(overrides, from)
  if (problems.size === 0)
    for (const choice of choices) {
      const composed = composeWith(overrides, choice)
      for (const path of composed.absent) absent.add(path)
      // What no file tells may be in what is missing.
      if (composed.absent.length > 0) continue
      for (const override of overrides) {
        const problem = problemOf(override, composed, from)
        if (problem !== undefined) problems.add(`${override.word} (${problem}${describeChoice(choice)})`)
      }
    }
  for (const path of absent)
    problems.add(`${path} (no file: ${configs.nameOf(path)}; a config that the program itself holds is not read)`)
  return {
    overrides,
    leftOut: [...problems, ...own.leftOut],
    taken: [
      ...own.taken,
      ...(isWhole
        ? []
        : [`the config groups have too many choices to put each together: ${maxChoices} were looked at`]),
      `code names the configs alone beside the program: name its modules too, so that a sweep keeps its own copy of them`,
    ],
    words: own.words,
  }
}

/** The option of each swept group. */
type Choice = ReadonlyMap<string, ParamValue>

/** `db@backup` is an option of `db`. */
const groupOf = (name: string): string => name.replace(/[@:].*$/s, '')

const isSweptGroup = ({ name, sign, values }: Override, { configs }: HydraConfigs): boolean =>
  sign !== '~' && values !== undefined && configs.isGroup(groupOf(name))

const firstChoice = (overrides: readonly Override[], from: HydraConfigs): Choice =>
  new Map(overrides.filter((one) => isSweptGroup(one, from)).map(({ name, values }) => [name, values![0] ?? null]))

/** Every choice of options where these are not too many; else each option once beside the first of the others. */
function choicesOf(
  overrides: readonly Override[],
  from: HydraConfigs,
): { readonly choices: readonly Choice[]; readonly isWhole: boolean } {
  const swept = overrides.filter((one) => isSweptGroup(one, from))
  const count = swept.reduce((product, { values }) => product * Math.max(1, values!.length), 1)
  if (count <= maxChoices) {
    const choices = swept.reduce<Choice[]>(
      (all, { name, values }) => all.flatMap((one) => values!.map((value) => new Map([...one, [name, value]]))),
      [new Map()],
    )
    return { choices, isWhole: true }
  }
  const first = firstChoice(overrides, from)
  const single = swept.flatMap(({ name, values }) => values!.map((value): Choice => new Map([...first, [name, value]])))
  return { choices: single.slice(0, maxChoices), isWhole: false }
}

function groupOverride(
  { name, sign, raw, word }: Override,
  choice: Choice,
  { configs }: HydraConfigs,
): GroupOverride[] {
  const group = groupOf(name)
  if (!configs.isGroup(group) && !group.startsWith('hydra/')) return []
  if (sign === '++') throw new SpaceError(`${word}: a config group takes + or none before it`)
  const [, own] = /@(.*)$/s.exec(name) ?? []
  const option = sign === '~' ? raw : (choice.get(name) ?? raw)
  const isList = Array.isArray(option) && option.every((one) => typeof one === 'string')
  const known = option === null || option === undefined || isList ? option : String(option)
  return [{ sign, group, package: own, option: known }]
}

const describeChoice = (choice: Choice): string =>
  choice.size === 0 ? '' : ` where ${[...choice].map(([group, option]) => `${group}=${String(option)}`).join(' ')}`

/** Why Hydra would refuse an override of a key, whose config is closed; `undefined` where it takes it. */
function problemOf({ name, sign, raw }: Override, { config }: Composed, { configs }: HydraConfigs): string | undefined {
  if (configs.isGroup(groupOf(name)) || /^hydra[./]/.test(name)) return undefined
  if (name.includes('@')) return `no such config group: ${groupOf(name)}`
  const there = valueAt(config, name) !== undefined
  if (sign === '' && !there) return `the config has no such key: +${name} adds it`
  if (sign === '~' && !there) return 'the config has no such key'
  const isAdded = sign === '+' && there && valueAt(config, name) !== null && !/^[[{]/.test(raw ?? '')
  return isAdded ? 'the config has that key already: without +, or with ++' : undefined
}

/** The sweep that configs hold by themselves, and what of it mlds does otherwise. */
function heldBy(
  { config, choices }: Composed,
  said: ReadonlySet<string>,
  read: (word: string) => Override,
): Omit<ConfigsSweep, 'overrides'> & { readonly overrides: readonly Override[] } {
  const leftOut: string[] = []
  const hydra = valueAt(config, 'hydra')
  const { params, _target_: _, ...sweeper } = mappingAt(hydra, 'sweeper')
  const overrides = Object.entries(isMapping(params) ? params : {}).map(([name, value]) =>
    read(`${name}=${written(value)}`),
  )
  for (const [key, what] of [
    ['hydra/launcher', 'mlds starts trials itself: --workers, --nats'],
    ['hydra/sweeper', 'mlds has samplers of its own: search'],
  ] as const) {
    const option = choices.get(key) ?? 'basic'
    if (option !== 'basic' && !said.has(key)) leftOut.push(`${key}: ${String(option)} (${what})`)
  }
  for (const name of Object.keys(sweeper)) leftOut.push(`hydra.sweeper.${name}`)
  for (const name of Object.keys(mappingAt(hydra, 'launcher')))
    if (name !== '_target_') leftOut.push(`hydra.launcher.${name}`)
  if (valueAt(config, 'hydra.searchpath') !== undefined)
    leftOut.push('hydra.searchpath (configs elsewhere are not read)')
  const isMultirun = valueAt(config, 'hydra.mode') === 'MULTIRUN'
  const hasOutput = valueAt(config, 'hydra.sweep') !== undefined
  return {
    overrides,
    leftOut,
    // A trial is one run, whatever the config says.
    words: isMultirun ? ['hydra.mode=RUN'] : [],
    taken: hasOutput ? ['hydra.sweep says where a multirun writes: a trial writes where hydra.run says'] : [],
  }
}

const mappingAt = (config: unknown, name: string): Readonly<Record<string, unknown>> => {
  const found = isMapping(config) ? valueAt(config, name) : undefined
  return isMapping(found) ? found : {}
}

/** A value as Python writes it into an override. */
function written(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value)
}
