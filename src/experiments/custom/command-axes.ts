import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { valueProblem } from '../../core/param-value.js'
import { literal, number, text, type Axis, type Space } from '../../core/space.js'
import type { Objective, ParamValue } from '../../core/trial.js'
import { hasEscapes, namesIn, templatesOf } from './command-words.js'
import { argsName, checkArgs, isGroup, paramsName } from './parameter-words.js'
import type { CommandDefinition } from './source.js'

/** An axis that a word has between braces though no word can name it: it would reach the program as it stands. */
function misnamed(definition: CommandDefinition, axes: readonly string[]): string | undefined {
  const named = namesOf(definition)
  const words = templatesOf(definition).filter((word) => !hasEscapes(word))
  return axes.find((axis) => !named.includes(axis) && words.some((word) => word.includes(`{${axis}}`)))
}

const namesOf = (definition: CommandDefinition): string[] => namesIn(templatesOf(definition), definition.escapes)

/** What a command may name beside its axes: the trial's seed, its folder, and all its parameters. An axis may be called so, too. */
const given = ['seed', 'folder', argsName, paramsName]

/**
 * The axes of a command's first stage beside these: those that it has defaults for, and those that its words name; of later
 * stages theirs, with and without the stage's name before them.
 */
export function axisNames(definition: CommandDefinition, named: readonly string[]): string[] {
  const later = (definition.later ?? []).flatMap(({ command }) =>
    ownAxes(command, []).flatMap((name) => [name, `${command.stage!}.${name}`]),
  )
  return [...new Set([...ownAxes(definition, named), ...later])]
}

/** @param inherited what the trials have that a later stage works on. */
function ownAxes(definition: CommandDefinition, named: readonly string[], inherited: readonly string[] = []): string[] {
  const said = [...named, ...Object.keys(definition.defaults)]
  const isGiven = (name: string): boolean =>
    given.includes(name) || inherited.includes(name) || (definition.stage !== undefined && parentName.test(name))
  const inWords = namesOf(definition).filter((name) => !isGiven(name) && !isGroup(name, said))
  return [...new Set([...said, ...inWords])].filter((name) => name !== 'seed')
}

/** The folder of the trial that a later stage works on, and of each where there are several. */
const parentName = /^parents?$|^parent\.[1-9]\d*$/

/** Whether a word has the axis, or a group that it belongs to, or all of them. */
const isRead = (axis: string, named: readonly string[]): boolean =>
  named.some((name) => name === axis || name === paramsName || name === argsName || axis.startsWith(`${name}.`))

/** A sentence where axes vary, or the seed does, and no word of the command names them; they may be a slip of the hand. */
export function describeUnread(
  definition: CommandDefinition,
  varying: readonly string[],
  seedVaries: boolean,
): string | undefined {
  const named = [definition, ...(definition.later ?? []).map(({ command }) => command)].flatMap(namesOf)
  const axes = varying.filter((axis) => !isRead(axis, named))
  const seed = seedVaries && !named.includes('seed')
  if (axes.length === 0 && !seed) return undefined
  const what = [...axes, ...(seed ? ['seed'] : [])].map((name) => `{${name}}`).join(', ')
  const where = [...(axes.length > 0 ? ['MLDS_PARAMS'] : []), ...(seed ? ['MLDS_SEED'] : [])].join(' and ')
  return `No word of the command has ${what}, which varies: the program learns of it only if it reads ${where} in its environment.`
}

/**
 * The command with its axes: what the spec gives values, and what the words name. An axis of numbers alone is a number, one
 * of texts alone a text. In the first language a text that is a numeral counted as a number, and one other text in an axis
 * made texts of all; there an axis that has been a number `before` stays one for its numerals.
 * @throws SpaceError when a word names an axis that has no value, or has one between braces that it can't name, or the
 * program itself would be left out.
 */
export function withAxes(
  definition: CommandDefinition,
  values: ValuesByAxis,
  options: AxesOptions = {},
): CommandDefinition {
  const { later, ...first } = definition
  if (later === undefined) return withOwnAxes(definition, values, options)
  const byStage = valuesByStage(definition, values)
  const stages = [withOwnAxes(first, byStage.get(first.stage!)!, options)]
  for (const { derive, command } of later) {
    const parent = stages.find(({ stage }) => stage === derive.from)!
    const strange = derive.axes.find(
      (axis) => !Object.hasOwn(parent.axes!, axis) && !(axis === 'seed' && derive.by === 'groups'),
    )
    if (strange !== undefined) throw new UnknownNameError(`axis of ${derive.from}`, strange, Object.keys(parent.axes!))
    stages.push(withOwnAxes(command, byStage.get(command.stage!)!, options, Object.keys(parent.axes!)))
  }
  return { ...stages[0]!, later: later.map(({ derive }, i) => ({ derive, command: stages[i + 1]! })) }
}

