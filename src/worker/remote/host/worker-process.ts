import { randomBytes, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../../core/clock.js'
import { asFailure } from '../../../core/divergence.js'
import { MldsError, UnavailableError } from '../../../core/errors.js'
import type { ArtifactRef, Assignment } from '../../../core/trial.js'
import { codeVersion } from '../../../core/version.js'
import type { Dataset } from '../../../data/dataset.js'
import type { OwnExperiment } from '../../../experiments/custom/source.js'
import { retry, wait } from '../../../system/retry.js'
import type { Store } from '../../../system/store.js'
import { ThreadsBackend } from '../../threads/threads.js'
import { logFileOf } from '../../../system/log-file.js'
import { readEnd } from '../../../sweeps/trial-logs.js'
import { beginAttempt, closeAttempt, readAttempt, vanishedBefore } from './attempts.js'
import { Pull, pullMs, type PulledTrial } from './pull.js'
import { Heartbeat } from './heartbeat.js'
import { Requirements } from './requirements.js'
import {
  controlMessage,
  divergedSince,
  decode,
  encode,
  envelope,
  maxLogCharacters,
  oldestProtocol,
  orderMessage,
  protocolVersion,
  queuedTrial,
  storedAssignment,
  storedResult,
  type EventMessage,
  type OrderMessage,
  type QueuedTrial,
  type ResultMessage,
  type TrialMessage,
  type WorkerMessage,
} from '../wire/protocol.js'
import { namesOf, runOf, type RunKey } from '../wire/names.js'
import { ActiveTrial, type AttemptEnd } from './active-trial.js'
import { SharedExclusiveLock } from './shared-exclusive-lock.js'
import { openResult } from '../admin/stored-results.js'
import { readControl } from '../admin/sweep-control.js'
import { defaultLeaseMs, joinBroker, maxInlineBytes, openBroker, presenceMs, type Broker } from '../wire/streams.js'
import { isDenied, isTaken, isLasting } from '../wire/nats-errors.js'
import { fetchObject, sendObject } from '../wire/objects.js'

export interface WorkerOptions {
  /** Owned by the worker: drained at its end. */
  readonly connection: NatsConnection
  readonly tenant: string
  /** Its name among workers: letters, digits and dashes. */
  readonly name: string
  /** Trials at once, each on a thread of its own. */
  readonly slots: number
  readonly store: Store
  readonly clock: Clock
  /** Used when the worker is the first to come and makes the queue. Default 30 s. */
  readonly leaseMs?: number
  readonly heapMb?: number
  /** Where trials' logs go. Default: `worker-logs` in the store. */
  readonly logsFolder?: string
  /** Experiments that are not built in, which it was given. Default: none. */
  readonly own?: readonly OwnExperiment[]
  /** Take no more trials; end when those that run have ended. */
  readonly drain: AbortSignal
  /** Hand back what runs and end. */
  readonly abort: AbortSignal
  readonly say: (message: string) => void
  /** What it calls its own version. Default: this package's. */
  readonly codeVersion?: string
}

/** A name that no other worker has: this host's, and six digits by chance. */
export function workerName(): string {
  const host = hostname().replaceAll(/[^a-zA-Z0-9-]/g, '-')
  return `${host.slice(0, 40)}-${randomBytes(3).toString('hex')}`
}

const heartbeatMs = presenceMs / 3

/**
 * A worker: takes one trial per free slot, runs it on the thread pool, and commits its result. Returns when drained.
 * A trial stays this worker's while it says so every third of a lease; if it falls silent another worker gets it,
 * and whichever result comes first is the one that counts.
 * @throws UnavailableError when the server ends the connection for good.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { connection, store, slots } = options
  try {
    const broker = await waitForBroker(options)
    if (broker === undefined) return
    const threads = new ThreadsBackend({
      workers: slots,
      clock: options.clock,
      ...(options.heapMb === undefined ? {} : { heapMb: options.heapMb }),
      storeFolder: store.folder,
      logsFolder: options.logsFolder ?? join(store.folder, 'worker-logs'),
      relayed: true,
      datasets: [],
      own: options.own ?? [],
    })
    try {
      await new Worker(options, broker, threads).work()
    } finally {
      await threads.close()
    }
  } finally {
    await connection.drain().catch(() => {})
  }
}

/** The first to come makes the streams, if the server lets it; otherwise it waits for someone who may. */
async function waitForBroker(options: WorkerOptions): Promise<Broker | undefined> {
  const { connection, tenant, clock, drain, leaseMs, say } = options
  const names = namesOf(tenant)
  for (let waits = 0; !drain.aborted; waits++) {
    const broker = await joinBroker(connection, names)
    if (broker !== undefined) return broker
    try {
      return await openBroker(connection, names, { leaseMs: leaseMs ?? defaultLeaseMs })
    } catch (error) {
      if (!isDenied(error)) throw error
    }
    if (waits === 0) say(`waiting for the first sweep of ${tenant}: this worker may not make its streams`)
    await wait(clock, 1_000, drain)
  }
  return undefined
}

class Worker {
  readonly #requirements: Requirements
  readonly #running = new Map<string, Running>()
  readonly #lock = new SharedExclusiveLock()
  /** Sweeps that a person wants paused or cancelled. */
  readonly #halted = new Map<string, 'pause' | 'cancel'>()
  readonly #tally = { done: 0, malformed: 0, refused: 0, fenced: 0 }
  readonly #said = new Set<string>()
  readonly #startedAtMs: number

  constructor(
    private readonly options: WorkerOptions,
    private readonly broker: Broker,
    private readonly threads: ThreadsBackend,
  ) {
    this.#requirements = new Requirements(options.store, options.own ?? [], options.codeVersion)
    this.#startedAtMs = options.clock.now()
  }

  async work(): Promise<void> {
    const { connection, slots, say, name, clock, abort, drain } = this.options
    const { names, controls } = this.broker
    const orders = connection.subscribe(names.order({}), {
      callback: (error, message) => {
        if (error !== null) return
        const order = decode(orderMessage, message.string())
        const run = runOf(message.subject)
        if (order === undefined || run === undefined) this.#throwAway(`an order: ${message.subject}`)
        else this.#obey(run, order)
      },
    })
    const wanted = await controls.watch()
    void this.#watchControls(wanted)
    void this.#relay()
    const onAbort = (): void =>
      [...this.#running.values()].forEach(({ run }) =>
        run.giveUp({ how: 'handed back', reason: `worker ${name} was told to go` }),
      )
    const onDrain = (): void => void this.#introduce()
    abort.addEventListener('abort', onAbort)
    drain.addEventListener('abort', onDrain)
    let cancelBeat = (): void => {}
    const beat = async (): Promise<void> => {
      cancelBeat = clock.after(heartbeatMs, () => void beat())
      await this.#introduce()
    }
    // Before its first pull: who refuses a trial must be known to be there.
    await beat()
    say(`worker ${name} is ready: ${slots} slot${slots === 1 ? '' : 's'}`)
    try {
      await Promise.all(Array.from({ length: slots }, () => this.#serve()))
    } finally {
      cancelBeat()
      abort.removeEventListener('abort', onAbort)
      drain.removeEventListener('abort', onDrain)
      orders.unsubscribe()
      wanted.stop()
      if (!connection.isClosed()) await this.broker.workers.delete(name).catch(() => {})
    }
    if (connection.isClosed() && !drain.aborted)
      throw new UnavailableError(
        `the NATS server ended the connection: ${((await connection.closed()) ?? new Error('closed')).message}`,
      )
  }

  async #introduce(): Promise<void> {
    const { name, slots, clock, connection, drain, own = [] } = this.options
    const words: WorkerMessage = {
      v: oldestProtocol,
      worker: name,
      host: hostname(),
      pid: process.pid,
      codeVersion: this.options.codeVersion ?? codeVersion,
      slots,
      free: this.#lock.closed ? 0 : slots - this.#running.size,
      running: [...this.#running.values()].map(({ sweep, run, attempt, sinceMs }) => ({
        sweep,
        trial: run.key.trial,
        attempt,
        sinceMs,
      })),
      draining: drain.aborted,
      ...(own.length === 0 ? {} : { experiments: own.map((one) => one.name) }),
      ...this.#tally,
      startedAtMs: this.#startedAtMs,
      atMs: clock.now(),
    }
    if (!connection.isClosed()) await this.broker.workers.put(name, encode(words)).catch(() => {})
  }

  #obey(run: RunKey, order: OrderMessage): void {
    const running = this.#running.get(run.trial)
    if (running === undefined || !isSame(running.run.key, run)) return
    if (order.type === 'stop') void this.threads.stop(run.trial, order.reason)
    else if (order.type === 'proceed') running.run.proceed(order.until)
    else running.run.giveUp({ how: 'dropped' })
  }

  async #watchControls(entries: AsyncIterable<{ key: string; operation: string; string(): string }>): Promise<void> {
    for await (const entry of entries) {
      const control = entry.operation === 'PUT' ? decode(controlMessage, entry.string()) : undefined
      if (control === undefined || control.wanted === 'run') this.#halted.delete(entry.key)
      else this.#halted.set(entry.key, control.wanted)
      if (control?.wanted !== 'cancel') continue
      for (const { run } of this.#running.values()) if (run.key.sweep === entry.key) run.giveUp({ how: 'dropped' })
    }
  }

  async #relay(): Promise<void> {
    for await (const event of this.threads.events()) this.#running.get(event.trial)?.run.take(event)
  }

  /** One slot: pull, run, commit, again. */
  async #serve(): Promise<void> {
    const { drain, connection, clock } = this.options
    const pull = new Pull(this.broker, clock)
    let done: PulledTrial | undefined
    const acknowledge = (): void => {
      done?.ack()
      done = undefined
    }
    try {
      while (!drain.aborted && !connection.isClosed()) {
        // A slot that must wait asks for nothing yet.
        if (this.#lock.closed) acknowledge()
        await this.#lock.opened()
        const message = await pull.next(done)
        done = undefined
        if (message === undefined) continue
        if (drain.aborted) message.nak(pullMs)
        else if (await this.#handle(message).catch((error: Error) => this.#failed(error))) done = message
      }
    } finally {
      acknowledge()
      pull.close()
    }
  }

  #failed(error: Error): boolean {
    this.options.say(`a trial could not be run: ${error.message}`)
    return false
  }

  /**
   * Reasons not to run a trial come first, each with its own answer to the server; then it runs.
   * @returns whether it is done, of which the server has yet to be told.
   */
  async #handle(message: PulledTrial): Promise<boolean> {
    const { leaseMs } = this.broker
    const key = runOf(message.subject)
    const queued = decode(queuedTrial, message.text)
    if (key === undefined || queued === undefined) {
      const { v = protocolVersion } = decode(envelope, message.text) ?? {}
      const known = v >= oldestProtocol && v <= protocolVersion
      if (key === undefined || known) return this.#reject(message)
      return this.#leave(message, key, new MldsError('VERSION', `this worker speaks protocol ${protocolVersion}: ${v}`))
    }
    // The same trial runs here already (this process was frozen, or two sweeps share it): wait for it to end.
    if (this.#running.has(key.trial)) {
      message.nak(leaseMs / 3)
      return false
    }
    if (await this.#isHalted(key.sweep)) return true
    const beat = new Heartbeat(message, leaseMs, this.options.clock, () => void this.#lookAgain(key))
    try {
      const trial = await this.#read(queued)
      if (trial === undefined || trial.assignment.trial.id !== key.trial) return this.#reject(message)
      let datasets: Dataset[]
      try {
        datasets = await this.#requirements.prepare(trial, this.broker)
      } catch (error) {
        return this.#leave(message, key, error as Error)
      }
      const leave = await this.#lock.enter(await this.#isLastChance(message, key, trial))
      try {
        return await this.#attempt(message, key, trial, datasets)
      } finally {
        leave()
      }
    } finally {
      beat.stop()
    }
  }

  /** The trial of a queued message; `undefined` where what is stored of it is none. */
  async #read(queued: QueuedTrial): Promise<TrialMessage | undefined> {
    if (!('object' in queued)) return queued
    const { object, ...facts } = queued
    await fetchObject(this.broker.objects, this.options.store, object)
    const stored = decode(storedAssignment, new TextDecoder().decode(await this.options.store.readObject(object)))
    return stored === undefined ? undefined : { ...facts, ...stored }
  }

  /**
   * A trial that takes its process along takes the others of that process too, several times if they are redelivered
   * together. Its last attempt therefore has the worker to itself: what is dead is dead by its own doing.
   */
  async #isLastChance(message: PulledTrial, key: RunKey, { maxAttempts }: TrialMessage): Promise<boolean> {
    if (message.count === 1) return false
    const last = await readAttempt(this.broker, key)
    const vanished = last === undefined ? 0 : vanishedBefore(last.message)
    return vanished > 0 && vanished === maxAttempts - 1
  }

  /** @returns whether the trial is done here. */
  async #attempt(
    message: PulledTrial,
    key: RunKey,
    trial: TrialMessage,
    datasets: readonly Dataset[],
  ): Promise<boolean> {
    const { clock, name } = this.options
    const own = { worker: name, nonce: randomUUID(), startedAtMs: clock.now() }
    const mayBeFirst = message.count === 1
    const begun = await beginAttempt(this.broker, key, own, { mayBeFirst, maxAttempts: trial.maxAttempts })
    if ('exhausted' in begun) {
      const { attempt, reason } = begun.exhausted
      const last = reason === undefined ? '' : `; the last: ${reason}`
      const vanished = vanishedBefore(begun.exhausted)
      const outcome = { state: 'dead' as const, reason: `${vanished} attempts vanished with their workers${last}` }
      await this.#commit(key, { v: trial.v, ...own, attempt, atMs: clock.now(), reports: [], outcome })
      return true
    }
    const { attempt } = begun.message
    // Nobody can have committed what nobody had begun.
    if (attempt > 1 && (await this.#hasResult(key))) return true
    const facts = { v: trial.v, ...own, attempt } as const
    const reads = datasets.map((dataset) => dataset.name)
    const assignment = { ...trial.assignment, reads, attempt: trial.assignment.attempt + attempt - 1 } as Assignment
    const close = (standing: Parameters<typeof closeAttempt>[3], why: string): Promise<void> =>
      closeAttempt(this.broker, key, begun, standing, why, clock.now()).catch(() => {})
    const run = new ActiveTrial(key, assignment.interactive, clock, {
      publish: (reports) => this.#publish(key, { type: 'progress', ...progressFacts(facts), ...reports }),
      proceed: () => this.threads.proceed(key.trial),
    })
    const running: Running = { sweep: assignment.sweep, run, attempt, sinceMs: own.startedAtMs }
    this.#running.set(key.trial, running)
    try {
      const end = await this.#execute(assignment, run, datasets)
      switch (end.how) {
        case 'ended':
          try {
            await this.#conclude(key, {
              ...facts,
              outcome:
                trial.v < divergedSince && end.outcome.state === 'diverged' ? asFailure(end.outcome) : end.outcome,
              atMs: end.atMs,
              reports: run.reports,
              ...this.#logOf(assignment, end.log),
            })
            return true
          } catch (error) {
            if (!isLasting(error)) throw error
            const reason = `its result could not be stored: ${(error as Error).message}`
            this.options.say(`trial ${key.trial} is lost: ${reason}`)
            await close('lost', reason)
            message.nak()
            return false
          }
        case 'unfit':
          this.#requirements.lack(assignment.engine, end.error)
          await close('handed back', end.error.message)
          return this.#leave(message, key, end.error)
        case 'dropped':
          await close('given up', 'its sweep gave it up')
          return true
        case 'superseded':
          // An acknowledgement, late as it is, would take the message from the worker that has it now.
          return false
        case 'lost':
        case 'handed back':
          await close(end.how, end.reason)
          // Later than this worker's own open pulls last, which would catch it again.
          message.nak(end.how === 'lost' ? 0 : pullMs)
          return false
      }
    } finally {
      this.#running.delete(key.trial)
      run.close()
    }
  }

  async #hasResult(key: RunKey): Promise<boolean> {
    const { jsm, names } = this.broker
    return (await jsm.direct.getMessage(names.results, { last_by_subj: names.result(key) })) !== null
  }

  /** The end of what the trial wrote to its log; the beginning of a long one is on this worker's disk. */
  #logOf({ trial, attempt }: Assignment, told: string | undefined): { log?: string } {
    // Read at once: a few lines cost less than the promises to read them would.
    const text =
      told?.slice(-maxLogCharacters) ?? readEnd(logFileOf(this.threads.logsFolder, trial.id, attempt), maxLogCharacters)
    return text === '' ? {} : { log: text }
  }

  async #execute(assignment: Assignment, run: ActiveTrial, datasets: readonly Dataset[]): Promise<AttemptEnd> {
    await this.threads.start(assignment, datasets)
    const end = await run.ended
    // The thread is made free before the slot takes another trial.
    if (end.how !== 'ended' && end.how !== 'lost') await this.threads.stop(assignment.trial.id, 'given up')
    return end
  }

  /** Whether a person wants the sweep halted: asked again, since what this worker heard may be old. */
  async #isHalted(token: string): Promise<boolean> {
    if (!this.#halted.has(token)) return false
    const control = await readControl(this.broker, token).catch(() => undefined)
    return control !== undefined && control.wanted !== 'run'
  }

  /** After this process stood still for longer than a lease, another worker may have the trial. */
  async #lookAgain(key: RunKey): Promise<void> {
    const running = this.#running.get(key.trial)
    if (running === undefined || !isSame(running.run.key, key)) return
    const latest = await readAttempt(this.broker, key).catch(() => undefined)
    if (latest === undefined || latest.message.attempt <= running.attempt) return
    this.options.say(`trial ${key.trial}: this worker fell silent and another has it now; given up here`)
    this.#tally.fenced++
    running.run.giveUp({ how: 'superseded' })
  }

  /** Not a message of mlds: out of the queue, and counted. */
  #reject(message: PulledTrial): false {
    this.#throwAway(message.subject)
    message.term()
    return false
  }

  #throwAway(what: string): void {
    this.options.say(`a malformed message was thrown away (${++this.#tally.malformed} so far): ${what.slice(0, 200)}`)
  }

  /** Left to other workers, ever later, so that one that can't run a trial does not spin on it. */
  #leave(message: PulledTrial, key: RunKey, error: Error): false {
    this.#tally.refused++
    const words = { name: error.name.slice(0, 200), message: error.message.slice(0, 2_000) }
    if (!this.#said.has(words.message)) this.options.say(`trials are left to other workers: ${words.message}`)
    this.#said.add(words.message)
    this.#publish(key, { type: 'refused', v: oldestProtocol, worker: this.options.name, error: words })
    message.nak(Math.min(this.broker.leaseMs, 1_000 * message.count))
    return false
  }

  #publish(key: RunKey, event: EventMessage): void {
    const { connection } = this.options
    const text = encode(event)
    // What is too large to be told live comes with the result.
    if (!connection.isClosed() && Buffer.byteLength(text) <= maxInlineBytes)
      connection.publish(this.broker.names.event(key), text)
  }

  /** Brings what the trial saved to the server, then its result; what a late result brought is taken away again. */
  async #conclude(key: RunKey, result: ResultMessage): Promise<void> {
    const refs = 'artifacts' in result.outcome ? Object.values(result.outcome.artifacts) : []
    const brought: ArtifactRef[] = []
    for (const ref of refs)
      await this.#persist(async () => {
        if (await sendObject(this.broker.objects, this.options.store, ref)) brought.push(ref)
      })
    const winner = await this.#commit(key, result)
    if (winner === undefined) {
      this.#tally.done++
      return
    }
    this.#tally.fenced++
    this.options.say(`trial ${key.trial}: the result of ${winner.worker} came first; this one is dropped`)
    const kept = new Set(
      'artifacts' in winner.outcome ? Object.values(winner.outcome.artifacts).map((a) => a.sha256) : [],
    )
    for (const { sha256 } of brought) if (!kept.has(sha256)) await this.broker.objects.delete(sha256).catch(() => {})
  }

  /** Stores the result if no one has; until it is known whether that worked. @returns another's that came first. */
  async #commit(key: RunKey, result: ResultMessage): Promise<ResultMessage | undefined> {
    const { publisher, jsm, names, objects } = this.broker
    let text = encode(result)
    if (Buffer.byteLength(text) > maxInlineBytes) {
      const object = await this.options.store.putObject(Buffer.from(text))
      await this.#persist(() => sendObject(objects, this.options.store, object))
      text = encode({ v: result.v, object })
    }
    return this.#persist(async () => {
      try {
        await publisher.publish(names.result(key), text, 0)
        return undefined
      } catch (error) {
        if (!isTaken(error)) throw error
      }
      // Ours, if the first answer was lost on the way. Asked of the leader: a replica may not have it yet.
      const stored = await jsm.streams.getMessage(names.results, { last_by_subj: names.result(key) })
      const first = stored?.string()
      if (first === undefined || first === text) return undefined
      const winner = await openResult(this.broker, this.options.store, first)
      // One that can't be read names no artifacts to keep, so nothing may be taken away.
      return winner ?? { ...result, worker: decode(storedResult, first) === undefined ? 'nobody' : 'another worker' }
    })
  }

  /** Repeats until it works: what a trial cost is not thrown away because a server restarts or its disk is full. */
  #persist<T>(act: () => Promise<T>): Promise<T> {
    const { abort, clock, say, connection } = this.options
    return retry(act, {
      clock,
      signal: abort,
      mayPass: (error) => !connection.isClosed() && !isLasting(error),
      pauseMs: (failures) => Math.min(5_000, 100 * 2 ** failures),
      say: ({ message }) => say(`a result could not be stored yet: ${message}`),
    })
  }
}

/** One trial on one slot. */
interface Running {
  readonly sweep: string
  readonly run: ActiveTrial
  readonly attempt: number
  readonly sinceMs: number
}

const isSame = (a: RunKey, b: RunKey): boolean =>
  a.sweep === b.sweep && a.trial === b.trial && a.generation === b.generation

const progressFacts = ({ worker, attempt, startedAtMs }: Pick<ResultMessage, 'worker' | 'attempt' | 'startedAtMs'>) =>
  ({
    v: oldestProtocol,
    worker,
    attempt,
    startedAtMs,
  }) as const
