import { formatCount } from '../../../core/format.js'
import { nameRun } from '../wire/names.js'
import { defaultLane, describeNeeds, lacking, lackingTime, type Needs } from '../wire/needs.js'
import type { WorkerMessage } from '../wire/protocol.js'
import { begunRuns } from '../wire/sweep-control.js'
import type { Fleet } from './fleet.js'
import type { Flights } from './flights.js'
import type { Lanes } from './lanes.js'
import type { SweepLink } from './sweep-link.js'
import type { TrialQueue } from './trial-queue.js'

/** Workers that have just been started say what they have within this. */
const patienceMs = 3_000
/** Of a large fleet, as many are told of. */
const maxTold = 5

/** Says which trials no worker can run, and why not each that is there; again whenever that changes. */
export class Unserved {
  readonly #said = new Map<string, string>()
  #cancel: (() => void) | undefined

  constructor(
    private readonly link: SweepLink,
    private readonly flights: Flights,
    private readonly fleet: Fleet,
    private readonly lanes: Lanes,
    private readonly queue: TrialQueue,
  ) {}

  /** Called when trials were queued, and when the fleet has changed. */
  lookSoon(): void {
    if (this.link.isEnding) return
    this.#cancel ??= this.link.clock.after(patienceMs, () => {
      this.#cancel = undefined
      this.#look()
    })
  }

  #look(): void {
    const waiting = new Map<string, number>()
    for (const { lane, state } of this.flights.open())
      if (state.phase === 'queued') waiting.set(lane, (waiting.get(lane) ?? 0) + 1)
    for (const [lane, count] of waiting) {
      const needs = this.lanes.needs(lane)
      const who = needs === undefined ? undefined : this.#lackingWorkers(needs)
      if (who === this.#said.get(lane)) continue
      if (who === undefined) this.#said.delete(lane)
      else this.#said.set(lane, who)
      // Where no lanes are known no code is taken either.
      const earlier = who === undefined || needs?.code !== undefined ? undefined : this.#knowsNoLanes()
      if (earlier !== undefined) {
        this.#fallBack(lane, earlier).catch((error: Error) => this.link.warnOnce(error.message))
        continue
      }
      this.link.warn(
        who === undefined
          ? `a worker that can run ${needs!.experiment} is there now`
          : `no worker can run ${formatCount(count, 'trial')} of ${describeNeeds(needs!)}: ${who} (${this.#advice(needs!)})`,
      )
    }
  }

  /** A worker that looks for trials only where earlier versions put them. */
  #knowsNoLanes(): WorkerMessage | undefined {
    return this.fleet.workers().find(({ abilities, draining }) => abilities === undefined && !draining)
  }

  async #fallBack(lane: string, worker: WorkerMessage): Promise<void> {
    const { broker, names, warn, tokens } = this.link
    warn(
      `${nameOf(worker)} looks for trials only where earlier versions of mlds put them: they wait there now, and any worker is given them`,
    )
    this.lanes.fallBack(lane)
    const begun = await begunRuns(broker, tokens, { sweep: this.link.token })
    for (const flight of this.flights.open()) {
      const { run } = flight.state
      if (flight.lane !== lane || begun.has(nameRun(run))) continue
      flight.lane = defaultLane
      await broker.jsm.streams.purge(names.trials, { filter: names.trial(run, lane) })
      await this.queue.put(flight)
    }
  }

  /** Who is there, and what each lacks; `undefined` when a worker can run them. */
  #lackingWorkers(needs: Needs): string | undefined {
    const workers = this.fleet.workers().filter(({ draining }) => !draining)
    if (workers.some((worker) => lacking(needs, worker) === undefined)) return undefined
    const there = workers.slice(0, maxTold).map((worker) => `${nameOf(worker)}: ${lacking(needs, worker)}`)
    const more = workers.length > maxTold ? [`and ${workers.length - maxTold} more`] : []
    return workers.length === 0 ? 'there is no worker at all' : [...there, ...more].join('; ')
  }

  /** What lets them run. */
  #advice(needs: Needs): string {
    const workers = this.fleet.workers().filter(({ draining }) => !draining)
    const isTime = workers.some(
      ({ abilities }) => abilities !== undefined && lackingTime(needs, abilities) !== undefined,
    )
    if (!isTime && needs.code !== undefined)
      return `one that comes later is enough: mlds worker start --accept-code ${needs.code.key}`
    if (!isTime) return 'one that comes later is enough: mlds worker start'
    return `one that comes later with a longer --time-limit is enough${
      needs.timeLimitMs === undefined
        ? ''
        : ', or a shorter timeout in the sweep file, or none where trials keep checkpoints'
    }`
  }

  close(): void {
    this.#cancel?.()
  }
}

const nameOf = ({ worker, host }: WorkerMessage): string => `${worker} on ${host}`
