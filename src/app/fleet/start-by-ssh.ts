import { randomBytes } from 'node:crypto'
import PQueue from 'p-queue'
import { UnavailableError } from '../../core/errors.js'
import { labelOf, type Host } from '../../fleet/host.js'
import {
  checkHost,
  copyToHost,
  describeChecked,
  LeftBehindError,
  lookAtWorker,
  startOnHost,
  takenBack,
  type Launch,
} from '../../fleet/launch.js'
import { PackShelf } from '../../fleet/pack-shelf.js'
import { newPlace, stateScript } from '../../fleet/scripts.js'
import { createFleet, placeOf, removeFleet, writeFleet, type FleetState, type Member } from '../../fleet/state.js'
import { closeTunnel, openTunnel } from '../../fleet/tunnel.js'
import type { ProcessIdentity } from '../../system/process-identity.js'
import type { NatsTarget } from '../backends/nats-target.js'
import type { FleetSurroundings } from './surroundings.js'
import { watchArrivals, type Arrivals } from './presence.js'
import { firstServer, refuseOwnAddress, tunnelled, workerAccess, type WorkerAccess } from './worker-access.js'

export interface SshFleet {
  readonly name: string
  readonly hosts: readonly Host[]
  readonly target: NatsTarget
  /** A context for workers, by name or file. */
  readonly context: string | undefined
  readonly tunnel: boolean
  readonly install: 'copy' | 'none'
  /** What the worker's shell reads first. */
  readonly setup: string | undefined
  readonly workerArgs: readonly string[]
  readonly graceSeconds: number
  /** How long a started worker may take to say on the server that it is there. */
  readonly joinMs: number
  /** Of the queue, where it is made now. Default: 30 s. */
  readonly leaseMs?: number | undefined
  /** The process that ends it, where it is one sweep's. */
  readonly owner?: ProcessIdentity
}

/** What became of one host. */
export interface HostOutcome {
  readonly host: string
  readonly worker: string
  /** The last step that was done. */
  readonly step: 'none' | 'connected' | 'copied' | 'started' | 'joined'
  /** Why it went no further. */
  readonly why?: string
}

const hostsAtOnce = 8
const lookEveryMs = 5_000

/**
 * Starts a worker on each host, each on its own: what fails on one is told, and holds no other up. The fleet is written
 * down before anything is done to a host, so that it can be ended whatever happens to this process.
 * @throws MldsError for what is wrong with all of them; UnavailableError when the server can't be reached from here.
 */
export async function startBySsh(fleet: SshFleet, around: FleetSurroundings): Promise<HostOutcome[]> {
  const { name, hosts, target, context } = fleet
  const access = workerAccess({ nats: target.nats, context, fleet: name, env: around.env })
  const arrivals = await watchArrivals(target, { ...around, leaseMs: fleet.leaseMs })
  const shelf = new PackShelf()
  try {
    if (!fleet.tunnel) refuseOwnAddress(access.url, hosts)
    const book = await FleetBook.create(fleet, access, around)
    const queue = new PQueue({ concurrency: hostsAtOnce })
    const starts = hosts.map((host, at) =>
      queue.add(() => new HostStart(host, at, { fleet, access, arrivals, shelf, book, around }).run()),
    )
    const outcomes = await Promise.all(starts)
    await book.close()
    return outcomes
  } finally {
    await shelf.close()
    await arrivals.close()
  }
}

/** The fleet's file: each change is written before the next begins. */
class FleetBook {
  #last = Promise.resolve()

  private constructor(
    readonly folder: string,
    private state: FleetState,
  ) {}

  static async create(
    { name, hosts, target, graceSeconds, owner }: SshFleet,
    access: WorkerAccess,
    around: FleetSurroundings,
  ) {
    const state: FleetState = {
      ...{ format: 1, name, createdAtMs: around.clock.now(), graceSeconds },
      ...{ nats: withoutSecret(target.nats ?? access.url), tenant: target.tenant },
      ...(owner === undefined ? {} : { owner }),
      hosts: hosts.map((host) => {
        const worker = `${labelOf(host)}-${randomBytes(3).toString('hex')}`
        return { host: host.name, worker, place: newPlace(name, worker), step: 'planned' }
      }),
    }
    await createFleet(around.folder, state)
    return new FleetBook(around.folder, state)
  }

  member(at: number): Member {
    return this.state.hosts[at]!
  }

  async note(at: number, change: Partial<Member>): Promise<void> {
    const hosts = this.state.hosts.map((member, i) => (i === at ? { ...member, ...change } : member))
    this.state = { ...this.state, hosts }
    const written = this.state
    this.#last = this.#last.then(() => writeFleet(this.folder, written))
    await this.#last
  }

  /** Hosts on which nothing is stay in no file. */
  async close(): Promise<void> {
    await this.#last
    const hosts = this.state.hosts.filter(({ step }) => step !== 'planned')
    if (hosts.length === 0) await removeFleet(this.folder, this.state.name)
    else if (hosts.length < this.state.hosts.length) await writeFleet(this.folder, { ...this.state, hosts })
  }
}

