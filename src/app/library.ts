import { sweepObjective } from '../core/objective.js'
import { asPlanned } from '../experiments/as-planned.js'
import type { LearningSampler } from '../sweeps/spec/learning.js'
import type { SamplerName } from '../sweeps/spec/samplers.js'
import { availableParallelism } from 'node:os'
import { standings, type Standing } from '../analysis/standings.js'
import { MldsError, UnavailableError } from '../core/errors.js'
import type { Experiment } from '../experiments/experiment.js'
import { inProgram } from '../experiments/custom/custom.js'
import { experimentOf } from '../experiments/registry.js'
import { findStore } from '../system/find-store.js'
import { openStore, readStore, type Store } from '../system/store.js'
import { readRecords, storedVerdicts, type ClaimVerdict } from '../sweeps/verdicts.js'
import type { Plan } from '../sweeps/plan.js'
import type { FigureKind } from '../core/written-figure.js'
import type { SweepLimits } from '../sweeps/run-sweep.js'
import { parseSweepObject, type SweepSpec } from '../sweeps/spec/spec.js'
import type { SweepCounts } from '../sweeps/journal/state.js'
import { SweepFolder, resolveSweepId } from '../sweeps/sweep-folder.js'
import type { EngineName, Goal, Objective, ParamValue, Trial, TrialEvent, TrialRecord } from '../core/trial.js'
import type { Where } from './backends/open-backend.js'
import { checkOptions, checkSweep } from './planning/check-options.js'
import { concludeAndDraw } from './conclude.js'
import { freezePlan } from './planning/freeze-plan.js'
import { languageFor, customParser, planSpec, planTarget, sweepFileOf } from './planning/plan.js'
import { run } from './run.js'
import type { RunChoices, RunObserver } from './running/choices.js'
import type { Rerun } from './running/left-to-run.js'
import type { SweepSummary } from './summary.js'

/**
 * Values of one axis: one, a list, the notation of `--set` (`'0..4'`, `'logspace(1e-4,1e-1,4)'`), or a sequence whose
 * ends are both values but for `range`, which leaves its stop out.
 */
export type AxisValues =
  | ParamValue
  | readonly ParamValue[]
  | { readonly range: readonly number[] }
  | { readonly linspace: readonly [start: number, stop: number, count: number] }
  | { readonly logspace: readonly [start: number, stop: number, count: number] }

/** Values an axis must have, or the bounds it must keep. */
export type AxisPattern = AxisValues | { readonly min?: number; readonly max?: number }

/** One value of each of some axes. */
export type Setting = Readonly<Record<string, ParamValue>>

/** What to try: the keys of a sweep file (docs/sweep-language.md). */
export interface SweepDescription {
  /** A built-in experiment's name, the path of a module that exports one, a program, or an experiment of this program. */
  readonly experiment: string | Experiment | CommandDescription | StagesDescription
  readonly profile?: string
  /** The sweep's id; left out, it is the experiment's name with a hash of the plan. */
  readonly name?: string
  readonly axes?: Readonly<Record<string, AxisValues | { readonly expr: string }>>
  /** Move all four seeds together, or each apart. */
  readonly seeds?: AxisValues | Readonly<Partial<Record<'data' | 'init' | 'shuffle' | 'corruption', AxisValues>>>
  /** Seeds 0 to `repeat` − 1. */
  readonly repeat?: number
  /** Axes that advance together. */
  readonly zip?: Readonly<Record<string, AxisValues>> | readonly Readonly<Record<string, AxisValues>>[]
  /** Where an axis matters; elsewhere it keeps its default. */
  readonly when?: Readonly<Record<string, Readonly<Record<string, AxisPattern>>>>
  /** Settings one by one, each a value of some axes. */
  readonly points?: readonly Setting[]
  /** A baseline, and values that its axes take one axis at a time. */
  readonly around?: { readonly baseline?: Setting; readonly vary: Readonly<Record<string, AxisValues>> }
  /** Expressions that every point must fulfil, such as `'width * depth <= 512'`. */
  readonly where?: string | readonly string[]
  /** Grids of their own, each crossed with what stands outside; the sweep has the points of all. */
  readonly blocks?: readonly Pick<
    SweepDescription,
    'axes' | 'zip' | 'points' | 'around' | 'when' | 'exclude' | 'where'
  >[]
  /** Points left out. */
  readonly exclude?: Readonly<Record<string, AxisPattern>> | readonly Readonly<Record<string, AxisPattern>>[]
  readonly search?: {
    readonly sampler: SamplerName | LearningSampler
    readonly count: number
    readonly seed?: number
    readonly axes: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>> | readonly ParamValue[]>>
    /** Of a sampler that learns: setting i is suggested from the results of settings 0 to i − `parallel`. Default 8. */
    readonly parallel?: number
    /** Whose results count: by index, the same on any number of workers, or all that have come. Default `fixed`. */
    readonly order?: 'fixed' | 'arrival'
    /** What a setting with a trial that failed teaches. Default `worst`. */
    readonly failed?: 'worst' | 'ignore'
    /** Settings tried first, each a value of every searched axis. */
    readonly enqueue?: Setting | readonly Setting[]
    /** Earlier sweeps of the same axes and objective, whose results the search begins with. */
    readonly learnFrom?: string | readonly string[]
  }
  readonly budget?: { readonly epochs: number } | { readonly updates: number } | { readonly targetLoss: number }
  /** Of a list, no point is the best, and those that none beats in all are the front. */
  readonly objective?: Partial<Goal> | readonly Partial<Goal>[]
  /** Bounds of final metrics, by name; a point that breaks one is behind every point that does not. */
  readonly constraints?: Readonly<Record<string, { readonly min?: number; readonly max?: number }>>
  /** What the sweep is to bear out, beside the claims of its experiment, by name. */
  readonly claims?: Readonly<Record<string, ClaimDescription>>
  /** Which figures are drawn, by name (`all`: those that the sweep has without a list), and further ones. */
  readonly figures?: string | FigureDescription | readonly (string | FigureDescription)[]
  /** Rules that stop trials early: `'median'`, `{ asha: { maxSteps: 81 } }`, or a list of such. */
  readonly scheduler?: Scheduler | readonly Scheduler[]
}

