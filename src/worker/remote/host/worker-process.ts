import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { UnavailableError } from '../../../core/errors.js'
import { codeVersion } from '../../../core/version.js'
import { wait } from '../../../system/retry.js'
import { ThreadsBackend } from '../../threads/threads.js'
import { accountKeyOf } from '../wire/confinement.js'
import { namesOf, runOf, type RunKey } from '../wire/names.js'
import { isDenied } from '../wire/nats-errors.js'
import {
  decode,
  encode,
  oldestProtocol,
  orderMessage,
  type OrderMessage,
  type WorkerMessage,
} from '../wire/protocol.js'
import { defaultLeaseMs, joinBroker, openBroker, presenceMs, type Broker } from '../wire/streams.js'
import { AttemptRunner } from './attempt.js'
import { Commits } from './commit.js'
import { HaltedSweeps } from './halted-sweeps.js'
import { Presence } from './presence.js'
import { Requirements } from './requirements.js'
import { SharedExclusiveLock } from './shared-exclusive-lock.js'
import { Slot } from './slot.js'
import { WorkerContext, type WorkerOptions } from './worker-context.js'

export type { WorkerOptions } from './worker-context.js'

/** A name that no other worker has: this host's, and six digits by chance. */
export function workerName(): string {
  const host = hostname().replaceAll(/[^a-zA-Z0-9-]/g, '-')
  return `${host.slice(0, 40)}-${randomBytes(3).toString('hex')}`
}

const heartbeatMs = presenceMs / 3
/** At most so often a worker says what runs on it. */
const newsMs = 1_000

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
      custom: options.custom ?? [],
    })
    try {
      await new Worker(new WorkerContext(options, broker, threads)).work()
    } finally {
      await threads.close()
    }
  } finally {
    // A server that is away takes no last words: without this the client would ask for it for ever, and the process stay.
    await connection.drain().catch(() => connection.close())
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
      // An account of a worker's own has no right to make anything: it need not be refused first.
      if (accountKeyOf(connection) === undefined)
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
  readonly #lock = new SharedExclusiveLock()
  readonly #halted: HaltedSweeps
  readonly #presence: Presence
  readonly #startedAtMs: number

  constructor(private readonly context: WorkerContext) {
    const { connection, name, clock } = context.options
    this.#startedAtMs = clock.now()
    this.#presence = new Presence(connection, context.broker.names, name)
    this.#halted = new HaltedSweeps(context.broker, (token) => this.#giveUp(token))
  }

  get options(): WorkerOptions {
    return this.context.options
  }

  #slots(): Slot[] {
    const { options, broker } = this.context
    const requirements = new Requirements(options.store, options.custom ?? [], options.codeVersion)
    const attempts = new AttemptRunner(this.context, requirements, new Commits(broker, options))
    const parts = { requirements, attempts, lock: this.#lock, halted: this.#halted }
    return Array.from({ length: options.slots }, () => new Slot(this.context, parts))
  }

  async work(): Promise<void> {
    const { connection, slots, say, name, clock, abort, drain } = this.options
    const { names } = this.context.broker
    const orders = connection.subscribe(names.order({}), {
      callback: (error, message) => {
        if (error !== null) return
        const order = decode(orderMessage, message.string())
        const run = runOf(message.subject)
        if (order === undefined || run === undefined) this.context.throwAway(`an order: ${message.subject}`)
        else this.#obey(run, order)
      },
    })
    const wanted = this.#halted.listen()
    void this.#relay()
    const onAbort = (): void =>
      [...this.context.running.values()].forEach(({ active }) =>
        active.giveUp({ how: 'handed back', reason: `worker ${name} was told to go` }),
      )
    const onDrain = (): void => void this.#introduce()
    abort.addEventListener('abort', onAbort)
    drain.addEventListener('abort', onDrain)
    let cancelBeat = (): void => {}
    let cancelNews: (() => void) | undefined
    const beat = async (): Promise<void> => {
      cancelBeat = clock.after(heartbeatMs, () => void beat())
      await this.#introduce()
      const busy = [...this.context.running.values()].map(({ active }) => active.key.sweep)
      await this.#halted.askAgain(new Set(busy))
    }
    // Whoever lists workers sees what runs to a second; a trial that is over before is told of once with others.
    this.context.onChange = () => {
      cancelNews ??= clock.after(newsMs, () => {
        cancelNews = undefined
        void this.#introduce()
      })
    }
    // Before its first pull: who refuses a trial must be known to be there.
    await beat()
    say(`worker ${name} is ready: ${slots} slot${slots === 1 ? '' : 's'}`)
    try {
      await Promise.all(this.#slots().map((slot) => slot.serve()))
    } finally {
      cancelBeat()
      this.context.onChange = () => {}
      cancelNews?.()
      abort.removeEventListener('abort', onAbort)
      drain.removeEventListener('abort', onDrain)
      orders.unsubscribe()
      wanted.unsubscribe()
      if (!connection.isClosed()) await this.#presence.end()
    }
    if (connection.isClosed() && !drain.aborted)
      throw new UnavailableError(
        `the NATS server ended the connection: ${((await connection.closed()) ?? new Error('closed')).message}`,
      )
  }

  async #introduce(): Promise<void> {
    const { running, tally } = this.context
    const { name, slots, clock, connection, drain, custom = [] } = this.options
    const words: WorkerMessage = {
      v: oldestProtocol,
      worker: name,
      host: hostname(),
      pid: process.pid,
      codeVersion: this.options.codeVersion ?? codeVersion,
      slots,
      free: this.#lock.closed ? 0 : slots - running.size,
      running: [...running.values()].map(({ sweep, active, attempt, sinceMs }) => ({
        sweep,
        trial: active.key.trial,
        attempt,
        sinceMs,
      })),
      draining: drain.aborted,
      ...(custom.length === 0 ? {} : { experiments: custom.map((one) => one.name) }),
      ...tally,
      startedAtMs: this.#startedAtMs,
      atMs: clock.now(),
    }
    if (!connection.isClosed()) await this.#presence.tell(encode(words))
  }

  #obey(run: RunKey, order: OrderMessage): void {
    const active = this.context.find(run)?.active
    if (active === undefined) return
    if (order.type === 'stop') void this.context.threads.stop(run.trial, order.reason)
    else if (order.type === 'proceed') active.proceed(order.until)
    else active.giveUp({ how: 'dropped' })
  }

  #giveUp(sweep: string): void {
    for (const { active } of this.context.running.values())
      if (active.key.sweep === sweep) active.giveUp({ how: 'dropped' })
  }

  async #relay(): Promise<void> {
    const { threads, running } = this.context
    for await (const event of threads.events()) running.get(event.trial)?.active.take(event)
  }
}
