import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Consumer, JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Clock } from '../../clock.js'
import { openData, type DataCatalog } from '../../data/catalog.js'
import type { Dataset } from '../../data/dataset.js'
import { findExperiment } from '../../experiments/registry.js'
import type { Store } from '../../store.js'
import { serialiseError, type Assignment, type TrialEvent, type TrialId } from '../../trial.js'
import { codeVersion } from '../../version.js'
import { ThreadsBackend } from '../threads.js'
import {
  controlMessage,
  decode,
  encode,
  namesOf,
  protocolVersion,
  runOf,
  trialMessage,
  type ControlMessage,
  type EventMessage,
  type Names,
  type ResultMessage,
  type RunKey,
  type WorkerMessage,
} from './protocol.js'
import { defaultLeaseMs, fetchObject, isTaken, openBroker, sendObject, type Broker } from './streams.js'

export interface WorkerOptions {
  readonly connection: NatsConnection
  readonly tenant: string
  /** Its name among workers: letters, digits and dashes. */
  readonly name: string
  /** Trials at once, each on a thread of its own. */
  readonly slots: number
  readonly store: Store
  readonly clock: Clock
  readonly leaseMs?: number
  readonly heapMb?: number
  /** Modules that default-export further experiments, as file URLs. */
  readonly experimentModules: readonly string[]
  /** Take no more trials; end when those that run have ended. */
  readonly drain: AbortSignal
  /** Hand back what runs and end. */
  readonly abort: AbortSignal
  readonly say: (message: string) => void
}

/** A free slot asks anew this often, so that a draining worker need not wait long. */
const pullMs = 2_000
const heartbeatMs = 10_000
const repeatReportMs = 1_000
const maxInlineBytes = 200_000
const batchSize = 100

