import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { UnavailableError } from '../../../core/errors.js'
import { codeVersion } from '../../../core/version.js'
import { hostMemoryGb, HostShares } from '../../host-shares.js'
import { ThreadsBackend } from '../../threads/threads.js'
import { accountKeyOf } from '../wire/confinement.js'
import { drainSubject, runOf, type RunKey } from '../wire/names.js'
import type { Abilities } from '../wire/needs.js'
import {
  decode,
  encode,
  oldestProtocol,
  orderMessage,
  type OrderMessage,
  type WorkerMessage,
} from '../wire/protocol.js'
import { presenceMs, tellLease } from '../wire/streams.js'
import { bucketOf } from '../wire/objects.js'
import { AcceptedCode, acceptedBy } from './accepted-code.js'
import { AttemptRunner } from './attempt.js'
import { awaitBroker } from './await-broker.js'
import { CarriedCheckpoints } from './carried-checkpoints.js'
import { Commits } from './commit.js'
import { HaltedSweeps } from './halted-sweeps.js'
import { IdleTimeout } from './idle-timeout.js'
import { Presence } from './presence.js'
import { longestPullMs } from './pull.js'
import { Requirements } from './requirements.js'
import { SharedExclusiveLock } from './shared-exclusive-lock.js'
import { openStaging } from './staging.js'
import { Slot } from './slot.js'
import { TimeLeft } from './time-left.js'
import { WorkerContext, type WorkerOptions } from './worker-context.js'
import { WorkerLanes } from './worker-lanes.js'

export type { WorkerOptions } from './worker-context.js'

/** A name that no other worker has: this host's, and six digits by chance. */
export function workerName(): string {
  const host = hostname().replaceAll(/[^a-zA-Z0-9-]/g, '-')
  return `${host.slice(0, 40)}-${randomBytes(3).toString('hex')}`
}

const heartbeatMs = presenceMs / 3
/** For trials that are given up after they were told to go, to end and to bring a last checkpoint. */
const lastWordsMs = 7_000
/** For what a leaving worker still asks of its server: one that does not answer keeps nobody beyond it. */
const lastAnswersMs = 1_000
/** At most so often a worker says what runs on it. */
const newsMs = 1_000

/**
 * A worker: takes one trial per free slot, runs it on the thread pool, and commits its result. Returns when drained.
 * A trial stays this worker's while it says so every third of a lease; if it falls silent another worker gets it,
 * and whichever result comes first is the one that counts.
 * @throws UnavailableError when the server ends the connection for good.
 */
export async function runWorker(given: WorkerOptions): Promise<void> {
  const told = new AbortController()
  const options = { ...given, drain: AbortSignal.any([given.drain, told.signal]) }
  const { store, slots } = options
  const timeLeft = new TimeLeft(options.clock, options.timeLimitMs)
  const idle = IdleTimeout.watch(options, () => told.abort())
  try {
    const broker = await awaitBroker(options)
    if (broker === undefined) return
    tellLease(broker, options.leaseMs, options.say)
    const staging = openStaging(join(store.folder, 'worker-checkpoints'), options.name)
    const checkpoints = new CarriedCheckpoints(broker, staging.folder, options)
    const threads = new ThreadsBackend({
      workers: slots,
      clock: options.clock,
      ...(options.heapMb === undefined ? {} : { heapMb: options.heapMb }),
      storeFolder: store.folder,
      logsFolder: options.logsFolder ?? join(store.folder, 'worker-logs'),
      checkpointsFolder: staging.folder,
      ...(options.checkpointEveryMs === undefined ? {} : { checkpointEveryMs: options.checkpointEveryMs }),
      bringCheckpoint: checkpoints.bring,
      relayed: true,
      datasets: [],
      custom: options.custom ?? [],
      takesPrograms: options.acceptCode !== undefined,
    })
    const codes = openStaging(join(store.folder, 'worker-code'), options.name)
    try {
      // Programs of another user reach what lies beside their own folders, and nothing in a store.
      const codeFolder = options.acceptCode?.user === undefined ? codes.folder : threads.programsFolder!
      const code = new AcceptedCode(codeFolder, bucketOf(broker), options.acceptCode, options.say)
      const requirements = new Requirements(store, options.custom ?? [], options.codeVersion)
      const abilities = {
        experiments: await requirements.experiments(),
        labels: [...(options.labels ?? [])],
        gpus: options.gpus?.length ?? 0,
        memoryGb: options.memoryGb ?? hostMemoryGb(),
        ...(options.acceptCode === undefined ? {} : { code: acceptedBy(options.acceptCode) }),
      }
      const context = new WorkerContext(options, broker, threads, checkpoints, timeLeft)
      await new Worker(context, requirements, code, abilities, { told, idle }).work()
    } finally {
      await threads.close()
      staging.close()
      codes.close()
    }
  } finally {
    idle?.close()
    await closeInTime(options)
  }
}

