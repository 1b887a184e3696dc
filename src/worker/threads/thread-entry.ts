import { join } from 'node:path'
import { isMainThread, MessageChannel, parentPort, threadId } from 'node:worker_threads'
import { workerData } from 'piscina'
import { makeFolderSync } from '../../system/make-folder.js'
import { systemClock } from '../../core/clock.js'
import { DataError } from '../../core/errors.js'
import type { Experiment } from '../../experiments/experiment.js'
import { experimentOf as experimentNamed } from '../../experiments/registry.js'
import { createEngine } from '../../engines/create-engine.js'
import type { Engine } from '../../engines/engine.js'
import { PrintedLines } from '../../system/printed-lines.js'
import { openStore } from '../../system/store.js'
import type { EngineName, TrialEvent, TrialId } from '../../core/trial.js'
import { checkpointName, defaultCheckpointEveryMs } from '../checkpoints/trial-checkpoint.js'
import { Gate } from '../gate.js'
import { runTrial, StopRequest, TimeLimitError } from '../run-trial.js'
import type {
  BringsCheckpoints,
  CheckpointMessage,
  ClosingFlag,
  EventsMessage,
  PortMessage,
  ThreadData,
  ThreadTask,
  ToThread,
} from './thread-messages.js'
import { TrialLog } from '../trial-log.js'

if (isMainThread || parentPort === null) throw new Error('thread-entry is started by the threads backend, not imported')
const port = parentPort
const {
  storeFolder,
  logsFolder,
  checkpointsFolder,
  checkpointEveryMs = defaultCheckpointEveryMs,
  bringsCheckpoints,
  relayed = false,
  datasets,
  custom = [],
  closing,
} = workerData as ThreadData & BringsCheckpoints & ClosingFlag
const store = openStore(storeFolder)
makeFolderSync(logsFolder)

/** One engine a thread, so that programs compiled for one trial serve the next. */
const engines = new Map<EngineName, Promise<Engine>>()
function engineOf(name: EngineName): Promise<Engine> {
  const engine = engines.get(name) ?? createEngine(name)
  engines.set(name, engine)
  return engine
}

async function experimentOf(name: string): Promise<Experiment> {
  const source = custom.find((known) => known.name === name)?.source
  // Whoever started this thread has decided whether the code may run.
  return experimentNamed(
    { plan: { experiment: name, spec: source === undefined ? {} : { own: source } }, isMine: true },
    { trustCode: true },
  )
}

/** What came with a trial, in the very version that was signed for it. */
async function findFor({ shipped }: ThreadTask, name: string): Promise<Experiment> {
  if (shipped?.name !== name) return experimentOf(name)
  const { openShipped } = await import('../../experiments/custom/custom.js')
  return openShipped(shipped)
}

/** The trial this thread runs now; a thread runs one at a time. */
let current:
  | {
      trial: TrialId
      attempt: number
      controller: AbortController
      pause: AbortController
      gate: Gate
      trialLog: TrialLog
      printed: Printed
      /** Ends the wait for a checkpoint that is being brought elsewhere. */
      brought: (problem?: string) => void
    }
  | undefined
/** Aborts once for all trials of this thread: mlds is told to go. */
const leave = new AbortController()
// A trial that ends its thread leaves what it wrote.
process.on('exit', () => {
  if (current === undefined) return
  endLines(current.printed)
  current.trialLog.close()
})

/** What a trial's code prints, as `console.log` does, goes to its log: on the terminal nobody could tell whose it is. */
type Printed = Readonly<Record<'stdout' | 'stderr', PrintedLines>>
const endLines = ({ stdout, stderr }: Printed): void => [stdout, stderr].forEach((lines) => lines.end())
for (const name of ['stdout', 'stderr'] as const) {
  const toTerminal = process[name].write.bind(process[name]) as (...words: unknown[]) => boolean
  process[name].write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (current === undefined) return toTerminal(chunk, ...rest)
    const [encoding] = rest
    const isCoded = typeof chunk === 'string' && typeof encoding === 'string' && !/^utf-?8$/i.test(encoding)
    current.printed[name].add(isCoded ? Buffer.from(chunk, encoding as BufferEncoding) : chunk)
    const written = rest.find((word) => typeof word === 'function')
    if (written !== undefined) process.nextTick(written)
    return true
  }
}

