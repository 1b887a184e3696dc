import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { DivergedError, MldsError, SpaceError, UnknownNameError } from '../../core/errors.js'
import { defaultFigures } from '../../figures/default-figures.js'
import { signalGroup } from '../../system/process-group.js'
import { killMarked } from '../../system/process-tree.js'
import { guardVariable } from '../../system/watchdog.js'
import { trialEnvironment } from '../../system/trial-environment.js'
import { isToldToGo, toldTogetherMs } from '../../core/told-to-go.js'
import { valueProblem, wordOf } from '../../core/param-value.js'
import { literal, number, text, type Axis, type Space } from '../../core/space.js'
import type { Metrics, Objective, Params, ParamValue } from '../../core/trial.js'
import type { Experiment, TrialContext } from '../experiment.js'
import type { CommandDefinition } from './source.js'
import { lookUp } from '../../core/names.js'
import { boundedLog, maxLineBytes } from '../../system/printed-lines.js'

/** Reads `experiment: {command: …}`; `folder` is what relative paths start from. @throws SpaceError, UnknownNameError. */
export function parseCommand(raw: unknown, folder: string): CommandDefinition {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw))
    throw new SpaceError('experiment: a name, a file, or {command: "program --option {axis}"}')
  const { command, cwd = '.', env = {}, timeLimitMs, defaults = {}, ...others } = raw as Record<string, unknown>
  const [unknown] = Object.keys(others)
  const known = ['command', 'cwd', 'env', 'timeLimitMs', 'defaults']
  if (unknown !== undefined) throw new UnknownNameError('key of experiment', unknown, known)
  const argv = typeof command === 'string' ? splitWords(command) : command
  if (!Array.isArray(argv) || argv.length === 0 || argv.some((word) => typeof word !== 'string' || word.includes('\0')))
    throw new SpaceError(`command: ${JSON.stringify(command)} is not a command (text, or a list of words)`)
  if (typeof cwd !== 'string') throw new SpaceError(`cwd: ${JSON.stringify(cwd)} is not a folder`)
  if (timeLimitMs !== undefined && !(typeof timeLimitMs === 'number' && timeLimitMs > 0))
    throw new SpaceError(`timeLimitMs: ${JSON.stringify(timeLimitMs)} is not a number of milliseconds above 0`)
  return {
    argv: argv as string[],
    cwd: resolve(folder, cwd),
    env: Object.fromEntries(Object.entries(env as object).map(([name, value]) => [name, String(value)])),
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
    defaults: defaults as Params,
  }
}

/** Words as a shell splits them, with quotes and backslashes, and nothing else a shell does. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!
    if (quote !== undefined) {
      if (letter === quote) quote = undefined
      else if (letter === '\\' && quote === '"' && /["\\]/.test(line[i + 1] ?? '')) word += line[++i]!
      else word += letter
    } else if (letter === '"' || letter === "'") {
      quote = letter
      word ??= ''
    } else if (letter === '\\' && i + 1 < line.length) word = (word ?? '') + line[++i]!
    else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + letter
  }
  if (quote !== undefined) throw new SpaceError(`command: a ${quote} is not closed: ${line}`)
  return word === undefined ? words : [...words, word]
}

const placeholder = /\{([\p{L}_][\p{L}\p{N}_.-]*)\}/gu
const wholePlaceholder = new RegExp(`^${placeholder.source}$`, 'u')
/** What earlier versions took for a placeholder: they passed over names in other letters than these. */
const asciiPlaceholder = /^[A-Za-z_][\w.-]*$/

/**
 * The program's words with values in place: a value is part of one word, whatever is in it, a list as JSON. A word with a
 * value that is null is left out, and so is the option before a word that is nothing else (`--dropout {dropout}`).
 */