/** Sends what is still to be sent, for as long as last answers may take: a server that is away or frozen would never take it. */
async function closeInTime({ connection, clock }: WorkerOptions): Promise<void> {
  const cancel = clock.after(lastAnswersMs, () => void connection.close())
  // A drain that the closing cuts off never settles.
  await Promise.race([connection.drain().catch(() => connection.close()), connection.closed()])
  cancel()
}

class Worker {
  readonly #lock = new SharedExclusiveLock()
  readonly #halted: HaltedSweeps
  readonly #presence: Presence
  readonly #startedAtMs: number
  readonly #host: HostShares
  readonly #lanes: WorkerLanes

  constructor(
    private readonly context: WorkerContext,
    private readonly requirements: Requirements,
    private readonly code: AcceptedCode,
    private readonly abilities: Abilities,
    private readonly ends: {
      /** Aborted when someone tells this worker to take no more trials. */
      readonly told: AbortController
      readonly idle: IdleTimeout | undefined
    },
  ) {
    const { connection, name, clock, gpus = [], codeVersion: version = codeVersion } = context.options
    this.#host = new HostShares({ gpus, memoryGb: abilities.memoryGb })
    this.#lanes = new WorkerLanes(context.broker, { codeVersion: version, abilities }, clock, context.timeLeft)
    this.#startedAtMs = clock.now()
    this.#presence = new Presence(connection, context.broker.names, name)
    this.#halted = new HaltedSweeps(context.broker, (token) => this.#giveUp(token))
  }

  get options(): WorkerOptions {
    return this.context.options
  }