/** A comparison, a trend, or neither: the metric itself; with the bounds that it claims (docs/sweep-language.md). */
export interface ClaimDescription {
  /** The claim in words. */
  readonly says?: string
  /** A final metric. Default: the objective's. */
  readonly metric?: string
  /** The trials it is about. */
  readonly of?: Readonly<Record<string, AxisValues>>
  /** The first setting against the second, in pairs of equal seeds. */
  readonly compare?: readonly [Readonly<Record<string, AxisValues>>, Readonly<Record<string, AxisValues>>]
  /** The axis with which the metric is to rise or fall within each seed. */
  readonly trend?: string
  /** On `log`, comparisons are ratios and means geometric. Default `linear`. */
  readonly scale?: 'linear' | 'log'
  readonly above?: number
  readonly below?: number
  /** Of a comparison: how little the two differ. */
  readonly within?: number
}

/** A figure of final metrics, or of their course (docs/sweep-language.md). */
export interface FigureDescription {
  /** Default `results`: final metrics, joined by lines where settings differ in x alone. */
  readonly kind?: FigureKind
  /** The file's name without extension. Default: by what it shows. */
  readonly name?: string
  /** An axis; of `points` a final metric too; of a `course` left out. */
  readonly x?: string
  /** A metric, of a `course` up to four. Default: the objective's. */
  readonly y?: string | readonly string[]
  /** Axes that are told by colour, and by panels. Default: by what varies. */
  readonly colour?: string
  readonly panel?: string
  readonly scale?: { readonly x?: 'linear' | 'log'; readonly y?: 'linear' | 'log' }
}

export type Scheduler = string | Readonly<Record<string, Readonly<Record<string, string | number>>>>

export interface CommandDescription {
  /** Split as a shell would, or the words themselves; `{axis}` and `{seed}` stand for values. */
  readonly command: string | readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeLimitMs?: number
  /** The same as a text, such as `10m`. */
  readonly timeout?: string
  readonly defaults?: Readonly<Record<string, ParamValue>>
}

/** An experiment's stages are a list, those of programs have names. */
const isExperiment = (one: Experiment | StagesDescription): one is Experiment => Array.isArray(one.stages)

/** Programs of which later ones work on what earlier ones saved (docs/custom-experiments.md). */
export interface StagesDescription {
  readonly stages: Readonly<
    Record<string, string | (CommandDescription & { readonly derive?: string | Readonly<Record<string, unknown>> })>
  >
}

export interface StoreOptions {
  /** The folder that holds sweeps, results and data. Default `.mlds` in the working folder or in one above it. */
  readonly store?: string
}

