import type { IntervalRule, Scale } from '../analysis/intervals.js'
import type { Dataset } from '../data/dataset.js'
import { MldsError } from '../core/errors.js'
import { dataProblem, frameProblem, stageProblem } from './check-frame.js'
import { defaultFigures } from '../figures/default-figures.js'
import type { FigureDefinition } from '../figures/figure.js'
import type { SearchedAxis } from '../figures/search/settings.js'
import type { Engine } from '../engines/engine.js'
import type { Net } from '../net/net.js'
import { checkSpace, type ParamsOf, type Space } from '../core/space.js'
import type {
  ProgramLogging,
  Metrics,
  Objective,
  ParamValue,
  ParentResult,
  ProcessUsage,
  Seeds,
  Trial,
  TrialRecord,
} from '../core/trial.js'

/** smoke: under a minute; reduced: minutes, claims still testable; full: the original's sizes. */
export type ProfileName = 'smoke' | 'reduced' | 'full'

/** The axes a profile varies or fixes, in the order they are shown; anything else keeps the space's default. */
export interface Profile {
  readonly axes: Readonly<Record<string, readonly ParamValue[]>>
  readonly seeds: readonly number[]
  /** Settings of several axes at once, crossed with the axes; an axis that a person sets is taken out of them. */
  readonly points?: readonly Readonly<Record<string, ParamValue>>[]
  /** Axes of derived stages by stage name. */
  readonly stages?: Readonly<Record<string, Readonly<Record<string, readonly ParamValue[]>>>>
}

/** What a running trial can reach. Everything that changes its numbers is in `params` and `seeds`. */
export interface TrialContext {
  readonly trial: Trial
  readonly seeds: Seeds
  readonly engine: Engine
  /** Aborts when the attempt is stopped or the sweep is interrupted; engines check it at least every 250 ms. */
  readonly signal: AbortSignal
  /** Results of the trials this one was derived from, in the order the stage named them. */
  readonly parents: readonly ParentResult[]
  /**
   * Tells the sweep how it stands after `step` (an epoch from 1, unless the experiment says otherwise).
   * Rejects with the signal's reason when the trial has been stopped. @throws DivergedError if a watched loss is not finite.
   */
  readonly report: (step: number, metrics: Metrics) => Promise<void>
  /**
   * A data set that this stage or an earlier one names; shared between the trials of a thread, so never write to its
   * arrays. @throws DataError for any other name.
   */
  readonly data: (name: string) => Promise<Dataset>
  /** Keeps bytes under a name with the trial's result: a checkpoint, a table. */
  readonly save: (name: string, bytes: Uint8Array) => Promise<void>
  /** What a parent saved. @throws DataError when the parent has no artifact of that name. */
  readonly load: (parent: ParentResult, name: string) => Promise<Uint8Array>
  /** Where the trial's program may log to its own run, and which attempt at the trial this is. Default: nowhere. */
  readonly logging?: ProgramLogging & { readonly attempt: number }
  /** GB of memory (10^9 bytes) that programs of the trial may have together. Default: any. */
  readonly memoryGb?: number
  /** Takes note of what the trial's own processes took. Default: nobody does. */
  readonly noteUsage?: (usage: ProcessUsage | undefined) => void
  readonly checkpoint: Checkpoint
  /** One line into the trial's log file. */
  readonly log: (line: string) => void
}

/** What an earlier attempt reported before its checkpoint. */
export interface KeptReport {
  readonly step: number
  readonly metrics: Metrics
}

/**
 * What a trial keeps of its work on the way, so that its next attempt goes on there, on whatever host. The last that was
 * kept counts, with all that the trial had reported and saved by then; it goes when the trial ends.
 */