export function fillWords(argv: readonly string[], values: Params): string[] {
  const filled: string[] = []
  for (const [i, word] of argv.entries()) {
    if (namesIn([word]).some((name) => lookUp(values, name) === null)) {
      const isOption = i > 1 && /^--?[^-\s{]/.test(argv[i - 1]!) && !/[={]/.test(argv[i - 1]!)
      if (isOption && wholePlaceholder.test(word)) filled.pop()
      continue
    }
    filled.push(
      word.replace(placeholder, (whole, name: string) => {
        const value = lookUp(values, name)
        return value === undefined ? whole : wordOf(value)
      }),
    )
  }
  return filled
}

/** What identifies a command: its words, surroundings, and the bytes of every file that a word names. */
export function hashCommand({ argv, cwd, env }: CommandDefinition): string {
  const hash = createHash('sha256').update(JSON.stringify([argv, env]))
  // A program that got these words as they stand has other results.
  if (namesIn(argv).some((name) => !asciiPlaceholder.test(name))) hash.update('names in any letters')
  for (const word of argv) {
    const file = resolve(cwd, word)
    if (existsSync(file) && statSync(file).isFile() && statSync(file).size < 16 << 20) hash.update(readFileSync(file))
  }
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
  return {
    name: program.replace(/\.\w+$/, '') || 'command',
    aliases: [],
    version: 1,
    title: program,
    question: 'What does the program make of its parameters?',
    source: definition.argv.join(' '),
    objective,
    stages: [
      {
        name: 'main',
        space,
        engine: false,
        data: () => [],
        cost: () => 1,
        run: (params, context) => runCommand(definition, params, context),
      },
    ],
    profiles: { smoke: profile, reduced: profile, full: profile },
    figures: defaultFigures(space, objective),
    claims: [],
  }
}

const namesIn = (argv: readonly string[]): string[] =>
  argv.flatMap((word) => [...word.matchAll(placeholder)].map((match) => match[1]!))

/** An axis that a word has between braces though no word can name it: it would reach the program as it stands. */
function misnamed(argv: readonly string[], axes: readonly string[]): string | undefined {
  const named = namesIn(argv)
  return axes.find((axis) => !named.includes(axis) && argv.some((word) => word.includes(`{${axis}}`)))
}

/** The axes of a command beside these: those that it has defaults for, and those that its words name. */
export function axisNames({ argv, defaults }: CommandDefinition, given: readonly string[]): string[] {
  return [...new Set([...given, ...Object.keys(defaults), ...namesIn(argv)])].filter((name) => name !== 'seed')
}

/** A sentence where axes vary, or the seed does, and no word of the command names them; they may be a slip of the hand. */
export function describeUnread(
  { argv }: CommandDefinition,
  varying: readonly string[],
  seedVaries: boolean,
): string | undefined {
  const named = namesIn(argv)
  const axes = varying.filter((axis) => !named.includes(axis))
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
  values: Readonly<Record<string, readonly unknown[]>>,
  {
    objective,
    language = 1,
    before,
  }: {
    readonly objective?: Objective | undefined
    readonly language?: number | undefined
    readonly before?: Space | undefined
  } = {},
): CommandDefinition {
  const { defaults } = definition
  const unnameable = misnamed(definition.argv, [...Object.keys(values), ...Object.keys(defaults)])
  if (unnameable !== undefined)
    throw new SpaceError(
      `command: {${unnameable}} names no axis: a name between braces is of letters, digits and _ . -, and begins with no digit (give the axis such a name)`,
    )
  const axes: Space = Object.fromEntries(
    axisNames(definition, Object.keys(values)).map((name) => {
      const given = [
        ...(Object.hasOwn(defaults, name) ? [lookUp(defaults, name)] : []),
        ...(lookUp(values, name) ?? []),
      ]
      if (given.length === 0)
        throw new SpaceError(`command: {${name}} has no values (name it under axes, or under defaults)`)
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
    if (problem !== undefined) throw new SpaceError(`${name}: ${JSON.stringify(value)} ${problem}`)
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

/** After a polite signal, before the one that can't be ignored. */
const patienceMs = 3_000
/** After a program's end, before what it left holding its output open is ended too. */
const leftOpenMs = 1_000
/** The variable that names a trial's folder, and so marks all that the trial's program has started. */
const folderVariable = 'MLDS_FOLDER'
/** Files left in the trial's folder are kept with its result up to these. */
const maxFiles = 32
const maxFileBytes = 64 << 20

async function runCommand(definition: CommandDefinition, params: Params, context: TrialContext): Promise<Metrics> {
  const { trial, seeds } = context
  const [program, ...args] = fillWords(definition.argv, { ...params, seed: seeds.init }) as [string, ...string[]]
  const { user, guard } = definition
  const folder = await mkdtemp(join(guard?.folder ?? tmpdir(), `mlds-${trial.id}-`))
  try {
    if (user !== undefined) await chown(folder, user.uid, user.gid)
    context.log(`${JSON.stringify([program, ...args])} in ${definition.cwd}`)
    const child = spawn(program, args, {
      cwd: definition.cwd,
      // A group of its own, so that what it started goes with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      env: {
        ...trialEnvironment(process.env),
        ...(user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }),
        ...definition.env,
        ...(guard === undefined ? {} : { [guardVariable]: guard.token }),
        MLDS_TRIAL: trial.id,
        MLDS_PARAMS: JSON.stringify(params),
        MLDS_SEED: String(seeds.init),
        [folderVariable]: folder,
      },
    })
    const endTree = (): void => void killMarked(folderVariable, folder)
    const metrics = await attend(child, definition, context, endTree).catch(async (error: unknown) => {
      if (error instanceof DivergedError) await keepFiles(folder, context)
      throw error
    })
    await keepFiles(folder, context)
    return metrics
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Reads the program until it has ended, one way or another. */
async function attend(
  child: ChildProcess,
  { timeLimitMs }: CommandDefinition,
  context: TrialContext,
  endTree: () => void,
): Promise<Metrics> {
  const { signal } = context
  const metrics = new Map<string, number>()
  const log = boundedLog((line) => context.log(line))
  let lastError = ''
  let timedOut = false
  let failure: unknown
  const timers: NodeJS.Timeout[] = []
  const end = (): void => {
    signalGroup(child.pid, 'SIGTERM')
    timers.push(setTimeout(() => signalGroup(child.pid, 'SIGKILL'), patienceMs))
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  if (timeLimitMs !== undefined)
    timers.push(
      setTimeout(() => {
        timedOut = true
        end()
      }, timeLimitMs),
    )
  const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', (error) => reject(new MldsError('COMMAND', `the program can't be started: ${error.message}`)))
    child.once('exit', (code, by) => {
      // What it left running would hold its output open for ever.
      signalGroup(child.pid, 'SIGKILL')
      resolve([code, by])
    })
  })
  const reading = Promise.all([
    readLines(child.stdout!, async (line) => {
      const told = parseMetrics(line)
      if (told === undefined) return log(line)
      const { step, ...numbers } = told
      for (const [name, value] of Object.entries(numbers)) metrics.set(name, value)
      if (step === undefined || failure !== undefined) return
      // A report that is refused (stopped, diverged) ends the program too; what it still prints is read and dropped.
      await context.report(step, numbers).catch((error: unknown) => {
        failure = error
        end()
      })
    }),
    readLines(child.stderr!, (line) => {
      if (line.trim() !== '') lastError = line
      log(line)
    }),
  ])
  try {
    const [code, by] = await exited
    if (signal.aborted || failure !== undefined || timedOut) endTree()
    await outputOf(child, reading, endTree)
    signal.throwIfAborted()
    if (failure !== undefined) throw failure as Error
    if (timedOut) throw new MldsError('COMMAND', `the program took longer than its limit: ${timeLimitMs} ms`)
    if (code !== 0) {
      const how = `the program ended ${by === null ? `with exit code ${code}` : `by ${by}`}`
      if (isToldToGo(how)) await new Promise((resolve) => setTimeout(resolve, toldTogetherMs))
      throw new MldsError('COMMAND', `${how}${lastError === '' ? '' : `: ${lastError.slice(0, 500)}`}`)
    }
    if (metrics.size === 0) context.log('the program printed no metrics (lines such as {"step": 1, "loss": 0.5})')
    return Object.fromEntries(metrics)
  } finally {
    signal.removeEventListener('abort', end)
    timers.forEach(clearTimeout)
  }
}

/** Reads to the end what the program printed: what it left running in a session of its own may hold its output open. */
async function outputOf(child: ChildProcess, reading: Promise<unknown>, endTree: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const closed = reading.then(() => true)
  const isOpen = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), leftOpenMs)))
  if (!(await Promise.race([closed, isOpen]))) {
    endTree()
    // One that has cleared its environment is not found: its output is left unread.
    timer = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), leftOpenMs)
    await reading.catch(() => {})
  }
  clearTimeout(timer)
}

async function readLines(stream: Readable, take: (line: string) => Promise<void> | void): Promise<void> {
  for await (const line of createInterface({ input: Readable.from(bounded(stream)), crlfDelay: Infinity }))
    await take(line)
}

/** The stream with a line end put in where a line grows beyond all measure, so that none is gathered without limit. */
async function* bounded(stream: Readable): AsyncGenerator<Buffer> {
  let length = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const last = chunk.lastIndexOf(10)
    length = last < 0 ? length + chunk.length : chunk.length - last - 1
    yield chunk
    if (length > maxLineBytes) {
      yield Buffer.from('\n')
      length = 0
    }
  }
}

/** Numbers of a line of JSON; Python writes NaN and Infinity, which JSON has not, and JavaScript null for both. */
export function parseMetrics(line: string): ({ step?: number } & Record<string, number>) | undefined {
  if (!line.trimStart().startsWith('{')) return undefined
  let value: unknown
  try {
    value = JSON.parse(line.replace(/(?<=[:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, '"$1"'))
  } catch {
    return undefined
  }
  const numbers = Object.entries(value as object).flatMap(([name, number]): [string, number][] =>
    typeof number === 'number'
      ? [[name, number]]
      : number === null && name !== 'step'
        ? [[name, NaN]]
        : /^(?:-?Infinity|NaN)$/.test(String(number))
          ? [[name, Number(number)]]
          : [],
  )
  return numbers.length === 0 ? undefined : Object.fromEntries(numbers)
}

async function keepFiles(folder: string, context: TrialContext): Promise<void> {
  const files = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile()).slice(0, maxFiles)
  for (const { name } of files) {
    const bytes = await readFile(join(folder, name))
    if (bytes.length <= maxFileBytes) await context.save(name, bytes)
    else context.log(`${name} is not kept: ${bytes.length} bytes (at most ${maxFileBytes})`)
  }
}