export interface RunOptions {
  /** Trials at once. Default: the cores; 1 for an experiment of this program, whose trials share its thread. */
  readonly workers?: number
  /** What trains the nets. Default `compiled`. */
  readonly engine?: EngineName
  /** Run on the workers of this NATS server; `workers` then adds threads here to them. */
  readonly nats?: string
  /** Whose queue on that server. Default `mlds`. */
  readonly tenant?: string
  /** Show the sweep in MLflow at this address. */
  readonly track?: string
  /** What to do about failures; docs/library.md lists the defaults. */
  readonly limits?: Partial<SweepLimits>
  /** Run every trial again: earlier results of this sweep are void, and no other sweep's are taken over. Default false. */
  readonly fresh?: boolean
  /** After so much time of running, that of earlier runs included, no trial is begun. Default: what it was given last. */
  readonly budgetMs?: number
  /**
   * So many trials at most that run for far longer than expected are run a second time besides, when nothing else is left to
   * start; the first to end counts. Not with rules or a search. Default 0.
   */
  readonly copies?: number
  /** At most so often a trial that runs in this process keeps a checkpoint. Default: a minute. */
  readonly checkpointEveryMs?: number
  /** Which trials without a result to run. Default: all of them. */
  readonly only?: readonly Rerun[]
  /** Gives up what runs; what is done is kept, and running the sweep again runs the rest. */
  readonly signal?: AbortSignal
  /** Starts nothing more and lets what runs end. */
  readonly drain?: AbortSignal
  /** Told of every event of a trial after it was written to the journal. */
  readonly onEvent?: (event: TrialEvent) => void
  /** Told what a person should know: warnings, results taken over. Default: nobody is. */
  readonly onMessage?: (message: string) => void
}

/** A sweep that was run, and what came of it. */
export interface SweepRun {
  readonly sweep: Sweep
  readonly summary: SweepSummary
}

/** A sweep in the store: what was planned, and whatever is known of it now. Reading needs no lock and may happen while it runs. */
export class Sweep {
  readonly #store: Store
  readonly #folder: SweepFolder
  readonly #experiment: Experiment | undefined
  readonly #trustCode: boolean

  /** @internal */
  constructor(store: Store, folder: SweepFolder, experiment: Experiment | undefined, trustCode = false) {
    this.#store = store
    this.#folder = folder
    this.#experiment = experiment
    this.#trustCode = trustCode
  }

  get id(): string {
    return this.#folder.id
  }
  get experiment(): string {
    return this.#folder.plan.experiment
  }
  /** Every planned trial, in the order of all tables. */
  get trials(): readonly Trial[] {
    return this.#folder.plan.trials
  }

  /** How many trials are planned, finished, failed …, read from the journal now. */
  counts(): SweepCounts {
    return this.#folder.restore().counts()
  }