/**
 * A worker: takes one trial per free slot, runs it on the thread pool, and commits its result. Returns when drained.
 * A trial stays this worker's while it says so every third of a lease; if it falls silent another worker gets it,
 * and whichever result comes first is the one that counts.
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { connection, store, slots } = options
  const names = namesOf(options.tenant)
  const broker = await openBroker(connection, names, options.leaseMs ?? defaultLeaseMs)
  const threads = new ThreadsBackend({
    workers: slots,
    clock: options.clock,
    ...(options.heapMb === undefined ? {} : { heapMb: options.heapMb }),
    storeFolder: store.folder,
    logsFolder: join(store.folder, 'worker-logs'),
    datasets: [],
    experimentModules: options.experimentModules,
  })
  const worker = new Worker(options, names, broker, threads, openData(store))
  try {
    await worker.work()
  } finally {
    await threads.close()
    await connection.drain().catch(() => {})
  }
}

class Worker {
  readonly #running = new Map<TrialId, Run>()
  #malformed = 0

  constructor(
    private readonly options: WorkerOptions,
    private readonly names: Names,
    private readonly broker: Broker,
    private readonly threads: ThreadsBackend,
    private readonly catalog: DataCatalog,
  ) {}

  async work(): Promise<void> {
    const { connection, slots, say, name, clock, abort } = this.options
    const control = connection.subscribe(this.names.control({}), {
      callback: (error, message) => {
        if (error !== null) return
        const order = decode(controlMessage, message.string())
        if (order !== undefined) this.#obey(runOf(message.subject), order)
      },
    })
    void this.#relay()
    const consumer = await this.broker.js.consumers.get(this.names.trials, this.names.durable)
    const onAbort = (): void => [...this.#running.values()].forEach((run) => run.giveUp('hand back'))
    abort.addEventListener('abort', onAbort)
    let cancelBeat = (): void => {}
    const beat = (): void => {
      void this.#introduce()
      cancelBeat = clock.after(heartbeatMs, beat)
    }
    beat()
    say(`worker ${name} is ready: ${slots} slot${slots === 1 ? '' : 's'}`)
    try {
      await Promise.all(Array.from({ length: slots }, () => this.#serve(consumer)))
    } finally {
      cancelBeat()
      abort.removeEventListener('abort', onAbort)
      control.unsubscribe()
      await this.broker.workers.delete(name).catch(() => {})
    }
  }

  async #introduce(): Promise<void> {
    const { name, slots, clock, connection } = this.options
    const words: WorkerMessage = {
      v: protocolVersion,
      worker: name,
      codeVersion,
      slots,
      running: [...this.#running.keys()],
      atMs: clock.now(),
    }
    if (!connection.isClosed()) await this.broker.workers.put(name, encode(words)).catch(() => {})
  }

  #obey(run: RunKey, order: ControlMessage): void {
    const running = this.#running.get(run.trial)
    if (running === undefined || running.key.sweep !== run.sweep || running.key.generation !== run.generation) return
    if (order.type === 'stop') void this.threads.stop(run.trial, order.reason)
    else if (order.type === 'proceed') running.proceed(order.until)
    else running.giveUp('drop')
  }

  async #relay(): Promise<void> {
    for await (const event of this.threads.events()) this.#running.get(event.trial)?.take(event)
  }

  /** One slot: pull, run, commit, again. */
  async #serve(consumer: Consumer): Promise<void> {
    const { drain, connection, clock } = this.options
    while (!drain.aborted && !connection.isClosed()) {
      let message: JsMsg | null = null
      try {
        message = await consumer.next({ expires: pullMs })
      } catch {
        // The server is away or restarts; the connection mends itself.
        await new Promise<void>((resolve) => void clock.after(200, resolve))
      }
      if (message === null) continue
      if (drain.aborted) message.nak(pullMs)
      else
        await this.#handle(message).catch((error: Error) =>
          this.options.say(`a trial could not be run: ${error.message}`),
        )
    }
  }

  async #handle(message: JsMsg): Promise<void> {
    const { say, clock, name } = this.options
    const parsed = decode(trialMessage, message.string())
    const key = runOf(message.subject)
    if (parsed === undefined || parsed.assignment.trial.id !== key.trial) {
      say(`a malformed message was thrown away (${++this.#malformed} so far): ${message.subject}`)
      return message.term()
    }
    if ((await this.#stored(key)) !== null) return message.ack()
    const delivery = message.info.deliveryCount
    // The same trial runs here already (this process was frozen, or two sweeps share it): wait for it to end.
    if (this.#running.has(key.trial)) return message.nak(this.broker.leaseMs / 3)
    const facts = { v: protocolVersion, worker: name, nonce: randomUUID(), delivery, startedAtMs: clock.now() } as const
    if (delivery > parsed.maxAttempts) {
      await this.#commit(key, {
        ...facts,
        delivery: parsed.maxAttempts,
        atMs: clock.now(),
        reports: [],
        outcome: { state: 'dead', reason: `${parsed.maxAttempts} attempts vanished with their workers` },
      })
      return message.term()
    }
    const assignment = { ...parsed.assignment, attempt: parsed.assignment.attempt + delivery - 1 } as Assignment
    const run = new Run(key, assignment.interactive, clock, {
      publish: (event) => this.#publish(key, { ...facts, ...event }),
      proceed: () => this.threads.proceed(key.trial),
    })
    this.#running.set(key.trial, run)
    const beat = setInterval(() => message.working(), this.broker.leaseMs / 3)
    try {
      run.announce()
      const result = await this.#execute(assignment, run)
      if (result === 'drop') return message.term()
      // Later than this worker's own open pulls last: they would catch it again and use up its attempts.
      if (result === 'hand back') return message.nak(pullMs)
      if (result === 'lost') return message.nak()
      if ('artifacts' in result.outcome)
        for (const ref of Object.values(result.outcome.artifacts))
          await this.#persist(() => sendObject(this.broker.objects, this.options.store, ref))
      await this.#commit(key, { ...facts, ...result, reports: run.reports })
      message.ack()
    } finally {
      clearInterval(beat)
      this.#running.delete(key.trial)
      run.close()
    }
  }

  async #execute(
    assignment: Assignment,
    run: Run,
  ): Promise<Pick<ResultMessage, 'outcome' | 'atMs'> | 'lost' | 'drop' | 'hand back'> {
    try {
      for (const ref of assignment.parents.flatMap((parent) => Object.values(parent.artifacts)))
        await fetchObject(this.broker.objects, this.options.store, ref)
      await this.threads.start(assignment, await this.#datasets(assignment))
    } catch (error) {
      return { outcome: { state: 'failed', error: serialiseError(error) }, atMs: this.options.clock.now() }
    }
    const ended = await run.ended
    // The thread is made free before the slot takes another trial.
    if (ended === 'drop' || ended === 'hand back') await this.threads.stop(assignment.trial.id, 'given up')
    return ended
  }

  async #datasets({ trial }: Assignment): Promise<Dataset[]> {
    // An experiment that only the threads know names no data; an unknown one fails there, with its sentence.
    const experiment = await findExperiment(trial.experiment).catch(() => undefined)
    const stage = experiment?.stages.find((candidate) => candidate.name === trial.stage)
    if (stage === undefined || experiment?.version !== trial.version) return []
    return Promise.all(stage.data(trial.params).map((name) => this.catalog.load(name)))
  }

  #publish(key: RunKey, event: EventMessage): void {
    const { connection } = this.options
    const text = encode(event)
    // What is too large to be told live comes with the result.
    if (!connection.isClosed() && Buffer.byteLength(text) <= maxInlineBytes)
      connection.publish(this.names.event(key), text)
  }

  #stored(key: RunKey) {
    return this.broker.jsm.direct.getMessage(this.names.results, { last_by_subj: this.names.result(key) })
  }

  /** Stores the result if no one has; until it is known whether that worked. */
  async #commit(key: RunKey, result: ResultMessage): Promise<void> {
    let text = encode(result)
    if (Buffer.byteLength(text) > maxInlineBytes) {
      const object = await this.options.store.putObject(Buffer.from(text))
      await this.#persist(() => sendObject(this.broker.objects, this.options.store, object))
      text = encode({ v: protocolVersion, object })
    }
    await this.#persist(async () => {
      try {
        await this.broker.js.publish(this.names.result(key), text, {
          expect: { lastSubjectSequence: 0 },
          timeout: 5_000,
        })
      } catch (error) {
        if (!isTaken(error)) throw error
        // Ours, if the first answer was lost on the way; otherwise another worker was first, and its result counts.
        const stored = await this.#stored(key)
        if (stored?.string() !== text)
          this.options.say(`trial ${key.trial}: another worker's result came first; this one is dropped`)
      }
    })
  }

  /** Repeats until it works: what a trial cost is not thrown away because a server restarts. */
  async #persist(act: () => Promise<void>): Promise<void> {
    const { abort, clock, say, connection } = this.options
    for (let waitMs = 200; ; waitMs = Math.min(5_000, waitMs * 2)) {
      try {
        return await act()
      } catch (error) {
        if (abort.aborted || connection.isClosed()) throw error
        say(`a result could not be stored yet: ${(error as Error).message}`)
        await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
      }
    }
  }
}