type ValuesByAxis = Readonly<Record<string, readonly unknown[]>>

interface AxesOptions {
  readonly objective?: Objective | undefined
  readonly language?: number | undefined
  readonly before?: Space | undefined
}

/** Which stage each axis belongs to: the one before its dot, else the first that names it, else the first of all. */
function valuesByStage(definition: CommandDefinition, values: ValuesByAxis): ReadonlyMap<string, ValuesByAxis> {
  const stages = [definition, ...(definition.later ?? []).map(({ command }) => command)]
  const found = new Map(stages.map(({ stage }) => [stage!, new Map<string, readonly unknown[]>()]))
  for (const [written, given] of Object.entries(values)) {
    const dot = written.indexOf('.')
    const stage = dot < 0 ? undefined : written.slice(0, dot)
    const name = written.slice(dot + 1)
    const holder = stages.find((one) => ownAxes(one, []).includes(written)) ?? definition
    if (stage !== undefined && found.has(stage))
      found.get(stage)!.set(name, [...(found.get(stage)!.get(name) ?? []), ...given])
    else found.get(holder.stage!)!.set(written, given)
  }
  return new Map([...found].map(([stage, own]) => [stage, Object.fromEntries(own)]))
}

/** @param inherited what the trials have that a later stage works on. */
function withOwnAxes(
  definition: CommandDefinition,
  values: ValuesByAxis,
  { objective, language = 1, before }: AxesOptions,
  inherited: readonly string[] = [],
): CommandDefinition {
  const { defaults } = definition
  if (!Object.hasOwn(values, argsName) && !Object.hasOwn(defaults, argsName))
    checkArgs(templatesOf(definition), definition.argv)
  const unnameable = misnamed(definition, [...Object.keys(values), ...Object.keys(defaults)])
  if (unnameable !== undefined)
    throw new SpaceError(
      `command: {${unnameable}} names no axis: a name between braces is of letters, digits and _ . -, and begins with no digit (give the axis such a name)`,
    )
  const axes: Space = Object.fromEntries(
    ownAxes(definition, Object.keys(values), inherited).map((name) => {
      const given = [
        ...(Object.hasOwn(defaults, name) ? [lookUp(defaults, name)] : []),
        ...(lookUp(values, name) ?? []),
      ]
      if (given.length === 0)
        throw new SpaceError(
          `command: {${name}} has no values (name it under axes, or under defaults; {{${name}}} is {${name}} as it stands)`,
        )
      if (namesIn(definition.argv.slice(0, 1)).includes(name) && given.includes(null))
        throw new SpaceError(`command: {${name}} is the program, which null would leave out (give it texts)`)
      return [name, language === 1 ? firstAxis(given, lookUp(before, name)) : axisOfValues(name, given)]
    }),
  )
  return { ...definition, axes, ...(objective === undefined ? {} : { objective }) }
}

const doc = 'an argument of the program'

function axisOfValues(name: string, given: readonly unknown[]): Axis {
  for (const value of given) {
    const problem = valueProblem(value)
    if (problem !== undefined) throw new SpaceError(`${name}: ${quoteInput(value)} ${problem}`)
  }
  const kinds = new Set(given.map((value) => typeof value))
  const [first] = given as ParamValue[]
  if (kinds.size === 1 && typeof first === 'number') return number({ default: first, literal: true, doc })
  if (kinds.size === 1 && typeof first === 'string') return text({ default: first, literal: true, doc })
  return literal({ default: first!, doc })
}

function firstAxis(given: readonly unknown[], before: Axis | undefined): Axis {
  const isNumber = given.every((value) => value !== '' && Number.isFinite(Number(value)))
  if (isNumber && before?.kind !== 'text') return number({ default: Number(given[0]), doc })
  if (before?.kind === 'number' || before?.kind === 'literal')
    return literal({ default: before.default, numerals: true, doc })
  return text({ default: String(given[0]), doc })
}
