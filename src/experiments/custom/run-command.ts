import { spawn, type ChildProcess } from 'node:child_process'
import { statSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { DivergedError, MldsError } from '../../core/errors.js'
import { isToldToGo, toldTogetherMs } from '../../core/told-to-go.js'
import type { Metrics, Params } from '../../core/trial.js'
import { limitMemory } from '../../system/memory-limit.js'
import { boundedLog, maxLineBytes } from '../../system/printed-lines.js'
import { signalGroup } from '../../system/process-group.js'
import { ProcessTree } from '../../system/process-tree.js'
import { watchUsage } from '../../system/process-usage.js'
import { trialEnvironment } from '../../system/trial-environment.js'
import { guardVariable } from '../../system/watchdog.js'
import type { TrialContext } from '../experiment.js'
import { copyVariables, folderInCopy, wordInCopy } from './code-copy.js'
import { fillCommand } from './command-words.js'
import { keepFiles, readLeftText } from './kept-files.js'
import { readMetricsText } from './metrics-file.js'
import { parentValues, putParentFiles, type ParentFiles } from './parent-files.js'
import { loggingVariables } from './program-logging.js'
import { PrintedMetrics } from './printed-metrics.js'
import { checkpointVariable, ProgramCheckpoint } from './program-checkpoint.js'
import type { CommandDefinition } from './source.js'

/** After a polite signal, before the one that can't be ignored. */
const patienceMs = 3_000
/** After a program's end, before what it left holding its output open is ended too. */
const leftOpenMs = 1_000
/** The variable that names a trial's folder, and so marks all that the trial's program has started. */
const folderVariable = 'MLDS_FOLDER'

/** Runs the program of one trial and reads what it tells. @throws MldsError when it ends badly. */
export async function runCommand(
  definition: CommandDefinition,
  params: Params,
  context: TrialContext,
): Promise<Metrics> {
  const { trial, seeds } = context
  const { user, guard, metricsFile } = definition
  const parent = guard?.folder ?? tmpdir()
  const folder = await mkdtemp(join(parent, `mlds-${trial.id}-`))
  let checkpoint: ProgramCheckpoint | undefined
  let from: ParentFiles | undefined
  try {
    checkpoint = await ProgramCheckpoint.open(context.checkpoint, parent, user)
    if (user !== undefined) await chown(folder, user.uid, user.gid)
    from = await putParentFiles(context, parent, user)
    const parents = parentValues(context.parents, from)
    const { env, ...filled } = fillCommand(definition, { params, folder, seed: seeds.init, parents })
    const argv = filled.argv.map((word) => wordInCopy(word, filled.cwd, definition.copy))
    const cwd = folderInCopy(filled.cwd, definition.copy)
    const [program, ...args] = argv as [string, ...string[]]
    context.log(`${JSON.stringify(argv)} in ${cwd}`)
    requireFolder(cwd)
    const child = spawn(program, args, {
      cwd,
      // A group of its own, so that what it started goes with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      env: {
        ...trialEnvironment(process.env),
        ...(user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }),
        ...(await loggingVariables(definition, context)),
        ...env,
        ...copyVariables(argv, { ...process.env, ...env }, definition.copy),
        ...(guard === undefined ? {} : { [guardVariable]: guard.token }),
        MLDS_TRIAL: trial.id,
        MLDS_PARAMS: JSON.stringify(params),
        MLDS_SEED: String(seeds.init),
        [folderVariable]: folder,
        [checkpointVariable]: checkpoint.folder,
        ...(from.root === undefined ? {} : { MLDS_PARENTS: from.root }),
      },
    })
    const tree = new ProcessTree(child.pid ?? -1, `${folderVariable}=${folder}`)
    const printed = printedMetrics(definition, params, reportingTo(context, checkpoint))
    try {
      await attend(child, printed, definition, { context, checkpoint, tree })
      if (metricsFile !== undefined)
        await printed.file(readMetricsText(await readLeftText(folder, metricsFile), metricsFile))
    } catch (error) {
      if (error instanceof DivergedError) await keepFiles(folder, context)
      throw error
    }
    const kept = await keepFiles(folder, context)
    const metrics = { ...checkpoint.metrics, ...printed.result() }
    if (kept === 0 && Object.keys(metrics).length === 0) refuseSilence(printed)
    return metrics
  } finally {
    await rm(folder, { recursive: true, force: true })
    await checkpoint?.remove()
    await from?.remove()
  }
}

