import { quoteInput } from '../../core/quote-input.js'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, isAbsolute, resolve } from 'node:path'
import { SpaceError, UnknownNameError, writtenAt } from '../../core/errors.js'
import { parseDuration } from '../../core/duration.js'
import { flatten } from '../../core/flatten.js'
import { isMapping } from '../../core/is-mapping.js'
import type { Space } from '../../core/space.js'
import type { Params } from '../../core/trial.js'
import { defaultFigures } from '../../figures/default-figures.js'
import type { Experiment, Stage } from '../experiment.js'
import { costOver, readCost } from './command-cost.js'
import { asciiPlaceholder, hasEscapes, namesIn, splitWords } from './command-words.js'
import { inCopy } from './code-copy.js'
import { codeFiles, fileOfWord, isFile, isWithin, maxCopiedBytes } from './code-files.js'
import { linearPattern } from './linear-pattern.js'
import { runCommand } from './run-command.js'
import { groupsBy, readStages } from './stages.js'
import type { CommandDefinition } from './source.js'

/**
 * Reads `experiment: {command: …}`, or `{stages: …}`; `folder` is what relative paths start from.
 * @throws SpaceError, UnknownNameError.
 */
export function parseCommand(raw: unknown, folder: string): CommandDefinition {
  if (!isMapping(raw) || !Object.hasOwn(raw, 'stages')) return parseOne(raw, folder)
  const { stages, ...shared } = raw
  const [first, ...later] = readStages(stages, shared).map(({ name, command, derive }) => ({
    derive,
    command: writtenAt(['stages', name], () => ({ ...parseOne(command, folder), stage: name })),
  }))
  return {
    ...first!.command,
    ...(later.length === 0 ? {} : { later: later.map(({ derive, command }) => ({ derive: derive!, command })) }),
  }
}

function parseOne(raw: unknown, folder: string): CommandDefinition {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw))
    throw new SpaceError('experiment: a name, a file, or {command: "program --option {axis}"}')
  const {
    command,
    cwd = '.',
    env = {},
    timeLimitMs: limit,
    timeout,
    parse,
    metricsFile,
    code,
    cost,
    defaults = {},
    ...others
  } = raw as Raw
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of experiment', unknown, commandKeys)
  const argv = typeof command === 'string' ? splitWords(command) : command
  if (!Array.isArray(argv) || argv.length === 0 || argv.some((word) => typeof word !== 'string' || word.includes('\0')))
    throw new SpaceError(`command: ${quoteInput(command)} is not a command (text, or a list of words)`)
  if (typeof cwd !== 'string' || cwd.includes('\0')) throw new SpaceError(`cwd: ${quoteInput(cwd)} is not a folder`)
  if (limit !== undefined && !(typeof limit === 'number' && limit > 0))
    throw new SpaceError(`timeLimitMs: ${quoteInput(limit)} is not a number of milliseconds above 0`)
  const timeLimitMs = timeout === undefined ? limit : readTimeout(timeout, limit)
  const isTemplate = namesIn([cwd]).length > 0 || hasEscapes(cwd)
  const variables = readEnv(env)
  const hasNewBraces =
    isTemplate ||
    namesIn(Object.values(variables)).length > 0 ||
    [...(argv as string[]), ...Object.values(variables)].some(hasEscapes)
  return {
    argv: argv as string[],
    cwd: isTemplate ? folder : resolve(folder, cwd),
    ...(isTemplate ? { workingFolder: cwd } : {}),
    env: variables,
    ...(hasNewBraces ? { escapes: true } : {}),
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
    ...(parse === undefined ? {} : { parse: readPatterns(parse) }),
    ...(metricsFile === undefined ? {} : { metricsFile: readFileName(metricsFile) }),
    ...(code === undefined ? {} : { code: readCode(code, resolve(folder, isTemplate ? '.' : cwd)) }),
    ...((argv as string[]).some((word) => isOfOption(word, resolve(folder, cwd))) ? { namesInOptions: true } : {}),
    ...(cost === undefined ? {} : { cost: readCost(cost) }),
    defaults: readDefaults(defaults),
  }
}

const commandKeys = [
  'command',
  'cwd',
  'env',
  'timeLimitMs',
  'timeout',
  'parse',
  'metricsFile',
  'code',
  'cost',
  'defaults',
] as const
type Raw = Readonly<Partial<Record<(typeof commandKeys)[number], unknown>>>

function readTimeout(raw: unknown, limit: unknown): number {
  const ms = typeof raw === 'string' ? parseDuration(raw) : undefined
  if (ms === undefined || ms < 1)
    throw new SpaceError(`timeout: ${quoteInput(raw)} is not a duration (such as 90s, 10m or 1h30m)`)
  if (limit !== undefined) throw new SpaceError('timeout and timeLimitMs both say how long (keep one)')
  return ms
}

function readDefaults(raw: unknown): Params {
  if (!isMapping(raw)) throw new SpaceError(`defaults: ${quoteInput(raw)} is not a mapping of axes to values`)
  return flatten('defaults', raw) as Params
}

function readEnv(raw: unknown): Record<string, string> {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw))
    throw new SpaceError(`env: ${quoteInput(raw)} is not a mapping of names to texts`)
  return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, String(value)]))
}

