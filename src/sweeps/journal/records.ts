import {
  isTerminal,
  type Artifacts,
  type Metrics,
  type Series,
  type Trial,
  type TrialId,
  type TrialRecord,
} from '../../core/trial.js'
import type { JournalEvent } from './journal.js'
import { isResult, SweepState, type TrialState } from './state.js'
import { Untwine } from './untwine.js'

const noArtifacts: Artifacts = {}
const noMetrics: Metrics = {}

/** Points of a metric as they come. */
interface Course {
  readonly steps: number[]
  readonly values: number[]
}

/** The journal folded into full records, event by event: a point of an attempt is dropped when a later attempt begins. */
export class RecordFold {
  readonly state: SweepState
  readonly #series = new Map<TrialId, Map<string, Course>>()
  readonly #untwine = new Untwine()

  /** @param trials of the frozen plan. */
  constructor(trials: readonly Trial[]) {
    this.state = new SweepState(trials)
  }

  /** Takes in one event. @returns where its trial stands, as `SweepState.apply`. */
  apply(event: JournalEvent): TrialState | undefined {
    const changed = this.state.apply(event)
    // A process that began or ended left nothing running.
    if (event.type === 'opened' || event.type === 'closed') this.state.forgetRunning()
    this.#untwine.pass(event, (one) => this.#keep(one))
    return changed
  }

  #keep(event: JournalEvent): void {
    if (event.type === 'voided') this.#series.clear()
    if (event.type === 'started') this.#series.set(event.trial, new Map())
    if (event.type === 'report') this.#addPoint(event)
  }

  #addPoint({ trial, step, metrics }: Extract<JournalEvent, { type: 'report' }>): void {
    const ofTrial = this.#series.get(trial)
    if (ofTrial === undefined) return
    for (const [name, value] of Object.entries(metrics)) {
      const course = ofTrial.get(name)
      if (course === undefined) ofTrial.set(name, { steps: [step], values: [value] })
      else {
        course.steps.push(step)
        course.values.push(value)
      }
    }
  }

  /** The course so far of a trial's current attempt; it goes on growing. */
  seriesOf(trial: TrialId): ReadonlyMap<string, Series> | undefined {
    return this.#series.get(trial)
  }

  /** Full records in plan order, those of added trials last. */
  records(): TrialRecord[] {
    return [...this.state.trials.values()].map((one) => {
      const { trial, attempts, outcome, startedAtMs, endedAtMs, worker, state: standing } = one
      return {
        trial,
        state: standing,
        attempts,
        ...(startedAtMs === undefined ? {} : { startedAtMs }),
        ...(endedAtMs === undefined || !isTerminal(standing) ? {} : { endedAtMs }),
        ...(worker === undefined ? {} : { worker }),
        ...(outcome === undefined ? {} : { outcome }),
        metrics: isResult(outcome) ? outcome.metrics : noMetrics,
        artifacts: isResult(outcome) ? outcome.artifacts : noArtifacts,
        series: Object.fromEntries(this.#series.get(trial.id) ?? []),
      }
    })
  }
}

/**
 * Full records in plan order, those of added trials last, with the series of the attempt that counts. `isRun: false` says
 * that no process runs the sweep, so that nothing is running.
 */
export function buildRecords(
  trials: readonly Trial[],
  events: Iterable<JournalEvent>,
  { isRun = true }: { readonly isRun?: boolean } = {},
): TrialRecord[] {
  const fold = new RecordFold(trials)
  for (const event of events) fold.apply(event)
  if (!isRun) fold.state.forgetRunning()
  return fold.records()
}