function requireFolder(cwd: string): void {
  if (!(statSync(cwd, { throwIfNoEntry: false })?.isDirectory() ?? false))
    throw new MldsError('COMMAND', `the program can't be started: its cwd is no folder: ${cwd}`)
}

function printedMetrics({ parse }: CommandDefinition, params: Params, context: TrialContext): PrintedMetrics {
  const isParameter = (name: string): boolean => name === 'seed' || Object.hasOwn(params, name)
  const log = boundedLog((line) => context.log(line))
  return new PrintedMetrics({ log, report: (step, metrics) => context.report(step, metrics) }, isParameter, parse)
}

/** What the program reports, without the steps that an earlier attempt reported before its checkpoint: those stand. */
const reportingTo = (context: TrialContext, checkpoint: ProgramCheckpoint): TrialContext => ({
  ...context,
  async report(step, metrics) {
    if (step <= checkpoint.goesOnAfter) return
    await context.report(step, metrics)
    await checkpoint.afterReport(step)
  },
})

/** @throws MldsError that says how a program ended of which nothing was understood, and what would be. */
function refuseSilence(printed: PrintedMetrics): never {
  throw new MldsError(
    'COMMAND',
    `nothing that the program printed was understood as a metric: ${printed.lastWords()} (print a line such as {"step": 1, "loss": 0.5} or loss=0.5, or say in the sweep file how to read it: parse, or metricsFile)`,
  )
}

/** Reads the program until it has ended, one way or another. */
async function attend(
  child: ChildProcess,
  printed: PrintedMetrics,
  { timeLimitMs }: CommandDefinition,
  {
    context,
    checkpoint,
    tree,
  }: { readonly context: TrialContext; readonly checkpoint: ProgramCheckpoint; readonly tree: ProcessTree },
): Promise<void> {
  const { signal, memoryGb, noteUsage = () => {} } = context
  let lastError = ''
  let timedOut = false
  let failure: unknown
  const timers: NodeJS.Timeout[] = []
  const end = (): void => {
    tree.signal('SIGTERM')
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
  const stopLooking =
    memoryGb === undefined || child.pid === undefined
      ? () => {}
      : limitMemory(tree, { limitGb: memoryGb, whose: 'program' }, (error) => {
          failure ??= error
          // A polite signal would leave it time to take more.
          tree.kill()
        })
  const usage = watchUsage(tree)
  const exited = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', (error) => reject(new MldsError('COMMAND', `the program can't be started: ${error.message}`)))
    child.once('exit', (code, by) => {
      // What it left running would hold its output open for ever.
      signalGroup(child.pid, 'SIGKILL')
      resolve([code, by])
    })
  })
  // Lines of both streams in turn, so that no report waits beside another. One that is refused (stopped, diverged) ends the
  // program too; what it still prints goes to the log.
  let turn: Promise<void> = Promise.resolve()
  const read = async (output: Readable, see: (line: string) => void = () => {}): Promise<void> => {
    const lines = printed.stream()
    await readLines(output, async (line) => {
      see(line)
      if (failure !== undefined) return printed.unread(line)
      await (turn = turn
        .then(() => lines.take(line))
        .catch((error: unknown) => {
          failure ??= error
          end()
        }))
    })
    lines.end()
  }
  const reading = Promise.all([
    read(child.stderr!, (line) => {
      if (line.trim() !== '') lastError = line
    }),
    read(child.stdout!),
  ])
  try {
    const [code, by] = await exited
    stopLooking()
    if (signal.aborted || failure !== undefined || timedOut) endTree(tree, context)
    await outputOf(child, reading, () => endTree(tree, context))
    if (signal.aborted) await checkpoint.atEnd()
    signal.throwIfAborted()
    if (failure !== undefined) throw failure as Error
    if (timedOut) throw new MldsError('COMMAND', `the program took longer than its limit: ${timeLimitMs} ms`)
    if (code !== 0) {
      const how = `the program ended ${by === null ? `with exit code ${code}` : `by ${by}`}`
      if (isToldToGo(how)) {
        await new Promise((resolve) => setTimeout(resolve, toldTogetherMs))
        await checkpoint.atEnd()
      }
      throw new MldsError('COMMAND', `${how}${lastError === '' ? '' : `: ${lastError.slice(0, 500)}`}`)
    }
  } finally {
    stopLooking()
    noteUsage(usage())
    signal.removeEventListener('abort', end)
    timers.forEach(clearTimeout)
  }
}

function endTree(tree: ProcessTree, { log }: TrialContext): void {
  if (!tree.kill()) log('the program starts processes faster than they can be ended: some of them run on')
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