  #slots(): Slot[] {
    const { options, broker } = this.context
    const attempts = new AttemptRunner(this.context, this.requirements, new Commits(broker, options))
    const parts = {
      ...{ requirements: this.requirements, code: this.code, attempts, lock: this.#lock, halted: this.#halted },
      ...{ lanes: this.#lanes, host: this.#host },
    }
    return Array.from({ length: options.slots }, (_, number) => new Slot(number, this.context, parts))
  }

  async work(): Promise<void> {
    const { connection, slots, say, name, clock, abort, drain } = this.options
    const { names } = this.context.broker
    const orders = connection.subscribe(names.order({}), {
      callback: (error, message) => {
        if (error !== null) return
        const order = decode(orderMessage, message.string())
        if (order?.type === 'drain')
          return message.subject === drainSubject(names, name) ? this.ends.told.abort() : undefined
        const run = runOf(message.subject)
        if (order === undefined || run === undefined) this.context.throwAway(`an order: ${message.subject}`)
        else this.#obey(run, order)
      },
    })
    const wanted = this.#halted.listen()
    void this.#relay()
    let cancelClosing = (): void => {}
    const handBack = (withinMs: number): void => {
      for (const { active } of [...this.context.running.values()]) this.context.handBack(active)
      cancelClosing = clock.after(withinMs, () => void connection.close())
    }
    const leave = this.options.leave ?? new AbortController().signal
    let cancelPatience = (): void => {}
    const onAbort = (): void => {
      // A free slot may just have asked for a trial: what comes must find it, and go back.
      if (!leave.aborted) return handBack(longestPullMs + lastAnswersMs)
      // A program that is ended may still keep a checkpoint.
      this.context.threads.giveUpAll()
      cancelPatience = clock.after(lastWordsMs, () => handBack(lastAnswersMs))
    }
    const onLeave = (): void => this.context.threads.leave()
    const onDrain = (): void => void this.#introduce()
    abort.addEventListener('abort', onAbort)
    leave.addEventListener('abort', onLeave)
    drain.addEventListener('abort', onDrain)
    let cancelBeat = (): void => {}
    let cancelNews: (() => void) | undefined
    const beat = async (): Promise<void> => {
      cancelBeat = clock.after(heartbeatMs, () => void beat())
      await this.#introduce()
      await this.#lanes.learn()
      const busy = [...this.context.running.values()].map(({ active }) => active.key.sweep)
      await this.#halted.askAgain(new Set(busy))
    }
    // Whoever lists workers sees what runs to a second; a trial that is over before is told of once with others.
    this.context.onChange = () => {
      this.ends.idle?.see(this.context.running.size)
      cancelNews ??= clock.after(newsMs, () => {
        cancelNews = undefined
        void this.#introduce()
      })
    }
    const lanes = await this.#lanes.open()
    if (lanes === undefined && accountKeyOf(connection) !== undefined)
      throw new UnavailableError(
        "this key's account was written by an earlier mlds, and can take no trials of this one",
        {
          hint: 'run mlds nats init again where the server is, start the server again, and copy the new context here',
        },
      )
    // Before its first pull: who refuses a trial must be known to be there.
    await beat()
    say(`worker ${name} is ready: ${slots} slot${slots === 1 ? '' : 's'}`)
    try {
      const unlessClosed = (error: unknown): void => {
        // Whatever a slot still asked for when a leaving worker's time was up.
        if (!(connection.isClosed() && drain.aborted)) throw error
      }
      await Promise.all(this.#slots().map((slot) => slot.serve().catch(unlessClosed)))
    } finally {
      cancelBeat()
      this.context.onChange = () => {}
      cancelNews?.()
      cancelPatience()
      cancelClosing()
      abort.removeEventListener('abort', onAbort)
      leave.removeEventListener('abort', onLeave)
      drain.removeEventListener('abort', onDrain)
      orders.unsubscribe()
      wanted.unsubscribe()
      lanes?.unsubscribe()
      if (!connection.isClosed()) await this.#presence.end()
    }
    if (connection.isClosed() && !drain.aborted)
      throw new UnavailableError(
        `the NATS server ended the connection: ${((await connection.closed()) ?? new Error('closed')).message}`,
      )
  }

  async #introduce(): Promise<void> {
    const { running, tally, timeLeft } = this.context
    const { leftMs } = timeLeft
    const { name, slots, clock, connection, drain, custom = [] } = this.options
    const words: WorkerMessage = {
      v: oldestProtocol,
      worker: name,
      host: hostname(),
      pid: process.pid,
      codeVersion: this.options.codeVersion ?? codeVersion,
      slots,
      free: this.#lock.closed ? 0 : slots - running.size,
      running: [...running.values()].map(({ sweep, active, begun, sinceMs }) => ({
        sweep,
        trial: active.key.trial,
        attempt: begun.message.attempt,
        sinceMs,
      })),
      draining: drain.aborted,
      ...(custom.length === 0 ? {} : { experiments: custom.map((one) => one.name) }),
      ...(this.#lanes.areOpen
        ? {
            abilities: {
              ...this.abilities,
              ...(leftMs === undefined ? {} : { timeLeftMs: leftMs, took: timeLeft.took }),
            },
          }
        : {}),
      ...tally,
      startedAtMs: this.#startedAtMs,
      atMs: clock.now(),
    }
    if (!connection.isClosed()) await this.#presence.tell(encode(words))
  }

  #obey(run: RunKey, order: OrderMessage): void {
    const running = this.context.find(run)
    if (running === undefined) return
    const { active, begun } = running
    if (order.type === 'stop') {
      const { attempt = begun.message.attempt, reason, keep = false } = order
      if (attempt === begun.message.attempt) void this.context.threads.stop(run.trial, reason, { keep })
    } else if (order.type === 'proceed') active.proceed(order.until)
    else if (order.type === 'tell-log') this.context.tellLog(running, order.from)
    else if (order.type === 'give-up') active.giveUp({ how: 'dropped' })
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
