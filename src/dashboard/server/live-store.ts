import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { statSync } from 'node:fs'
import { objectiveOf } from '../../app/objective.js'
import type { Clock } from '../../core/clock.js'
import { experimentToRead } from '../../experiments/registry.js'
import { lockHolder } from '../../system/lock.js'
import { wait } from '../../system/retry.js'
import type { Store } from '../../system/store.js'
import { planFactsOf, SweepFolder } from '../../sweeps/sweep-folder.js'
import { noteOf, readNote, type SweepNote } from '../../sweeps/sweep-note.js'
import type { SweepLine } from '../wire.js'
import { eventId, readEventId, type EventStream } from './event-stream.js'
import { LiveSweep } from './live-sweep.js'

/** From one look at the journals to the next: four messages a second are as many as anyone reads. */
const everyMs = 250
/** Sweeps that nobody runs and no page shows are looked at this often. */
const idleEveryMs = 2_000
/** Lines of the list say how sweeps stand this often; what it takes grows with the number of trials. */
const describeEveryMs = 1_000
/** For so long a journal is read before requests are answered again. */
const sliceMs = 40
/** Of sweeps that nobody looks at, no more trials than these are kept in memory, but for the one that was looked at last. */
const usualIdleTrials = 50_000

interface Entry {
  readonly id: string
  live: LiveSweep | undefined
  line: SweepLine
  /** What the line says, to see whether it has changed. */
  text: string
  /** Of the list when the line last changed. */
  version: number
  planAtMs: number
  journalBytes: number
  lookedAtMs: number
  describedAtMs: number
  /** When a page showed it last. */
  shownAtMs: number
  standing: 'new' | 'reading' | 'ready' | 'broken'
}

export interface LiveStoreOptions {
  readonly store: Store
  readonly clock: Clock
  readonly trustCode: boolean
  /** Ends the looking. */
  readonly signal: AbortSignal
  /** Default: 50,000. */
  readonly maxIdleTrials?: number
}

/** All sweeps of a store, followed, and the pages that are told of them. */
export class LiveStore {
  readonly #entries = new Map<string, Entry>()
  readonly #streams = new Set<EventStream>()
  /** Told apart from the lists of servers before. */
  readonly #listName = randomBytes(4).toString('hex')
  #version = 0
  #idsAtMs = -Infinity
  /** Of the list when a sweep last came or went. */
  #idsVersion = 0

  constructor(private readonly options: LiveStoreOptions) {}

  /** A sweep that has been read; `undefined` of any other name. */
  sweep(id: string): LiveSweep | undefined {
    return this.#entries.get(id)?.live
  }

  has(id: string): boolean {
    return this.#entries.has(id)
  }

