import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import type { Clock } from '../../core/clock.js'
import { reasonOf } from '../../core/divergence.js'
import { describeBest } from '../../core/describe-best.js'
import { endOf, Ranking } from '../../core/ranking.js'
import { isTerminal, type Metrics, type Objective, type TrialRecord } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import { readJournal, type JournalDamage, type JournalEvent } from '../../sweeps/journal/journal.js'
import { RecordFold } from '../../sweeps/journal/records.js'
import { isResult, type TrialState } from '../../sweeps/journal/state.js'
import { Untwine } from '../../sweeps/journal/untwine.js'
import { varyingAxes } from '../../sweeps/plan.js'
import { Pace } from '../../app/pace.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { metricCells, rowCells, thinned, trialCells, varyingSeeds, wireNumber } from '../cells.js'
import type { Change, CoursesAnswer, NewPoints, RowCells, Snapshot, TrialCells } from '../wire.js'

/** A trial that reports more between two messages is asked for anew by whoever shows its course. */
const maxNewPoints = 500
const maxCoursePoints = 500

/** What a page has of a sweep: so many trials and all up to `offset` of the journal, in columns that `epoch` stands for. */
export interface Position {
  readonly epoch: string
  readonly offset: number
  readonly trials: number
}

/**
 * One sweep, followed: its journal folded as far as it has been read, and what has changed since a message was last taken.
 * Every trial remembers the place of its last event in the journal, so that a page that has seen the journal up to any
 * place can be told what it lacks and nothing else.
 */
export class LiveSweep {
  readonly #fold: RecordFold
  readonly #untwine = new Untwine()
  #ranking: Ranking
  /** Lines of the journal that can't be read. */
  #damagedLines = 0
  #damagedUpTo = -1
  /** By index of trial, where the last event that concerns it ends. */
  #changedAt: number[] = []
  /** By index of trial, when it was last told of. */
  #heardOf: number[] = []
  /** That its processes named, in their order. */
  readonly #engines = new Set<string>()
  readonly #metrics: string[] = []
  readonly #metricPlace = new Map<string, number>()
  #axes: readonly string[]
  #seeds: readonly string[]
  readonly #stages: readonly string[]
  #offset = 0
  /** And of which position it is. */
  #snapshotText: { readonly at: string; readonly text: string } | undefined
  #epoch = ''
  /** When its first event was: of a sweep that is removed and run anew the plan is the same, and the journal another. */
  #begunAtMs: number | undefined
  #pace: Pace
  #resting = true
  #hasGrown = false
  #heardAtMs: number | undefined
  /** Since the last message was taken. */
  readonly #changed = new Set<TrialState>()
  readonly #points = new Map<string, { from: number; points: NewPoints['points'][number][] }>()
  #known: number
  /** Before anyone is told anything, nothing of it is kept for them. */
  #isTold = false