// A channel of our own: the one that thread and parent share belongs to the pool.
const { port1: inbox, port2: outlet } = new MessageChannel()
inbox.on('message', (message: ToThread) => {
  if (message.type === 'leave') leave.abort()
  if (current === undefined || message.type === 'leave') return
  if (message.type === 'give-up') return current.controller.abort(new Error('the sweep was stopped'))
  if (message.trial !== current.trial) return
  if (message.type === 'drop') {
    if (message.attempt === current.attempt) current.controller.abort(new Error('another attempt finished first'))
  } else if (message.type === 'limit') current.controller.abort(new TimeLimitError(message.limitMs))
  else if (message.type === 'stop' && !message.keep) current.controller.abort(new StopRequest(message.reason))
  else if (message.type === 'brought') current.brought(message.problem)
  else {
    if (message.type === 'stop') current.pause.abort(new StopRequest(message.reason))
    current.gate.open()
  }
})
// The pool decides how long the thread lives, not this listener.
inbox.unref()
port.postMessage({ type: 'mlds-port', threadId, port: outlet } satisfies PortMessage, [outlet])

const flushAfterMs = 50
const flushAtCount = 256

/** Events on their way to the main thread: gathered, since a message each would cost more than a small trial. */
class Outbox {
  #events: TrialEvent[] = []
  #flushedAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly immediate: boolean) {}

  add(event: TrialEvent): void {
    this.#events.push(event)
    const due =
      event.type !== 'report' ||
      this.immediate ||
      this.#events.length >= flushAtCount ||
      event.atMs - this.#flushedAtMs >= flushAfterMs
    // With what follows at once, or else alone: until a beginning is told, its trial can't be stopped.
    if (relayed && event.type === 'started') setImmediate(() => this.flush())
    else if (due) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), flushAfterMs)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#events.length === 0) return
    const message: EventsMessage = { type: 'mlds-events', threadId, events: this.#events }
    port.postMessage(message)
    this.#events = []
    this.#flushedAtMs = systemClock.now()
  }
}

/** Resolves when the main thread has brought the trial's checkpoint elsewhere; rejects with why it has not. */
function bring(trial: TrialId): Promise<void> {
  return new Promise((resolve, reject) => {
    current!.brought = (problem) => (problem === undefined ? resolve() : reject(new Error(problem)))
    port.postMessage({ type: 'mlds-checkpoint', threadId, trial } satisfies CheckpointMessage)
  })
}

/** Runs one attempt; resolves after its last event was posted. */
export default async function runTask(assignment: ThreadTask): Promise<void> {
  if (Atomics.load(closing, 0) === 1) return
  const { trial, attempt, copy } = assignment
  const controller = new AbortController()
  const pause = new AbortController()
  const gate = new Gate(controller.signal)
  const trialLog = new TrialLog(logsFolder, assignment, systemClock)
  const line = (text: string): void => trialLog.line(text)
  const printed: Printed = { stdout: new PrintedLines(line), stderr: new PrintedLines(line) }
  current = { trial: trial.id, attempt, controller, pause, gate, trialLog, printed, brought: () => {} }
  // A thread's environment is its own.
  Object.assign(process.env, assignment.environment)
  const outbox = new Outbox(assignment.interactive)
  try {
    await runTrial(assignment, {
      findExperiment: (name) => findFor(assignment, name),
      engine: engineOf,
      async data(name) {
        const dataset = [...datasets, ...(assignment.datasets ?? [])].find((candidate) => candidate.name === name)
        if (dataset === undefined) throw new DataError(`the data set ${name} was not brought to this thread`)
        return dataset
      },
      putObject: (bytes) => store.putObject(bytes),
      readObject: (ref) => store.readObject(ref),
      log(text) {
        endLines(printed)
        line(text)
      },
      emit: (event) => outbox.add(trialLog.accompany(event)),
      worker: `thread-${threadId}`,
      checkpoints: {
        folder: join(checkpointsFolder, checkpointName(trial.id, copy)),
        everyMs: checkpointEveryMs,
        leave: leave.signal,
        bring: async () => (bringsCheckpoints ? bring(trial.id) : undefined),
      },
      clock: systemClock,
      signal: controller.signal,
      pause: pause.signal,
      mayProceed: () => gate.wait(),
    })
  } finally {
    outbox.flush()
    trialLog.close()
    current = undefined
  }
}