export interface Checkpoint {
  /**
   * What the attempt before kept last; `undefined` for a trial that begins. Its reports, and what it had saved, are this
   * attempt's from here on: only what follows is to be reported.
   */
  readonly load: () => Promise<Uint8Array | undefined>
  /**
   * To be called where the trial could go on, after it has reported: keeps what `state` returns if one is due. One is due a minute
   * after the last (`--checkpoint-every`), and at once when the trial is told to go or to pause, which ends it here.
   * What can't be kept (more than 2 GiB, a full disk) is told in the trial's log, and the one before stays.
   */
  readonly save: (state: () => Uint8Array) => Promise<void>
  /** Whether the next `save` keeps anything. */
  readonly isDue: boolean
  /** Told to go, or to pause: what is saved from now on is the last that counts. */
  readonly leave: AbortSignal
  /** Told to pause: the attempt ends with the next report, whether or not anything was kept by then. Default: it never is. */
  readonly pause?: AbortSignal
  /**
   * As `load`, for what `saveFiles` kept: puts it into a folder that is there.
   * @returns what had been reported, or `undefined` where there is none.
   */
  readonly loadFiles: (folder: string) => Promise<readonly KeptReport[] | undefined>
  /**
   * As `save`, for a file, or a folder with all that is in it: under its own name, and whether or not it is due. What was
   * reported at steps beyond `step` is no part of it.
   */
  readonly saveFiles: (path: string, step: number) => Promise<void>
}

/** A set of trials run alike. The first stage has no `derive`; later ones need results of the trials it names. */
export interface Stage<S extends Space = Space> {
  readonly name: string
  readonly space: S
  /** False for a stage that trains no net here: no engine is loaded for it. */
  readonly engine?: false
  /**
   * Data sets a trial reads, by name; their fingerprints become part of the trial's id. Those that earlier stages name
   * for a trial's ancestors it may read too, and need not name.
   */
  data(params: ParamsOf<S>): readonly string[]
  /** The net that a trial trains, for `mlds experiments NAME --nets`. Left out: it trains none, or none that is known before. */
  net?(params: ParamsOf<S>): Net
  /** Estimated floating-point operations of one trial. */
  cost(params: ParamsOf<S>): number
  /**
   * Groups of finished trials' ids this stage derives from, decided at plan time: one child per group and point of
   * the stage's own axes. `trials` are those of the stage named `from`, in plan order.
   */
  readonly derive?: { readonly from: string; groups(trials: readonly Trial[]): readonly (readonly Trial[])[] }
  /**
   * What a trial trains on and is measured on, as `mlds export --format evidence` writes it: numbers of rows in its data set, or
   * the points themselves. Left out: nothing is written of it.
   */
  rows?(params: ParamsOf<S>, seeds: Seeds, data: (name: string) => Promise<Dataset>): Promise<RowsByPart>
  run(params: ParamsOf<S>, context: TrialContext): Promise<Metrics> | Metrics
}

/** Numbers of rows (integers) or points (floats) by part: `train`, `test`. */
export type RowsByPart = Readonly<Record<string, Int32Array | Float32Array>>

export type VerdictState = 'reproduced' | 'not reproduced' | 'inconclusive'

export interface Verdict {
  readonly state: VerdictState
  /** One sentence with the numbers in it. */
  readonly summary: string
  /** How many seeds (or repeats) it rests on. */
  readonly seeds: number
  readonly effect?: number
  /** 95 % interval of the effect. */
  readonly interval?: readonly [number, number]
  /** Its error is that of all claims and looks of its sweep together, not its own. */
  readonly together?: true
  /** How often chance alone would decide it so, were the truth at its bound; of what was decided over seeds fixed beforehand. */
  readonly p?: number
}

/** What a claim rests on: one number of each seed, whose 95 % interval must lie wholly on one side of a bound, or between two. */
export interface Tested {
  /** The number, in words. */
  readonly quantity: string
  readonly scale: Scale
  readonly above?: number
  readonly below?: number
  /** Why this bound. */
  readonly why?: string
  /** Seeds of which fewer cannot bear it out, whatever their numbers. */
  readonly minSeeds: number
  /** What a seed must have several of, and how many; left out where any one trial makes its number. */
  readonly settings?: { readonly what: string; readonly least: number }
}

/** What one of a claim's effects came to, with all that its interval was made of. */
export interface ClaimPart extends Tested, Verdict {
  /** The number of each seed that has one. */
  readonly numbers: readonly { readonly seeds: Seeds; readonly value: number }[]
  /** The smallest difference that one of them can show (`estimate`). */
  readonly step: number
}