  /** Every trial with its point, outcome, final metrics and their course, in plan order. */
  records(): TrialRecord[] {
    return readRecords(this.#folder)
  }

  /** What the sweep is judged by. */
  async objective(): Promise<Objective> {
    const { spec } = this.#folder.plan
    // An experiment of a program that has ended can't be opened; its plan says what its sweep is judged by.
    const { objective = (await this.#open()).objective } = spec
    return sweepObjective(spec, { objective })
  }

  /**
   * Points by the mean of their final metric over seeds, the best first; `objective` defaults to the sweep's. Of several
   * objectives those with `rank` 0 are the front.
   */
  async best(objective?: Objective): Promise<Standing[]> {
    return standings(this.records(), objective ?? (await this.objective()))
  }

  /** The verdicts on the experiment's claims as last weighed; empty before the sweep was run. */
  verdicts(): Promise<ClaimVerdict[]> {
    return storedVerdicts(this.#folder)
  }

  /**
   * Draws the figures of what has finished (SVG, PNG, page, vega-lite, CSV) into the sweep's folder. @returns their paths.
   * @throws MldsError naming those that can't be drawn, when the others are.
   */
  async draw(): Promise<string[]> {
    const stored = { store: this.#store, sweep: this.#folder, experiment: await this.#open() }
    const troubles: string[] = []
    const { figures } = await concludeAndDraw(stored, (trouble) => troubles.push(trouble))
    if (troubles.length > 0) throw new MldsError('FIGURE', troubles.join('\n'))
    return [...figures]
  }

  /**
   * Runs what the sweep still lacks; finished trials are never touched.
   * @throws StoreError when another process runs it, MldsError when its experiment has changed since.
   */
  async resume(options: RunOptions = {}): Promise<SweepRun> {
    checkOptions('resume', options)
    const stored = { store: this.#store, sweep: this.#folder, experiment: await this.#open() }
    const summary = await run(stored, choicesOf(options, this.#folder.plan), observerOf(options))
    return { sweep: this, summary }
  }

  async #open(): Promise<Experiment> {
    return this.#experiment ?? (await experimentOf(this.#folder, { trustCode: this.#trustCode }))
  }
}

/**
 * Expands a description into its trials; nothing is run or written.
 * @throws SpecError, SpaceError, UnknownNameError naming what is not right.
 */
export async function planSweep(sweep: string | SweepDescription, options: StoreOptions = {}): Promise<Plan> {
  checkOptions('planSweep', options)
  return (await describe(sweep, readStore(findStore(options.store).folder))).plan
}

/**
 * Runs a sweep: every trial of its plan that has no result yet, then its claims and figures. `sweep` is a description, a
 * built-in experiment's name, or the path of a sweep file or of a module that exports an experiment. The same sweep again
 * resumes; with `extend`, a sweep of the same `name` grows by what is new.
 * @throws MldsError before anything runs when something is not right. A trial's failure does not throw: it is counted.
 */
export async function runSweep(
  sweep: string | SweepDescription,
  given: RunOptions & StoreOptions & { readonly extend?: boolean } = {},
): Promise<SweepRun> {
  checkOptions('runSweep', given)
  const { extend = false, store: storeFolder, ...options } = given
  checkSweep(sweep)
  const store = openStore(findStore(storeFolder).folder)
  const { plan, experiment } = await describe(sweep, store)
  const sweepFile = typeof sweep === 'string' ? sweepFileOf(sweep) : undefined
  const [choices, observer] = [{ ...choicesOf(options, plan), sweepFile }, observerOf(options)]
  const frozen = await freezePlan(store, plan, experiment, {
    ...{ extend, fresh: options.fresh ?? false },
    say: (message) => observer.say(message),
  })
  const summary = await run({ store, experiment, ...frozen }, choices, observer)
  return { sweep: new Sweep(store, frozen.sweep, experiment), summary }
}

function choicesOf(options: RunOptions, { spec }: Pick<Plan, 'spec'>): RunChoices {
  const { engine, limits, only, fresh, track, budgetMs, copies, checkpointEveryMs } = options
  return {
    where: whereOf(options, spec.own?.kind === 'program'),
    ...(engine === undefined ? {} : { engine }),
    ...(limits === undefined ? {} : { limits }),
    ...(only === undefined ? {} : { only }),
    ...(budgetMs === undefined ? {} : { budgetMs }),
    ...(copies === undefined ? {} : { copies }),
    ...(checkpointEveryMs === undefined ? {} : { checkpointEveryMs }),
    ...(fresh === undefined ? {} : { fresh }),
    ...(track === undefined ? {} : { track: { url: track } }),
  }
}

function whereOf({ workers, nats, tenant = 'mlds' }: RunOptions, inProgram: boolean): Where {
  if (nats !== undefined) return { nats, tenant, threads: workers ?? 0 }
  return inProgram ? { inline: workers ?? 1 } : { threads: workers ?? availableParallelism() }
}

function observerOf({ onMessage, onEvent, drain, signal }: RunOptions): RunObserver {
  return {
    say: (message) => onMessage?.(message),
    onEvent: (event) => {
      if (event.type !== 'trials-added' && event.type !== 'paused') onEvent?.(event)
    },
    ...(drain === undefined ? {} : { drain }),
    ...(signal === undefined ? {} : { abort: signal }),
  }
}

/**
 * Opens a sweep of the store by its id, the beginning of one, or `latest`. One whose experiment is an object of a program
 * is drawn and resumed with that experiment given again.
 * @throws UnknownNameError, StoreError when there is no such sweep.
 */
export async function openSweep(
  id = 'latest',
  options: StoreOptions & {
    readonly experiment?: Experiment
    /** Run the code that the sweep's plan names although it is another user's. Default false. */
    readonly trustCode?: boolean
  } = {},
): Promise<Sweep> {
  checkOptions('openSweep', options)
  const { store: folder, experiment, trustCode = false } = options
  const store = readStore(findStore(folder).folder)
  const opened = await SweepFolder.open(store, await resolveSweepId(store, id))
  const custom = experiment === undefined ? undefined : inProgram(experiment)
  if (custom !== undefined && custom.name !== opened.plan.experiment)
    throw new UnavailableError(
      `sweep ${opened.id} is of another experiment: ${opened.plan.experiment} (not ${custom.name})`,
    )
  return new Sweep(store, opened, custom && asPlanned(opened.plan.spec, custom), trustCode)
}

async function describe(
  sweep: string | SweepDescription,
  store: Store,
): Promise<{ plan: Plan; experiment: Experiment }> {
  checkSweep(sweep)
  if (typeof sweep === 'string') return planTarget(sweep, { set: [] }, store)
  const { experiment, ...rest } = sweep
  if (typeof experiment !== 'object' || 'command' in experiment || !isExperiment(experiment)) {
    const spec = parseSweepObject(sweep, {
      parseCustom: await customParser(process.cwd()),
      languageOf: languageFor(store, {}),
    })
    return planSpec(spec, { set: [] }, store)
  }
  const custom = inProgram(experiment)
  const written = parseSweepObject({ ...rest, experiment: custom.name }, { languageOf: languageFor(store, {}) })
  const spec: SweepSpec = {
    ...written,
    own: { kind: 'program' },
    // So that ranking and comparing do without the program.
    objective: written.objective ?? custom.objective,
  }
  return planSpec(spec, { set: [] }, store, custom)
}