function readPatterns(raw: unknown): string[] {
  const patterns: unknown[] = Array.isArray(raw) ? raw : [raw]
  return patterns.map((pattern) => {
    if (typeof pattern !== 'string')
      throw new SpaceError(`parse: ${quoteInput(pattern)} is not a pattern (such as 'loss (?<loss>\\S+)')`)
    linearPattern(pattern)
    return pattern
  })
}

function readFileName(raw: unknown): string {
  if (typeof raw !== 'string' || raw === '' || isAbsolute(raw) || /(?:^|[\\/])\.\.(?:[\\/]|$)|\0/.test(raw))
    throw new SpaceError(`metricsFile: ${quoteInput(raw)} is not the name of a file in the trial's folder`)
  return raw
}

function readCode(raw: unknown, folder: string): string[] {
  const paths: unknown[] = Array.isArray(raw) ? raw : [raw]
  return paths.map((path) => {
    if (
      typeof path !== 'string' ||
      !(path === '.' || isWithin(folder, resolve(folder, path))) ||
      !existsSync(resolve(folder, path))
    )
      throw new SpaceError(`code: ${quoteInput(path)} is no file or folder in ${folder}`)
    return path
  })
}

/** Whether it is an option whose value names a file, `--config=file`. */
const isOfOption = (word: string, folder: string): boolean =>
  fileOfWord(word) !== word && isFile(resolve(folder, fileOfWord(word)))

/** What identifies a command: its words, surroundings, and the bytes of every file that a word names. */
export function hashCommand(command: CommandDefinition): string {
  const { argv, cwd, env, escapes, parse, metricsFile, code, namesInOptions, copy, stage, later } = command
  const hash = createHash('sha256').update(JSON.stringify([argv, env]))
  // Only where a command has them, so that others are what they were before there were such keys.
  if (escapes === true) hash.update('braces are escaped')
  if (parse !== undefined || metricsFile !== undefined) hash.update(JSON.stringify({ parse, metricsFile }))
  // A program that got these words as they stand has other results.
  if (namesIn(argv, escapes).some((name) => !asciiPlaceholder.test(name))) hash.update('names in any letters')
  const add = (file: string): void => {
    const place = (copy === undefined ? undefined : inCopy(file, copy)) ?? file
    if (isFile(place) && statSync(place).size < maxCopiedBytes) hash.update(readFileSync(place))
  }
  for (const word of argv) add(resolve(cwd, word))
  if (namesInOptions === true)
    for (const word of argv) if (fileOfWord(word) !== word) add(resolve(cwd, fileOfWord(word)))
  if (code !== undefined) {
    const { root, files } = codeFiles(command)!
    for (const file of files) {
      hash.update(JSON.stringify(file))
      add(resolve(root, file))
    }
  }
  if (stage !== undefined) hash.update(JSON.stringify(['stage', stage]))
  for (const { derive, command: one } of later ?? [])
    hash.update(JSON.stringify(derive)).update(hashCommand({ ...one, ...(copy === undefined ? {} : { copy }) }))
  return hash.digest('hex')
}

/** The file that is run, as a person calls it: `train.py`, whatever starts it and wherever it is. */
export function programOf({ argv }: Pick<CommandDefinition, 'argv'>): string {
  return basename(argv.find((word, i) => i > 0 && /\.\w+$/.test(word)) ?? argv[0]!)
}

/**
 * An experiment that runs the program once a trial. Its axes are those that the spec or the command names: numbers where
 * every value is one, text elsewhere. A line of JSON on standard output is a report when it has a `step`, else part of the
 * result; everything else goes to the trial's log.
 */
export function commandExperiment(definition: CommandDefinition): Experiment {
  const { axes: space = {}, objective = { metric: 'loss', direction: 'minimize' } } = definition
  const program = programOf(definition)
  const profile = { axes: {}, seeds: [0] }
  const stages: Experiment['stages'] = [stageOf(definition, space), ...laterStages(definition)]
  return {
    name: program.replace(/\.\w+$/, '') || 'command',
    aliases: [],
    version: 1,
    title: program,
    question: 'What does the program make of its parameters?',
    source: definition.argv.join(' '),
    objective,
    stages,
    profiles: { smoke: profile, reduced: profile, full: profile },
    figures: defaultFigures(stages, objective),
    claims: [],
  }
}

/** Until the axes are known, all trials cost the same. */
function costOf({ axes, cost }: CommandDefinition): Stage['cost'] {
  if (axes === undefined || cost === undefined) return () => 1
  return writtenAt(['experiment', 'cost'], () => costOver(axes, cost))
}

const stageOf = (definition: CommandDefinition, space: Space): Stage => ({
  name: definition.stage ?? 'main',
  space,
  engine: false,
  data: () => [],
  cost: costOf(definition),
  run: (params, context) => runCommand(definition, params, context),
})

function laterStages({ later = [], copy, user, guard }: CommandDefinition): Stage[] {
  const host = {
    ...(copy === undefined ? {} : { copy }),
    ...(user === undefined ? {} : { user }),
    ...(guard === undefined ? {} : { guard }),
  }
  return later.map(({ derive, command }) => ({
    ...stageOf({ ...command, ...host }, command.axes ?? {}),
    derive: { from: derive.from, groups: (trials) => groupsBy(derive, trials) },
  }))
}
