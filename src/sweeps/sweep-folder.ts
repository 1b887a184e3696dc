import { formatCount } from '../core/format.js'
import { existsSync, readdirSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MldsError, StoreError, UnknownNameError } from '../core/errors.js'
import { latest, lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import { readRegularFile } from '../system/read-regular-file.js'
import { lockHolder } from '../system/lock.js'
import { replaceFile, syncName } from '../system/replace-file.js'
import { canonicalJson } from '../core/seed.js'
import type { Store } from '../system/store.js'
import type { Trial, TrialId, TrialsAdded } from '../core/trial.js'
import { readJournal, type JournalDamage, type JournalEntry, type JournalEvent } from './journal/journal.js'
import { hashTrials, mayGrow, sweepIdOf, varyingAxes, type Plan } from './plan.js'
import { TrialLogs, type StoredLog } from './trial-logs.js'
import { problemOf } from '../core/system-error.js'
import { additionsOf } from './journal/additions.js'
import { SweepState } from './journal/state.js'
import { describeRules } from './scheduling/stopping.js'
import { encodePlan, formatOf, readPlan, readPlanFacts, type PlanFacts, type StoredPlan } from './stored-plan.js'

/** One sweep on disk: a frozen plan, a journal, logs and figures. Reading needs no lock. */
export class SweepFolder {
  #logs: TrialLogs | undefined
  /** Those of the frozen plan, then those that it has grown by. */
  readonly #trials: Trial[]
  readonly #known = new Set<TrialId>()
  readonly #added: TrialsAdded[] = []

  private constructor(
    readonly folder: string,
    /** As plan.json has it. */
    readonly frozen: StoredPlan,
    /** Whether whoever runs this process owns plan.json, wherever a link leads: only then is the code it names run unasked. */
    readonly isMine: boolean,
  ) {
    this.#trials = [...frozen.trials]
    if (!mayGrow(frozen.spec)) return
    for (const { id } of this.#trials) this.#known.add(id)
    for (const added of additionsOf(this.entries())) this.grow(added)
  }

  /** The plan with all that it has grown by so far; its hash is the frozen one's. */
  get plan(): StoredPlan {
    return { ...this.frozen, trials: this.#trials }
  }

  /** Takes in what the plan has grown by: whoever holds the plan has those trials too. */
  grow(added: TrialsAdded): void {
    this.#added.push(added)
    for (const trial of added.trials) {
      if (this.#known.has(trial.id)) continue
      this.#known.add(trial.id)
      this.#trials.push({ ...trial, index: this.#trials.length })
    }
  }

  /** What the plan has grown by rested on results that are void. */
  forgetAdded(): void {
    this.#added.length = 0
    for (const { id } of this.#trials.splice(this.frozen.trials.length)) this.#known.delete(id)
  }

  /** What plan.json holds; where the plan has grown, what it would hold if no journal were beside it. */
  wholePlan(): Uint8Array {
    if (this.#added.length === 0) return readRegularFile(this.planFile)
    return Buffer.concat([...encodePlan({ ...this.frozen, added: this.#added })])
  }

  /** @throws StoreError when there is no such sweep, or its plan was altered or written by a newer version. */
  static async open(store: Store, id: string): Promise<SweepFolder> {
    const folder = store.sweepFolder(id)
    const file = join(folder, 'plan.json')
    try {
      const { plan, isMine } = readPlan(file)
      return new SweepFolder(folder, plan, isMine)
    } catch (error) {
      if (error instanceof StoreError) throw error
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new NoSuchSweepError(`no such sweep: ${id}`, { hint: 'mlds list shows them' })
      throw new StoreError(`the plan of sweep ${id} can't be read: ${file}: ${problemOf(error)}`, {
        cause: error,
      })
    }
  }

  /** Freezes a plan under its id; an existing sweep of that id must ask for the very same trials. `fresh`: its results are to be void. */
  static async create(
    store: Store,
    plan: Plan,
    facts: { codeVersion: string; createdAtMs: number },
    options: { readonly fresh?: boolean } = {},
  ): Promise<SweepFolder> {
    const id = sweepIdOf(plan)
    const folder = store.sweepFolder(id)
    if (existsSync(join(folder, 'plan.json'))) {
      const existing = await SweepFolder.open(store, id)
      const refusal = existing.refusalOf(plan, options)
      if (refusal !== undefined) throw refusal
      // What runs is what was asked for now, wherever the stored plan says that its code lies.
      const { own: _, ...spec } = existing.plan.spec
      const asked = {
        ...existing.frozen,
        spec: { ...spec, ...(plan.spec.own === undefined ? {} : { own: plan.spec.own }) },
      }
      return new SweepFolder(folder, asked, existing.isMine)
    }
    return SweepFolder.#write(folder, { format: formatOf(plan), sweep: id, ...facts, ...plan })
  }

  /** Why a sweep of this plan can't go on with this one: it has other trials, rules or search. `undefined` when it can. */
  refusalOf(plan: Plan, options: { readonly fresh?: boolean } = {}): MldsError | undefined {
    const refusal = this.#otherSearch(plan, 'the same')
    if (refusal !== undefined) return refusal
    return this.plan.hash === plan.hash
      ? this.#otherRules(plan)
      : new PlanDiffersError(this.id, this.frozen.trials, plan.trials, options)
  }

  /** A search goes on from its own results alone: by the same sampler in the same ranges, if only to more settings. */
  #otherSearch(plan: Plan, wanted: 'the same' | 'at least as many'): MldsError | undefined {
    const [before, after] = [this.frozen.spec.search, plan.spec.search]
    if (before?.learning === undefined && after?.learning === undefined) return undefined
    const refuse = (problem: string, hint: string): MldsError =>
      new StoreError(`sweep ${this.id} exists with ${problem}`, { hint, exitCode: 2 })
    if (canonicalJson({ ...before, count: 0 }) !== canonicalJson({ ...after, count: 0 }))
      return refuse('another search', 'give this one another --name: trials that finished are taken over')
    const [had, has] = [before!.count, after!.count]
    if (had === has) return undefined
    const counts = `${formatCount(had, 'setting')} to search (now ${has})`
    if (has < had) return refuse(counts, 'give this one another --name: a search forgets nothing')
    return wanted === 'the same' ? refuse(counts, 'add --extend to go on to more settings') : undefined
  }

  /** Results under other rules are other results: no sweep holds both. */
  #otherRules(plan: Plan): MldsError | undefined {
    const [before, after] = [this.plan, plan].map(({ spec }) => spec.scheduler ?? [])
    if (canonicalJson(before) === canonicalJson(after)) return undefined
    return new StoreError(
      `sweep ${this.id} exists with another scheduler: ${describeRules(before!)} (now ${describeRules(after!)})`,
      { hint: 'give this one another --name', exitCode: 2 },
    )
  }

  /**
   * Adds what another plan asks for and this one lacks; nothing planned before is given up.
   * @throws StoreError when the plan has other stopping rules.
   */
  async extend(plan: Plan): Promise<SweepFolder> {
    // A sweep that a newer mlds ran is refused before anything of it is changed.
    this.restore()
    const refusal = this.#otherRules(plan) ?? this.#otherSearch(plan, 'at least as many')
    if (refusal !== undefined) throw refusal
    const known = new Set(this.frozen.trials.map((trial) => trial.id))
    const added = plan.trials.filter((trial) => !known.has(trial.id))
    const trials = [...this.frozen.trials, ...added].map((trial, index) => ({ ...trial, index }))
    const { format, sweep, codeVersion, createdAtMs, samplerVersion } = this.frozen
    const { samplerVersion: _, ...rest } = plan
    return SweepFolder.#write(this.folder, {
      format: Math.max(format, formatOf({ ...plan, trials })),
      sweep,
      codeVersion,
      createdAtMs,
      ...rest,
      // A search goes on by the rules that it began with.
      ...(samplerVersion === undefined ? {} : { samplerVersion }),
      trials,
      hash: hashTrials(trials),
    })
  }

  static async #write(folder: string, plan: StoredPlan): Promise<SweepFolder> {
    const file = join(folder, 'plan.json')
    try {
      await replaceFile(file, encodePlan(plan))
      await syncName(file)
    } catch (error) {
      throw new StoreError(`the sweep can't be stored: ${file}: ${problemOf(error)}`, { cause: error })
    }
    return new SweepFolder(folder, plan, true)
  }

  /**
   * Gives the sweep back the plan it had, or removes its folder when it had none. Does nothing when the journal tells of a
   * trial that the former plan lacks: what has run stays. The caller holds the sweep's lock.
   */
  async takeBack(former: StoredPlan | undefined): Promise<void> {
    const known = new Set(former?.trials.map(({ id }) => id))
    for (const { event } of this.entries()) if ('trial' in event && !known.has(event.trial)) return
    if (former !== undefined) return await replaceFile(this.planFile, encodePlan(former))
    await rm(this.folder, { recursive: true, force: true })
    // The folders above it too, where it was all that was in them.
    for (const folder of [dirname(this.folder), dirname(dirname(this.folder))]) await rmdir(folder).catch(() => {})
  }

  /** What the sweep is called: the name of its folder, so that it is another one as soon as that has another. */
  get id(): string {
    return basename(this.folder)
  }
  /** What it was called when it was planned, by which trackers go on to know it. */
  get firstName(): string {
    return this.frozen.sweep
  }
  /** Whether it was brought to a tracking server. */
  get isTracked(): boolean {
    return existsSync(join(this.folder, 'tracking'))
  }
  /** Why its last process stopped, in its own word; `undefined` where it was killed, never ran, or runs. */
  get closedAs(): string | undefined {
    let closed: string | undefined
    for (const event of this.events()) {
      if (event.type === 'opened') closed = undefined
      if (event.type === 'closed') closed = event.reason
    }
    return closed
  }
  get planFile(): string {
    return join(this.folder, 'plan.json')
  }
  get journalFile(): string {
    return join(this.folder, 'journal.jsonl')
  }
  get lockFile(): string {
    return join(this.folder, 'lock')
  }
  get figuresFolder(): string {
    return join(this.folder, 'figures')
  }
  get verdictsFile(): string {
    return join(this.folder, 'verdicts.json')
  }
  get conclusionFile(): string {
    return join(this.folder, 'conclusion.json')
  }
  /** Holds a copy of the program, if the experiment is a command. */
  get codeFolder(): string {
    return join(this.folder, 'code')
  }
  /** Of trials that have begun and not ended. */
  get checkpointsFolder(): string {
    return join(this.folder, 'checkpoints')
  }

  get logsFolder(): string {
    return join(this.folder, 'logs')
  }

  /** The log of an attempt, of however much there is yet; `undefined` where there is none. */
  readLog(trial: TrialId, attempt: number): Promise<StoredLog | undefined> {
    this.#logs ??= new TrialLogs(this.logsFolder)
    return this.#logs.read(trial, attempt)
  }

  /** The journal's entries in order; none before the sweep first ran. */
  *entries(onDamage?: (damage: JournalDamage) => void): Generator<JournalEntry> {
    if (existsSync(this.journalFile)) yield* readJournal(this.journalFile, onDamage)
  }

  /** The events alone, where nobody asks for their places or for damage. */
  *events(): Generator<JournalEvent> {
    for (const { event } of this.entries()) yield event
  }

  /** Where every trial stands according to the journal; nothing is taken to be still running. */
  restore(onDamage?: (damage: JournalDamage) => void): SweepState {
    const state = new SweepState(this.frozen.trials)
    for (const { event } of this.entries(onDamage)) state.apply(event)
    state.forgetRunning()
    return state
  }
}

/** The same name, another plan: nothing is run until the person says what they mean. */
export class PlanDiffersError extends MldsError {
  constructor(
    id: string,
    before: readonly Trial[],
    after: readonly Trial[],
    options: { readonly fresh?: boolean } = {},
  ) {
    const { added, removed, axes } = diffPlans(before, after)
    super(
      'PLAN_DIFFERS',
      `sweep ${id} exists with another plan: ${formatCount(added, 'trial')} would be new, ${removed} would be gone${axes === '' ? '' : ` (${axes})`}`,
      {
        hint:
          options.fresh === true
            ? 'add --extend to run every trial of both plans again (with --fresh nothing of before counts), or give this one another --name'
            : 'add --extend to run only what is new (what is done stays), or give this one another --name',
      },
    )
  }
}

/** How two plans differ, in numbers and in values per axis. */
export function diffPlans(
  before: readonly Trial[],
  after: readonly Trial[],
): { added: number; removed: number; axes: string } {
  const old = new Set(before.map((trial) => trial.id))
  const fresh = new Set(after.map((trial) => trial.id))
  const axes = varyingAxes([...before, ...after]).flatMap((axis) => {
    const valuesBefore = new Set(before.map((trial) => writeValue(lookUp(trial.params, axis))))
    const valuesAfter = new Set(after.map((trial) => writeValue(lookUp(trial.params, axis))))
    const plus = [...valuesAfter].filter((value) => !valuesBefore.has(value))
    const minus = [...valuesBefore].filter((value) => !valuesAfter.has(value))
    return plus.length + minus.length === 0
      ? []
      : [`${axis}:${plus.map((v) => ` +${v}`).join('')}${minus.map((v) => ` −${v}`).join('')}`]
  })
  return {
    added: after.filter((trial) => !old.has(trial.id)).length,
    removed: before.filter((trial) => !fresh.has(trial.id)).length,
    axes: axes.join('; '),
  }
}

/** The process that runs the sweep of a folder, or brings it to a tracking server, if there is one. */
export function holderOf(folder: string, { exceptRunning = false } = {}): number | undefined {
  const tracking = join(folder, 'tracking')
  const files = existsSync(tracking) ? readdirSync(tracking) : []
  const locks = files.filter((file) => file.endsWith('.lock')).map((file) => join(tracking, file))
  for (const lock of [...(exceptRunning ? [] : [join(folder, 'lock')]), ...locks]) {
    const pid = lockHolder(lock)
    if (pid !== undefined) return pid
  }
  return undefined
}

/** There is no such sweep here, or none at all; one that is there and can't be read is another matter. */
class NoSuchSweepError extends StoreError {}

/** Whether an error says that a sweep isn't in the store, so that it may be brought from elsewhere. */
export const meansAbsent = (error: unknown): boolean =>
  error instanceof NoSuchSweepError || error instanceof UnknownNameError

/**
 * A sweep's full id from its beginning, from `latest`, or from its folder in the store (`sweeps/ID`), which also names one
 * that was called `latest` when that was allowed. @throws UnknownNameError, or StoreError when several fit.
 */
export async function resolveSweepId(store: Store, typed: string): Promise<string> {
  const ids = await store.sweepIds()
  const wanted = typed.replace(/^sweeps\//, '')
  if (ids.includes(wanted) && typed !== latest) return wanted
  if (typed === latest) {
    const newest = (await sweepsByAge(store))[0]
    if (newest === undefined)
      throw new NoSuchSweepError('there is no sweep yet', { hint: 'start one with: mlds sweep params' })
    return newest
  }
  const fitting = ids.filter((id) => id.startsWith(wanted))
  if (fitting.length === 1) return fitting[0]!
  if (fitting.length > 1)
    throw new StoreError(`several sweeps begin with ${wanted}: ${fitting.join(', ')}`, { exitCode: 2 })
  throw new UnknownNameError('sweep', wanted, ids.length === 0 ? ['none yet: start one with mlds sweep params'] : ids)
}

/** The id that was typed in full, since what is done to it can't be undone. @throws UnknownNameError that names what begins so. */
export async function requireFullName(store: Store, typed: string): Promise<string> {
  const ids = await store.sweepIds()
  const wanted = typed.replace(/^sweeps\//, '')
  if (ids.includes(wanted)) return wanted
  const known = typed === latest ? (await sweepsByAge(store)).slice(0, 1) : ids
  throw new UnknownNameError(
    'sweep',
    wanted,
    known,
    known.length === 0 ? {} : { hint: `name it in full: ${known.join(', ')}` },
  )
}

/** Ids of all sweeps, newest first. */
export async function sweepsByAge(store: Store): Promise<string[]> {
  const ids = await store.sweepIds()
  const aged = ids.map((id) => ({ id, at: planFactsOf(store, id)?.createdAtMs ?? 0 }))
  return aged.sort((a, b) => b.at - a.at).map(({ id }) => id)
}

/** What a sweep's plan says beside its trials; `undefined` when it can't be read. */
export function planFactsOf(store: Store, id: string): PlanFacts | undefined {
  try {
    return readPlanFacts(join(store.sweepFolder(id), 'plan.json'))
  } catch {
    return undefined
  }
}