  /** The page is told all that it lacks, and from then on what changes. `lastId`: what it has, in its own words. */
  add(stream: EventStream, lastId: string | undefined): void {
    const { list, position } = readEventId(lastId)
    const [name, version] = list.split('.')
    if (name === this.#listName) stream.listVersion = Number(version)
    this.#streams.add(stream)
    stream.position = position
    this.#tellList()
    const entry = stream.sweep === undefined ? undefined : this.#entries.get(stream.sweep)
    // All are told what is still to be told, so that this one is brought to where they are.
    if (entry !== undefined) this.#tellChange(entry)
  }

  remove(stream: EventStream): void {
    this.#streams.delete(stream)
  }

  /** Looks at the journals until the signal comes. @throws StoreError when the store can't be read at all. */
  async follow(): Promise<void> {
    const { clock, signal } = this.options
    while (!signal.aborted) {
      await this.#lookAtIds()
      const isBusy = await this.#round()
      this.#tellList()
      this.#forget()
      await (isBusy ? new Promise<void>((resolve) => setImmediate(resolve)) : wait(clock, everyMs, signal))
    }
  }

  async #lookAtIds(): Promise<void> {
    const now = this.options.clock.monotonic()
    if (now - this.#idsAtMs < idleEveryMs) return
    this.#idsAtMs = now
    const ids = await this.options.store.sweepIds()
    const isThere = new Set(ids)
    const before = [...this.#entries.keys()].join()
    for (const id of this.#entries.keys()) if (!isThere.has(id)) this.#entries.delete(id)
    for (const id of ids) if (!this.#entries.has(id)) this.#entries.set(id, this.#newEntry(id))
    if ([...this.#entries.keys()].join() !== before) this.#idsVersion = ++this.#version
  }

  #newEntry(id: string): Entry {
    const createdAtMs = planFactsOf(this.options.store, id)?.createdAtMs ?? 0
    const line: SweepLine = {
      ...{ id, standing: 'reading', share: 0, experiment: '', createdAtMs, planned: 0, counts: {}, isRun: false },
      ...{ best: '', bestTrials: [], tags: [], note: '' },
    }
    return {
      ...{ id, live: undefined, line, text: '', version: 0, planAtMs: 0, journalBytes: -1, lookedAtMs: -Infinity },
      ...{ describedAtMs: -Infinity, shownAtMs: -Infinity },
      standing: 'new',
    }
  }

  /** Those that a page shows come first, then the newest. @returns whether there is more to read at once. */
  async #round(): Promise<boolean> {
    const shown = new Set([...this.#streams].map(({ sweep }) => sweep))
    const entries = [...this.#entries.values()].sort(
      (a, b) => Number(shown.has(b.id)) - Number(shown.has(a.id)) || b.line.createdAtMs - a.line.createdAtMs,
    )
    for (const entry of entries) {
      const isShown = shown.has(entry.id)
      if (!isShown && !this.#isDue(entry)) continue
      try {
        if (await this.#look(entry, isShown)) return true
      } catch (error) {
        entry.standing = 'broken'
        entry.live = undefined
        this.#describe(entry, (error as Error).message)
      }
    }
    return false
  }

  #isDue({ standing, line, lookedAtMs }: Entry): boolean {
    if (standing === 'new' || standing === 'reading' || line.isRun) return true
    return this.options.clock.monotonic() - lookedAtMs >= idleEveryMs
  }

  /** @returns whether there is more of it to read at once. */
  async #look(entry: Entry, isShown: boolean): Promise<boolean> {
    const { store, clock } = this.options
    entry.lookedAtMs = clock.monotonic()
    const folder = store.sweepFolder(entry.id)
    const planAtMs = statSync(join(folder, 'plan.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0
    const { size = 0 } = statSync(join(folder, 'journal.jsonl'), { throwIfNoEntry: false }) ?? {}
    const isNew = entry.planAtMs !== planAtMs || entry.journalBytes !== size
    if (entry.standing === 'broken' && !isNew) return false
    if (entry.live === undefined && !isNew && !isShown) {
      this.#describe(entry)
      return false
    }
    if (entry.live === undefined || entry.planAtMs !== planAtMs) {
      entry.live = await this.#open(entry.id)
      Object.assign(entry, { planAtMs, standing: 'reading' })
    }
    entry.journalBytes = size
    const read = entry.live.readOn(sliceMs)
    if (read === 'replaced') {
      Object.assign(entry, { live: undefined, journalBytes: -1, standing: 'reading' })
      return false
    }
    const isFirst = read === 'done' && entry.standing !== 'ready'
    if (read === 'done') entry.standing = 'ready'
    if (isFirst || clock.monotonic() - entry.describedAtMs >= describeEveryMs) this.#describe(entry)
    if (read === 'done') this.#tellChange(entry)
    return read === 'more'
  }

  async #open(id: string): Promise<LiveSweep> {
    const { store, clock, trustCode } = this.options
    const sweep = await SweepFolder.open(store, id)
    const trust = { trustCode, warn: () => {} }
    // A custom experiment may have been changed or moved since: that is no reason not to look on.
    const objective = await objectiveOf(sweep, trust).catch(() => ({ metric: 'loss', direction: 'minimize' }) as const)
    const { title, question, searchedAxes } = await experimentToRead(sweep, trust).catch(() => ({
      ...{ title: sweep.plan.experiment, question: '', searchedAxes: undefined },
    }))
    return new LiveSweep(sweep, { title, question, objective }, clock, searchedAxes)
  }

  #describe(entry: Entry, trouble?: string): void {
    entry.describedAtMs = this.options.clock.monotonic()
    const { live, id } = entry
    const { note, tags } = readableNote(this.options.store, id, live)
    const isRun = entry.live === undefined ? false : lockHolder(entry.live.sweep.lockFile) !== undefined
    const standing = entry.standing === 'new' ? 'reading' : entry.standing
    let line: SweepLine = { ...entry.line, standing, isRun, note, tags }
    if (live !== undefined) line = { ...line, ...factsOf(live, isRun) }
    if (trouble !== undefined) line = { ...line, trouble }
    const text = JSON.stringify(line)
    if (text === entry.text) return
    Object.assign(entry, { line, text, version: ++this.#version })
  }

  /** To every page the lines that it has not got. */
  #tellList(): void {
    if (this.#idsAtMs === -Infinity) return
    for (const stream of this.#streams) {
      const fresh = [...this.#entries.values()].filter(({ version }) => version > stream.listVersion && version > 0)
      const ids =
        this.#idsVersion > stream.listVersion || stream.listVersion < 0 ? [...this.#entries.keys()] : undefined
      if (fresh.length === 0 && ids === undefined) continue
      stream.listVersion = this.#version
      const told = `${ids === undefined ? '' : `"ids":${JSON.stringify(ids)},`}"lines":[${fresh.map(({ text }) => text).join()}]`
      stream.send('sweeps', `{${told}}`, this.#idFor(stream))
    }
  }

  #idFor(stream: EventStream): string {
    return eventId(`${this.#listName}.${Math.max(0, stream.listVersion)}`, stream.position)
  }

  /** To every page that shows the sweep what has changed since they were last told: made once for all of them. */
  #tellChange({ live, id, standing }: Entry): void {
    if (live === undefined || standing !== 'ready') return
    const { position } = live
    const change = live.takeChange()
    const text = change === undefined ? undefined : JSON.stringify(change)
    for (const stream of this.#streams) {
      if (stream.sweep !== id) continue
      if (stream.follows !== live || stream.position?.epoch !== position.epoch) this.#bringUp(stream, live)
      else if (text !== undefined) {
        stream.position = position
        stream.send('change', text, this.#idFor(stream))
      }
    }
  }

  /** Brings one page to where the others are. */
  #bringUp(stream: EventStream, live: LiveSweep): void {
    const change = stream.position === undefined ? undefined : live.changeSince(stream.position)
    Object.assign(stream, { follows: live, position: live.position })
    if (change === undefined) stream.send('snapshot', live.snapshotText(), this.#idFor(stream))
    else stream.send('change', JSON.stringify(change), this.#idFor(stream))
  }

  /** Keeps what pages show, what is run, and what was looked at last: a page that is loaded anew waits for no reading. */
  #forget(): void {
    const { clock, maxIdleTrials = usualIdleTrials } = this.options
    const shown = new Set([...this.#streams].map(({ sweep }) => sweep))
    for (const entry of this.#entries.values()) if (shown.has(entry.id)) entry.shownAtMs = clock.monotonic()
    const idle = [...this.#entries.values()]
      .filter(({ id, live, standing, line }) => live && standing === 'ready' && !line.isRun && !shown.has(id))
      .sort((a, b) => b.shownAtMs - a.shownAtMs || 0)
    let kept = 0
    idle.forEach((entry, i) => {
      kept += entry.live!.state.trials.size
      if (kept > maxIdleTrials && (i > 0 || entry.shownAtMs === -Infinity)) entry.live = undefined
    })
  }
}

function factsOf(live: LiveSweep, isRun: boolean): Partial<SweepLine> {
  const counts: Record<string, number> = {}
  for (const { state } of live.state.trials.values()) {
    const standing = state === 'running' && !isRun ? 'planned' : state
    counts[standing] = (counts[standing] ?? 0) + 1
  }
  const { line: best, trials: bestTrials } = live.best()
  const leftMs = isRun ? live.leftMs() : undefined
  const damaged = live.damagedLines
  return {
    share: Math.round(100 * live.share) / 100,
    experiment: live.sweep.plan.experiment,
    planned: live.state.trials.size,
    ...{ counts, best, bestTrials },
    // To the nearest 5 %, so that a line does not change for nothing.
    ...(leftMs === undefined ? { leftMs: undefined } : { leftMs: Number(leftMs.toPrecision(2)) }),
    ...(live.heardAtMs === undefined ? {} : { heardAtMs: live.heardAtMs }),
    ...(damaged === 0
      ? {}
      : { trouble: `${damaged} of the journal's lines can't be read: mlds verify ${live.sweep.id} says which` }),
  } as Partial<SweepLine>
}

/** A sweep's note and tags, or why they can't be read; while the sweep is not read yet, without the tags of its file. */
function readableNote(store: Store, id: string, live: LiveSweep | undefined): SweepNote {
  try {
    return live === undefined ? readNote(store.sweepFolder(id)) : noteOf(live.sweep)
  } catch (error) {
    return { note: (error as Error).message, tags: [] }
  }
}