type Ended = Pick<ResultMessage, 'outcome' | 'atMs'> | 'lost' | 'drop' | 'hand back'

/** One delivery of one trial on this worker: gathers its reports and passes them on. */
class Run {
  readonly reports: ResultMessage['reports'] = []
  readonly ended: Promise<Ended>
  #end!: (ended: Ended) => void
  #sent = 0
  #flush: NodeJS.Immediate | undefined
  #proceeded = 0
  #cancelRepeat = (): void => {}

  constructor(
    readonly key: RunKey,
    private readonly interactive: boolean,
    private readonly clock: Clock,
    private readonly out: {
      publish(event: Pick<EventMessage, 'from' | 'reports'>): void
      proceed(): void
    },
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve))
  }

  announce(): void {
    this.out.publish({ from: 0, reports: [] })
  }

  take(event: TrialEvent): void {
    if (event.type === 'report') {
      this.reports.push({ step: event.step, atMs: event.atMs, metrics: event.metrics })
      this.#flush ??= setImmediate(() => this.#send())
    } else if (event.type === 'ended')
      this.#end({ outcome: event.outcome as ResultMessage['outcome'], atMs: event.atMs })
    else if (event.type === 'lost') this.#end('lost')
  }

  #send(): void {
    this.#flush = undefined
    // In pieces, since a server refuses messages above a size.
    for (; this.#sent < this.reports.length; this.#sent = Math.min(this.reports.length, this.#sent + batchSize))
      this.out.publish({ from: this.#sent, reports: this.reports.slice(this.#sent, this.#sent + batchSize) })
    if (this.interactive) this.#repeat()
  }

  /** Until the answer comes: the report or the answer may have been lost. */
  #repeat(): void {
    this.#cancelRepeat()
    this.#cancelRepeat = this.clock.after(repeatReportMs, () => {
      if (this.#proceeded >= this.reports.length) return
      this.out.publish({ from: this.#proceeded, reports: this.reports.slice(this.#proceeded) })
      this.#repeat()
    })
  }

  proceed(until: number): void {
    if (until <= this.#proceeded || until > this.reports.length) return
    this.#proceeded = until
    this.#cancelRepeat()
    this.out.proceed()
  }

  giveUp(how: 'drop' | 'hand back'): void {
    this.#end(how)
  }

  close(): void {
    this.#cancelRepeat()
    clearImmediate(this.#flush)
  }
}
