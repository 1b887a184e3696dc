import type { Clock } from '../core/clock.js'
import type { Dataset } from '../data/dataset.js'
import { requireMetricNumbers } from './metric-values.js'
import { describeDivergence, divergedMetric } from '../core/divergence.js'
import { DataError, DivergedError, MldsError } from '../core/errors.js'
import { NameCheck, lookUp } from '../core/names.js'
import type { Experiment, TrialContext } from '../experiments/experiment.js'
import type { Engine } from '../engines/engine.js'
import { HandedBack, TrialCheckpoint, type CheckpointPlace, type Course } from './checkpoints/trial-checkpoint.js'
import {
  serialiseError,
  type ArtifactRef,
  type Artifacts,
  type Assignment,
  type Metrics,
  type Outcome,
  type ProcessUsage,
  type TrialEvent,
} from '../core/trial.js'

/** What a trial needs of the place it runs in. */
export interface Surroundings {
  findExperiment(name: string): Promise<Experiment>
  engine(name: Assignment['engine']): Promise<Engine>
  data(name: string): Promise<Dataset>
  putObject(bytes: Uint8Array): Promise<ArtifactRef>
  readObject(ref: ArtifactRef): Promise<Uint8Array>
  /** A line of the trial's log. */
  readonly log: (line: string) => void
  readonly emit: (event: TrialEvent) => void
  /** Resolves when the scheduler lets an interactive attempt go on, or pauses it; rejects when it is stopped. */
  mayProceed(): Promise<void>
  /**
   * Aborts with a `StopRequest` before `mayProceed` resolves: the attempt is to keep a checkpoint if it keeps any, and ends as
   * stopped with what it had then. Default: never.
   */
  readonly pause?: AbortSignal
  readonly worker: string
  readonly checkpoints: CheckpointPlace
  readonly clock: Clock
  /** Aborts with a `StopRequest` when the scheduler stops the trial, with a `TimeLimitError`, or with anything else when the attempt is given up. */
  readonly signal: AbortSignal
}

/** The reason of an abort that is a failure: the trial took too long. */
export class TimeLimitError extends MldsError {
  constructor(limitMs: number) {
    super('TIME', `the trial took longer than its limit: ${limitMs} ms`)
  }
}

const never = new AbortController().signal

/** The reason of an abort that is an outcome: the trial ends as stopped, with what it has. */
export class StopRequest {
  constructor(readonly reason: string) {}
}

/**
 * Runs one attempt here and now, telling its story as events: `started`, reports in step order, `ended`.
 * Never rejects: whatever a trial throws is its outcome. An attempt that was given up ends without an event; one that was
 * told to go ends as `lost`, handed back.
 */