/** A statement that a finished sweep can bear out or not; never forced. */
export interface Claim {
  readonly id: string
  /** Of its rule; raised whenever the same records might come out otherwise. Default: 1. */
  readonly version?: number
  /** A check cannot fail unless the software does: it is told apart from claims about the world. */
  readonly kind?: 'check'
  /** What a claim about effects rests on, as data. */
  readonly tested?: readonly Tested[]
  /** What would be true, as a sentence. */
  readonly statement: string
  /** What was published, in words, with its source. */
  readonly published: string
  /** Reported, never asserted: the notes call it fragile. */
  readonly fragile?: boolean
  /** Whether a sweep of these trials asks the question at all; one that does not leaves the claim out. Default: yes. */
  concerns?(records: readonly TrialRecord[]): boolean
  /**
   * What a plan of these trials lacks to decide it, in words; empty when it can. They are told by their parameters alone:
   * as records they are finished and have no metrics.
   */
  missing?(planned: readonly TrialRecord[]): readonly string[]
  /** The arithmetic of a claim about effects: one part of each, in the order of `tested`. */
  parts?(records: readonly TrialRecord[]): readonly ClaimPart[]
  /** `rule` is for claims that state what is `tested`. Default: that of seeds whose number was fixed beforehand. */
  check(records: readonly TrialRecord[], rule?: IntervalRule): Verdict
}

export interface Experiment<S extends Space = Space> {
  /** The word a person types: `params`. */
  readonly name: string
  /** The original script's names. */
  readonly aliases: readonly string[]
  /** Raised whenever the same parameters would give other numbers. */
  readonly version: number
  readonly title: string
  readonly question: string
  readonly source: string
  readonly objective: Objective
  readonly stages: readonly [Stage<S>, ...Stage[]]
  readonly profiles: Readonly<Record<ProfileName, Profile>> & Readonly<Record<string, Profile>>
  readonly figures: readonly FigureDefinition[]
  readonly claims: readonly Claim[]
  /** Of a sweep's search that learns, as its plan says. Default: there is none. */
  readonly searchedAxes?: readonly SearchedAxis[]
}

/** Keeps the parameters' types between `space` and `run`. */
export function defineStage<const S extends Space>(stage: ShortStage<S>): Stage<S> {
  return { name: 'main', data: () => [], cost: () => 1, ...stage }
}

/**
 * An experiment with what it leaves out filled in.
 * @throws MldsError when it has neither `space` and `run` nor `stages`, or both, a stage that can't be run, or a part of another kind.
 */
export function defineExperiment<const S extends Space>(experiment: Experiment<S> | ShortExperiment<S>): Experiment<S>
export function defineExperiment(experiment: StagedExperiment): Experiment
export function defineExperiment<const S extends Space>(
  experiment: Experiment<S> | ShortExperiment<S> | StagedExperiment,
): Experiment<S> {
  checkFrame(experiment)
  const { name = '' } = experiment
  if (!('stages' in experiment)) {
    const { space, run, data = [], net, ...rest } = experiment
    const problem = dataProblem(data)
    if (problem !== undefined) refuse(name, problem)
    checkStage(name, { space, run })
    // The very function, so that what it is made of can be read from it (custom/custom.ts).
    return complete(rest, [{ name: 'main', space, data: () => data, ...(net && { net }), cost: () => 1, run }])
  }
  for (const key of ['space', 'run'])
    if (Object.hasOwn(experiment, key)) refuse(name, `it has stages, and ${key} beside them (put ${key} into a stage)`)
  const { stages, ...rest } = experiment
  checkStages(name, stages)
  const [first, ...others] = stages.map(defineStage)
  return complete(rest, [first as unknown as Stage<S>, ...others])
}

