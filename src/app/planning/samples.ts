import { StoreError } from '../../core/errors.js'
import type { SweepId, Trial, TrialId } from '../../core/trial.js'
import type { JournalEvent } from '../../sweeps/journal/journal.js'
import type { PlanFacts } from '../../sweeps/stored-plan.js'
import { planFactsOf, SweepFolder, sweepsByAge } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'

/** What a trial that ran, or part of one, says about others of its experiment. */
export interface Sample {
  readonly trial: Trial
  readonly durationMs: number
  /** How much of the trial it covers, up to 1. */
  readonly share: number
  /** Metrics reported, over all reports. */
  readonly points: number
}

/** As many of the newest sweeps as are read for earlier times; the journals of more would take longer than they tell. */
const sweepsRead = 5

export interface EarlierSweeps {
  /** Whether what a sweep's trials took says something of those that are asked about. */
  readonly fits: (facts: PlanFacts) => boolean
  /** Read before all others. Default: the newest is. */
  readonly first?: SweepId
  /** No more are read once there are so many samples. Default: all that the newest five sweeps hold. */
  readonly enough?: number
}

/** What trials took in this store. */
export async function samplesFromStore(
  store: Store,
  { fits, first, enough = Infinity }: EarlierSweeps,
): Promise<Sample[]> {
  const samples: Sample[] = []
  let read = 0
  const byAge = await sweepsByAge(store)
  for (const id of first === undefined ? byAge : [first, ...byAge.filter((other) => other !== first)]) {
    if (read === sweepsRead || samples.length >= enough) break
    const facts = planFactsOf(store, id)
    if (facts === undefined || !fits(facts)) continue
    const sweep = await SweepFolder.open(store, id).catch(() => undefined)
    if (sweep === undefined) continue
    read++
    try {
      for (const sample of samplesOf(sweep.plan.trials, eventsOf(sweep))) {
        samples.push(sample)
        if (samples.length >= enough) break
      }
    } catch (error) {
      // A sweep that can't be read, such as one that a newer mlds wrote, has no say.
      if (!(error instanceof StoreError)) throw error
    }
  }
  return samples
}

function* eventsOf(sweep: SweepFolder): Generator<JournalEvent> {
  for (const { event } of sweep.entries()) yield event
}

/** Attempts that finished as they come in the journal; where none has, those that did not as far as they came. Results taken over were not run. */
export function* samplesOf(trials: readonly Trial[], events: Iterable<JournalEvent>): Generator<Sample> {
  const byId = new Map(trials.map((trial) => [trial.id, trial]))
  const open = new Map<string, OpenAttempt>()
  const reused = new Set<TrialId>()
  let hasFinished = false
  for (const event of events) {
    if (event.type === 'reused') reused.add(event.trial)
    if (event.type !== 'started' && event.type !== 'report' && event.type !== 'ended' && event.type !== 'lost') continue
    const key = `${event.trial} ${event.attempt}`
    const attempt = open.get(key)
    const trial = byId.get(event.trial)
    if (event.type === 'started' && trial !== undefined && !reused.has(event.trial))
      open.set(key, { trial, startedAtMs: event.atMs, lastAtMs: event.atMs, step: 0, points: 0 })
    if (attempt === undefined) continue
    if (event.type === 'report') {
      attempt.lastAtMs = event.atMs
      attempt.step = event.step
      attempt.points += Object.keys(event.metrics).length
    }
    if (event.type !== 'ended' && event.type !== 'lost') continue
    open.delete(key)
    if (event.type === 'lost' || event.outcome.state !== 'finished') continue
    hasFinished = true
    yield sampleOf(attempt, event.atMs, 1)
  }
  if (hasFinished) return
  for (const attempt of open.values()) {
    const epochs = attempt.trial.params['epochs']
    if (typeof epochs === 'number' && attempt.step > 0)
      yield sampleOf(attempt, attempt.lastAtMs, Math.min(1, attempt.step / epochs))
  }
}

interface OpenAttempt {
  readonly trial: Trial
  readonly startedAtMs: number
  lastAtMs: number
  step: number
  points: number
}

const sampleOf = ({ trial, startedAtMs, points }: OpenAttempt, atMs: number, share: number): Sample => ({
  ...{ trial, share, points },
  durationMs: atMs - startedAtMs,
})