export async function runTrial(assignment: Assignment, surroundings: Surroundings): Promise<void> {
  const { trial, attempt } = assignment
  const { emit, clock, worker, signal, log, pause = never } = surroundings
  emit({ type: 'started', trial: trial.id, attempt, atMs: clock.now(), worker })
  log(
    `trial ${trial.id} of ${trial.experiment}, stage ${trial.stage}, attempt ${attempt}: ${JSON.stringify(trial.params)} seeds ${JSON.stringify(trial.seeds)}`,
  )

  const told: Told = { latest: {}, reports: [], saved: new Map() }
  const handBack = (why: string): void => {
    log(why)
    emit({ type: 'lost', trial: trial.id, attempt, atMs: clock.now(), reason: why, handedBack: true })
  }
  let outcome: Outcome
  try {
    const metrics = await conduct(assignment, surroundings, told)
    if (pause.aborted) throw pause.reason
    outcome = { state: 'finished', metrics, artifacts: artifactsOf(told) }
    log(`finished: ${JSON.stringify(metrics)}`)
  } catch (error) {
    if (error instanceof HandedBack && !pause.aborted) return handBack(error.message)
    const isLate = signal.reason instanceof TimeLimitError
    if (signal.aborted && !isLate && !(signal.reason instanceof StopRequest))
      return surroundings.checkpoints.leave.aborted ? handBack('given up, since mlds was told to go') : log('given up')
    const soFar = { metrics: told.latest, artifacts: artifactsOf(told) }
    // Whatever the trial makes of it: what it throws then follows from the divergence, and so would a stop.
    if (told.divergence !== undefined) {
      const { metric, step } = told.divergence
      outcome = { state: 'diverged', metric, ...(step === undefined ? {} : { step }), ...soFar }
      log(`diverged: ${describeDivergence(outcome)}`)
      log(told.divergence.hint!)
    } else if (told.atPause !== undefined && !signal.aborted) {
      // Whatever came of it after: its next attempt does that again.
      outcome = { state: 'stopped', ...told.atPause, reason: (pause.reason as StopRequest).reason }
      log(`paused: ${outcome.reason}`)
    } else if (signal.aborted && signal.reason instanceof StopRequest) {
      outcome = { state: 'stopped', ...soFar, reason: signal.reason.reason }
      log(`stopped: ${outcome.reason}`)
    } else {
      const failure: unknown = isLate ? signal.reason : error
      outcome = { state: 'failed', error: serialiseError(failure) }
      log(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      if (error instanceof MldsError && error.hint !== undefined) log(error.hint)
    }
  }
  const used = told.usage === undefined ? {} : { usage: told.usage }
  emit({ type: 'ended', trial: trial.id, attempt, atMs: clock.now(), outcome, ...used })
}

/** What a trial has told and saved so far. */
interface Told {
  latest: Metrics
  divergence?: DivergedError
  usage?: ProcessUsage | undefined
  /** What it had when it was told to pause. */
  atPause?: { readonly metrics: Metrics; readonly artifacts: Artifacts }
  readonly reports: Course['reports'][number][]
  /** After so many reports, by name. */
  readonly saved: Map<string, { readonly ref: ArtifactRef; readonly after: number }>
}

const artifactsOf = ({ saved }: Told): Artifacts => Object.fromEntries([...saved].map(([name, { ref }]) => [name, ref]))

async function conduct(assignment: Assignment, surroundings: Surroundings, told: Told): Promise<Metrics> {
  const { trial, attempt } = assignment
  const { emit, clock, signal, log, pause = never } = surroundings
  const experiment = await surroundings.findExperiment(trial.experiment)
  if (experiment.version !== trial.version) {
    throw new MldsError(
      'VERSION',
      `experiment ${trial.experiment} is of another version here: ${experiment.version} (the trial was planned for ${trial.version})`,
    )
  }
  const stage = experiment.stages.find((candidate) => candidate.name === trial.stage)
  if (stage === undefined) throw new MldsError('STAGE', `experiment ${trial.experiment} has no stage: ${trial.stage}`)

  // Before anything is written down that a tracker could not take.
  const names = new NameCheck('metric')
  const requireFinite = (metrics: Metrics, step?: number): void => {
    const metric = divergedMetric(metrics, assignment.watch)
    if (metric === undefined) return
    told.divergence = new DivergedError(metric, lookUp(metrics, metric)!, step)
    throw told.divergence
  }
  const tell = async (report: Course['reports'][number], carried?: true): Promise<void> => {
    const { step, metrics } = report
    requireMetricNumbers(`the report of step ${step}`, metrics)
    names.add(Object.keys(metrics))
    emit({ type: 'report', trial: trial.id, attempt, ...report, ...(carried === undefined ? {} : { carried }) })
    told.latest = metrics
    told.reports.push(report)
    requireFinite(metrics, step)
    if (!assignment.interactive) return
    await surroundings.mayProceed()
    if (!pause.aborted) return
    told.atPause = { metrics, artifacts: artifactsOf(told) }
    // It stands where its checkpoint is, or keeps none.
    if (carried === true || !checkpoint.isUsed) throw pause.reason
  }
  const keepSaved = (name: string, ref: ArtifactRef): void =>
    void told.saved.set(name, { ref, after: told.reports.length })
  const course: Course = {
    reports: told.reports,
    get saved() {
      return [...told.saved].map(([name, { ref, after }]) => ({ name, after, ...ref }))
    },
    async carry(report) {
      signal.throwIfAborted()
      await tell(report, true)
    },
    carrySaved: keepSaved,
  }
  const checkpoint = new TrialCheckpoint(surroundings.checkpoints, pause, attempt, course, clock, log)
  const context: TrialContext = {
    trial,
    seeds: trial.seeds,
    // A stage that trains nothing here does not wait for what it never uses.
    engine: stage.engine === false ? (undefined as never) : await surroundings.engine(assignment.engine),
    signal,
    parents: assignment.parents,
    ...(assignment.memoryGb === undefined ? {} : { memoryGb: assignment.memoryGb }),
    ...(assignment.logging && { logging: { ...assignment.logging, attempt } }),
    noteUsage: (usage) => void (told.usage = usage),
    async report(step, metrics) {
      signal.throwIfAborted()
      pause.throwIfAborted()
      if (told.divergence !== undefined) throw told.divergence
      if (!Number.isSafeInteger(step))
        throw new MldsError('STEP', `the step of a report is not a whole number: ${step}`)
      await tell({ step, atMs: clock.now(), metrics })
    },
    async data(name) {
      if (!assignment.reads.includes(name))
        throw new DataError(`the trial asks for a data set that neither its stage nor an earlier one names: ${name}`, {
          hint: `name it where the stage says what its trials read: data: () => ['${name}']`,
        })
      return surroundings.data(name)
    },
    async save(name, bytes) {
      keepSaved(name, await surroundings.putObject(bytes))
    },
    async load(parent, name) {
      const artifact = lookUp(parent.artifacts, name)
      if (artifact === undefined) {
        throw new DataError(
          `trial ${parent.trial.id} saved nothing called ${name} (it saved: ${Object.keys(parent.artifacts).join(', ') || 'nothing'})`,
        )
      }
      return surroundings.readObject(artifact)
    },
    checkpoint,
    log,
  }
  const metrics = await stage.run(trial.params, context)
  requireMetricNumbers('what run returned', metrics)
  names.add(Object.keys(metrics))
  // A trial that caught the refusal of its report has diverged all the same.
  if (told.divergence !== undefined) throw told.divergence
  told.latest = metrics
  requireFinite(metrics)
  return metrics
}