/** What every experiment may leave out. */
interface ExperimentFrame {
  /** Left out: the file's name. */
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly version?: number
  readonly title?: string
  readonly question?: string
  readonly source?: string
  /** Left out: `loss`, the smaller the better. */
  readonly objective?: Objective
  readonly profiles?: Readonly<Record<string, Profile>>
  /** Left out: the course of the metrics, and results against each number that varies. */
  readonly figures?: readonly FigureDefinition[]
  readonly claims?: readonly Claim[]
}

/** The least that makes an experiment: a space, and what a trial does with a point of it. */
export interface ShortExperiment<S extends Space = Space> extends ExperimentFrame {
  readonly space: S
  readonly run: (params: ParamsOf<S>, context: TrialContext) => Promise<Metrics> | Metrics
  /** Data sets its trials read, by name. */
  readonly data?: readonly string[]
  /** The net that a trial trains: {@link Stage.net}. */
  readonly net?: (params: ParamsOf<S>) => Net
}

/** A stage that may leave out its data (none), its cost (1) and, if it is the only one, its name. */
export type ShortStage<S extends Space = Space> = Omit<Stage<S>, 'name' | 'data' | 'cost'> &
  Partial<Pick<Stage<S>, 'name' | 'data' | 'cost'>>

/** An experiment of several stages: later ones work on what earlier ones saved. */
export interface StagedExperiment extends ExperimentFrame {
  readonly stages: readonly ShortStage[]
}

function complete<S extends Space>(frame: ExperimentFrame, stages: Experiment<S>['stages']): Experiment<S> {
  const objective = frame.objective ?? { metric: 'loss', direction: 'minimize' }
  const { name = '', title = name, question = title, profiles } = frame
  const defaults: Profile = { axes: {}, seeds: [0] }
  return {
    aliases: [],
    version: 1,
    source: '',
    claims: [],
    ...frame,
    name,
    title,
    question,
    objective,
    stages,
    profiles: { smoke: defaults, reduced: defaults, full: defaults, ...profiles },
    figures: frame.figures ?? defaultFigures(stages, objective),
  }
}

/** @throws MldsError naming what beside the stages is of another kind than it must be. */
function checkFrame(experiment: object): void {
  if (typeof experiment !== 'object' || experiment === null) refuse('', `${String(experiment)} is not an object`)
  const { name } = experiment as { name?: unknown }
  const problem = frameProblem(experiment)
  if (problem !== undefined) refuse(typeof name === 'string' ? name : '', problem)
}

function checkStages(experiment: string, stages: readonly ShortStage[]): void {
  if (!Array.isArray(stages) || stages.length === 0) refuse(experiment, 'stages is not a list of stages')
  const earlier: string[] = []
  for (const stage of stages as readonly ShortStage[]) {
    checkStage(experiment, stage)
    const name = stage.name ?? 'main'
    if (earlier.includes(name)) refuse(experiment, `two stages are called ${name}`)
    const from = stage.derive?.from
    if (from !== undefined && !earlier.includes(from))
      refuse(
        experiment,
        `stage ${name} derives from ${from}, which is no earlier stage (${earlier.join(', ') || 'it is the first'})`,
      )
    if (from === undefined && earlier.length > 0)
      refuse(experiment, `stage ${name} has no derive: every stage but the first works on trials of an earlier one`)
    earlier.push(name)
  }
}

function checkStage(experiment: string, stage: ShortStage): void {
  if (typeof stage !== 'object' || stage === null) refuse(experiment, 'stages is not a list of stages')
  const { name, space, run } = stage
  const problem = stageProblem(stage)
  if (problem !== undefined) refuse(experiment, problem)
  const where = name === undefined ? '' : `stage ${name}: `
  if (typeof space !== 'object' || space === null)
    refuse(experiment, `${where}space is missing (the parameters: { lr: number({ default: 0.1 }) })`)
  checkSpace(space, experiment === '' ? where : `experiment ${experiment}: ${where}`)
  if (typeof run !== 'function') refuse(experiment, `${where}run is missing (what a trial does, a function)`)
}

function refuse(experiment: string, problem: string): never {
  throw new MldsError('EXPERIMENT', `experiment${experiment === '' ? '' : ` ${experiment}`}: ${problem}`)
}