/** An address as it may be written down. */
export const withoutSecret = (url: string): string => url.replaceAll(/\/\/[^@/,]*@/g, '//')

interface Parts {
  readonly fleet: SshFleet
  readonly access: WorkerAccess
  readonly arrivals: Arrivals
  readonly shelf: PackShelf
  readonly book: FleetBook
  readonly around: FleetSurroundings
}

class HostStart {
  #step: HostOutcome['step'] = 'none'
  readonly #launch: Launch

  constructor(
    private readonly host: Host,
    private readonly at: number,
    private readonly parts: Parts,
  ) {
    const { fleet, shelf, around } = parts
    const { name, install, setup, workerArgs } = fleet
    const place = placeOf(name, parts.book.member(at))
    this.#launch = { ...{ place, install, setup, workerArgs }, shelf, signal: around.signal }
  }

  async run(): Promise<HostOutcome> {
    const { worker } = this.parts.book.member(this.at)
    const told = { host: this.host.name, worker }
    try {
      await this.#start(worker)
      return { ...told, step: 'joined' }
    } catch (error) {
      await this.#forget(error)
      const { message, hint } = error as UnavailableError
      const why = hint === undefined ? message : `${message} (${hint})`
      this.parts.around.say(`${this.host.name}: not ${next[this.#step]}: ${why}`)
      return { ...told, step: this.#step, why }
    }
  }

  async #start(worker: string): Promise<void> {
    const { book, arrivals, around } = this.parts
    const checked = await checkHost(this.host, { ...this.#launch, own: this.#launch.install === 'none' })
    this.#tell('connected', describeChecked(checked))
    const program = await copyToHost(this.host, checked, this.#launch, (step, detail) =>
      around.say(`${this.host.name}: ${step}: ${detail}`),
    )
    this.#step = 'copied'
    await book.note(this.at, { step: 'copied', ...(program.digest === undefined ? {} : { digest: program.digest }) })
    const files = await this.#files().catch(async (error: unknown) => {
      throw await takenBack(this.host, { place: this.#launch.place, digest: program.digest }, error)
    })
    await startOnHost(this.host, worker, program, files, this.#launch)
    await book.note(this.at, { step: 'started' })
    this.#tell('started', `as ${worker}`)
    await this.#awaitArrival(worker, arrivals)
    await book.note(this.at, { step: 'joined' })
    this.#tell('joined', worker)
  }

  #tell(step: 'connected' | 'started' | 'joined', detail: string): void {
    this.#step = step
    this.parts.around.say(`${this.host.name}: ${step}: ${detail}`)
  }

  /** What the worker needs to find the server, through a tunnel if one is wanted. */
  async #files() {
    const { fleet, access, book, around } = this.parts
    if (!fleet.tunnel) return access.files()
    const label = book.member(this.at).worker
    const where = { folder: around.folder, label, wanted: 0, clock: around.clock }
    const tunnel = await openTunnel(this.host, firstServer(access.url), where)
    await book.note(this.at, { tunnel })
    return access.files(tunnelled(access.url, tunnel.port))
  }

  /** A host with nothing of the fleet on it is not one of it. */
  async #forget(why: unknown): Promise<void> {
    const { book } = this.parts
    const { tunnel, worker, step } = book.member(this.at)
    if (step === 'started') return
    if (tunnel !== undefined) await closeTunnel(tunnel, book.folder, worker)
    if (!(why instanceof LeftBehindError)) return book.note(this.at, { step: 'planned' })
    await book.note(this.at, { step: 'copied', ...(why.digest === undefined ? {} : { digest: why.digest }) })
  }

  /** @throws UnavailableError with the last line of the worker's log when it has ended, or is not heard of in time. */
  async #awaitArrival(worker: string, arrivals: Arrivals): Promise<void> {
    const { fleet, around } = this.parts
    const { clock, signal } = around
    const endMs = clock.monotonic() + fleet.joinMs
    for (;;) {
      const leftMs = endMs - clock.monotonic()
      if (await arrivals.joined(worker, Math.max(0, Math.min(lookEveryMs, leftMs)), signal)) return
      if (signal.aborted) throw new UnavailableError('stopped')
      const { worker: state, said } = await lookAtWorker(this.host, stateScript(this.#launch.place, worker), signal)
      if (state !== 'runs') throw new UnavailableError(`the worker has ended: ${said || 'without a word'}`)
      if (leftMs <= lookEveryMs)
        throw new UnavailableError(
          `the server has not heard of the worker for ${Math.round(fleet.joinMs / 1_000)} s; it runs on, and last said: ${said || 'nothing'}`,
        )
    }
  }
}

const next: Readonly<Record<HostOutcome['step'], string>> = {
  none: 'connected',
  connected: 'copied',
  copied: 'started',
  started: 'joined',
  joined: 'joined',
}