  constructor(
    readonly sweep: SweepFolder,
    readonly about: { readonly title: string; readonly question: string; readonly objective: Objective },
    private readonly clock: Clock,
    readonly searchedAxes?: Experiment['searchedAxes'],
  ) {
    const { trials } = sweep.frozen
    this.#fold = new RecordFold(trials)
    this.#ranking = new Ranking(about.objective)
    this.#pace = new Pace({ state: this.state, clock })
    this.#stages = [...new Set(trials.map(({ stage }) => stage))]
    ;[this.#axes, this.#seeds] = [varyingAxes(trials), varyingSeeds(trials)]
    this.#known = trials.length
    this.#nameEpoch()
  }

  get state() {
    return this.#fold.state
  }

  get position(): Position {
    this.#settle()
    return { epoch: this.#epoch, offset: this.#offset, trials: this.state.trials.size }
  }

  /** How much of the journal has been read, from 0 to 1. */
  get share(): number {
    const { size } = this.#size()
    return size === 0 ? 1 : Math.min(1, this.#offset / size)
  }

  get heardAtMs(): number | undefined {
    return this.#heardAtMs
  }

  /** Engines that ran its trials, as far as they were written down. */
  get engines(): readonly string[] {
    return [...this.#engines]
  }

  /** Lines of the journal from which nothing could be read. */
  get damagedLines(): number {
    return this.#damagedLines
  }

  #size(): { size: number } {
    return statSync(this.sweep.journalFile, { throwIfNoEntry: false }) ?? { size: 0 }
  }

  /**
   * Reads on for `budgetMs` at most. @returns `more` when there is more to read, `replaced` when the journal is another one
   * now, so that all must be read anew.
   */
  readOn(budgetMs: number): 'done' | 'more' | 'replaced' {
    const { size } = this.#size()
    if (size < this.#offset) return 'replaced'
    if (size === this.#offset || !existsSync(this.sweep.journalFile)) return 'done'
    const until = this.clock.monotonic() + budgetMs
    let count = 0
    for (const { event, end } of readJournal(this.sweep.journalFile, this.#countDamage, this.#offset)) {
      this.#offset = end
      this.#take(event)
      if (++count % 64 === 0 && this.clock.monotonic() > until) return 'more'
    }
    return 'done'
  }

  /** The last line may be one that is being written. */
  readonly #countDamage = ({ offset, events, reason }: JournalDamage): void => {
    if (events > 0 || offset <= this.#damagedUpTo || reason.startsWith('torn')) return
    this.#damagedUpTo = offset
    this.#damagedLines++
  }

  #take(event: JournalEvent): void {
    this.state.count(event)
    this.#untwine.pass(event, (one) => this.#apply(one))
  }

  #apply(event: JournalEvent): void {
    this.#heardAtMs = event.atMs
    if (this.#begunAtMs === undefined) {
      this.#begunAtMs = event.atMs
      this.#nameEpoch()
    }
    // A process that began or ended left nothing running.
    if (event.type === 'opened' || event.type === 'closed') {
      for (const state of this.state.trials.values()) if (state.state === 'running') this.#note(state)
      this.#resting = true
    }
    if (event.type === 'opened' && event.engine !== undefined) this.#engines.add(event.engine)
    if (event.type === 'started' && this.#resting) {
      this.#pace = new Pace({ state: this.state, clock: this.clock }, event.atMs)
      this.#resting = false
    }
    const state = this.#fold.apply(event)
    if (event.type === 'voided') return this.#startOver()
    if (event.type === 'trials-added') this.#hasGrown = true
    if (state === undefined) return
    this.#note(state, event.atMs)
    if (event.type === 'started') this.#points.delete(event.trial)
    if (event.type === 'report') this.#addPoint(state, event)
    if (event.type !== 'ended' || state.outcome === undefined) return
    this.#ranking.add(endOf(state.trial, state.outcome))
    if (isResult(state.outcome)) this.#learnNames(state.outcome.metrics)
  }

  #note(state: TrialState, atMs = this.#heardOf[state.trial.index] ?? 0): void {
    this.#changedAt[state.trial.index] = this.#offset
    this.#heardOf[state.trial.index] = atMs
    if (this.#isTold) this.#changed.add(state)
  }

  #addPoint(state: TrialState, { step, metrics }: Extract<JournalEvent, { type: 'report' }>): void {
    this.#learnNames(metrics)
    if (!this.#isTold) return
    const { id } = state.trial
    const fresh = this.#points.get(id) ?? { from: state.reports - 1, points: [] }
    this.#points.set(id, fresh)
    if (fresh.points.length < maxNewPoints) fresh.points.push([step, metricCells(metrics, this.#metrics)])
  }

  #learnNames(metrics: Metrics): void {
    for (const name in metrics)
      if (!this.#metricPlace.has(name)) this.#metricPlace.set(name, this.#metrics.push(name) - 1)
  }

  /** All that a page knows of the sweep is void. */
  #startOver(): void {
    this.#ranking = new Ranking(this.about.objective)
    this.#changed.clear()
    this.#points.clear()
    this.#changedAt = []
    this.#known = this.state.trials.size
    this.#nameEpoch()
  }

  /** What varies may be more by now. */
  #settle(): void {
    if (!this.#hasGrown) return
    this.#hasGrown = false
    const trials = [...this.state.trials.values()].map(({ trial }) => trial)
    const [axes, seeds] = [varyingAxes(trials), varyingSeeds(trials)]
    const isSame = axes.join('\n') === this.#axes.join('\n') && seeds.join('\n') === this.#seeds.join('\n')
    ;[this.#axes, this.#seeds] = [axes, seeds]
    if (!isSame) this.#nameEpoch()
  }

  /** The same journal, read by another process, has the same name for the same columns. */
  #nameEpoch(): void {
    const { hash } = this.sweep.plan
    const named = JSON.stringify([hash, this.#begunAtMs ?? 0, this.state.voids, this.#axes, this.#seeds])
    this.#epoch = createHash('sha256').update(named).digest('hex').slice(0, 12)
  }

  /** What has changed since this was last called; `undefined` when nothing has. */
  takeChange(): Change | undefined {
    this.#settle()
    this.#isTold = true
    const grown = this.state.trials.size - this.#known
    if (this.#changed.size === 0 && grown === 0) return undefined
    const points: NewPoints[] = [...this.#points].map(([id, { from, points }]) => ({
      index: this.state.trials.get(id)!.trial.index,
      ...{ from, points },
    }))
    const change = {
      sweep: this.sweep.id,
      added: this.#trialCells(this.#known),
      metrics: this.#metrics,
      rows: [...this.#changed].map((state) => this.#rowOf(state)),
      points,
    }
    this.#known = this.state.trials.size
    this.#changed.clear()
    this.#points.clear()
    return change
  }

  /** What a page lacks that has seen the journal up to there; `undefined` when it must begin anew. */
  changeSince({ epoch, offset, trials }: Position): Change | undefined {
    this.#settle()
    const isKnown = epoch === this.#epoch && offset <= this.#offset && trials <= this.state.trials.size
    if (!isKnown) return undefined
    const since = [...this.state.trials.values()].filter(({ trial }) => (this.#changedAt[trial.index] ?? 0) > offset)
    return {
      sweep: this.sweep.id,
      added: this.#trialCells(trials),
      metrics: this.#metrics,
      rows: since.map((state) => this.#rowOf(state)),
      points: [],
    }
  }

  /** The snapshot as JSON: made once for all pages that open a sweep of which nothing more is heard. */
  snapshotText(): string {
    this.#settle()
    const { epoch, offset, trials } = this.position
    const at = `${epoch}:${offset}:${trials}`
    if (this.#snapshotText?.at !== at) this.#snapshotText = { at, text: JSON.stringify(this.snapshot()) }
    return this.#snapshotText.text
  }

  snapshot(): Snapshot {
    this.#settle()
    const params = this.sweep.frozen.trials[0]?.params ?? {}
    const states = [...this.state.trials.values()]
    return {
      sweep: this.sweep.id,
      ...this.about,
      stages: this.#stages,
      axes: this.#axes,
      seeds: this.#seeds,
      fixed: Object.fromEntries(Object.entries(params).filter(([name]) => !this.#axes.includes(name))),
      trials: this.#trialCells(0),
      metrics: this.#metrics,
      rows: states.filter(({ state, attempts }) => state !== 'planned' || attempts > 0).map((one) => this.#rowOf(one)),
    }
  }

  #trialCells(from: number): TrialCells[] {
    const columns = { stages: this.#stages, axes: this.#axes, seeds: this.#seeds }
    return [...this.state.trials.values()].slice(from).map(({ trial }) => trialCells(trial, columns))
  }

  #rowOf(one: TrialState): RowCells {
    const { trial, state, attempts, startedAtMs, endedAtMs, worker, step, reports, outcome, latest } = one
    return rowCells(
      {
        ...{ index: trial.index, state, attempts, startedAtMs, worker, step, reports },
        endedAtMs: isTerminal(state) ? endedAtMs : undefined,
        heardAtMs: this.#heardOf[trial.index] ?? 0,
        reason: outcome === undefined ? undefined : reasonOf(outcome),
        metrics: isResult(outcome) ? outcome.metrics : (latest ?? {}),
      },
      this.#metrics,
    )
  }

  best(): { readonly line: string; readonly trials: readonly string[] } {
    const best = this.#ranking.best()
    if (best === undefined && this.#ranking.whyNone() === undefined) return { line: '', trials: [] }
    return {
      line: describeBest(this.#ranking, this.about.objective, this.#axes),
      trials: best?.standing.trials ?? [],
    }
  }

  /** `undefined` until something has been done since the sweep last began. */
  leftMs(): number | undefined {
    const left = this.#pace.leftMs()
    return Number.isFinite(left) ? left : undefined
  }

  /** The courses of these trials, thinned to what a screen can show. */
  courses(ids: readonly string[]): CoursesAnswer {
    return {
      trials: ids.flatMap((id) => {
        const one = this.state.trials.get(id)
        const series = this.#fold.seriesOf(id)
        if (one === undefined || series === undefined) return []
        return {
          index: one.trial.index,
          attempts: one.attempts,
          reports: one.reports,
          series: Object.fromEntries(
            [...series].map(([name, { steps, values }]) => {
              const places = thinned(steps.length, maxCoursePoints)
              return [name, { steps: places.map((i) => steps[i]!), values: places.map((i) => wireNumber(values[i]!)) }]
            }),
          ),
        }
      }),
    }
  }

  records(): TrialRecord[] {
    return this.#fold.records()
  }
}
