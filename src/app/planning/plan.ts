import { sweepObjective } from '../../core/objective.js'
import type { Confirmation } from '../../core/trial.js'
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { openData } from '../../data/catalog.js'
import { fileProblem, MldsError, SpaceError, SpecError, UnknownNameError, writtenAt } from '../../core/errors.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { CustomExperiment, CustomSource } from '../../experiments/custom/source.js'
import { moduleFile } from '../../experiments/custom/module-file.js'
import { asPlanned, ownFigures } from '../../experiments/as-planned.js'
import { checkClaims, withClaimsOf } from '../../experiments/written-claims.js'
import { checkFigures } from '../../experiments/written-figures.js'
import { canonicalName, findExperiment, isExperimentName } from '../../experiments/registry.js'
import { latest } from '../../core/names.js'
import { axisOf, type Axis } from '../../core/space.js'
import type { Store } from '../../system/store.js'
import { makePlan, sweepIdOf, type Plan, type ResolveData } from '../../sweeps/plan.js'
import { claimsToDecide } from '../../sweeps/until-decided.js'
import { createScheduler, parseStoppingFlag, refuseUnplanned } from '../../sweeps/scheduling/stopping.js'
import { hasProfiles } from '../../core/has-profiles.js'
import { applyOverrides } from '../../sweeps/spec/overrides.js'
import { addressAxis, seedsBeside } from '../../sweeps/spec/factors.js'
import { axesNamed } from '../../core/expression.js'
import { exampleOf } from '../../sweeps/spec/derived.js'
import type { Grid } from '../../sweeps/spec/grid.js'
import { examplesOf } from '../../sweeps/spec/sampled-axis.js'
import { pathOfAxis } from '../../sweeps/spec/path-of-axis.js'
import { withSearchFlags, type SearchFlags } from '../../sweeps/spec/search-flags.js'
import { readSources } from '../../sweeps/spec/sources.js'
import {
  parseSweepFile,
  parseSweepObject,
  placed,
  type LanguageOf,
  type ParseCustom,
  type SweepSpec,
} from '../../sweeps/spec/spec.js'
import { searchBasisFor } from './search-basis-for.js'
import { nameAfterFile, stemOf, type Naming } from './sweep-name.js'
import { newestLanguage } from '../../sweeps/spec/language.js'
import { planFactsOf } from '../../sweeps/sweep-folder.js'
import { requireEveryValue } from './unsaid-values.js'

/** Of a sweep whose seeds are added until its claims are decided. */
const defaultMaxSeeds = 30

export interface TargetFlags extends SearchFlags, Naming {
  /** The spec of a sweep that the plan is held against: read in its language, as one of its name would be. */
  readonly like?: SweepSpec
  readonly set: readonly string[]
  /** Parts of sweep files that count before the target. */
  readonly config?: readonly string[]
  readonly profile?: string | undefined
  readonly name?: string | undefined
  /** Seeds are added until every claim is decided. */
  readonly 'until-decided'?: boolean
  /** Seeds that a setting has at most. */
  readonly 'max-seeds'?: number | undefined
  /** The best settings of a search are run again on so many fresh seeds. */
  readonly confirm?: number | undefined
  /** Rules that stop trials early, instead of the file's. */
  readonly scheduler?: readonly string[] | undefined
}

/**
 * An experiment's name, a module that exports one, or a sweep file, with flags laid over it, checked and expanded.
 * Starts nothing.
 */
export async function planTarget(target: string, flags: TargetFlags, store: Store): Promise<Planned> {
  return planSpec(
    await readTarget(target, languageFor(store, flags), flags.config),
    { ...flags, file: fileOf(target) },
    store,
  )
}

/** A plan with what it is of. */
export interface Planned {
  readonly plan: Plan
  readonly experiment: Experiment
  /** The sweep that has the file's name and another plan, where this one got another name for that. */
  readonly beside?: string
}

/** The file that a sweep is named after: a sweep file or a module. */
export const fileOf = (target: string): string | undefined => (moduleFile.test(target) ? target : sweepFileOf(target))

/** A sweep that is there goes on in the language it was planned in: what it has done keeps its ids. */
export function languageFor(store: Store, { name: asked, like }: Pick<TargetFlags, 'name' | 'like'>): LanguageOf {
  return (name) => {
    const spec = like ?? earlierSpec(store, asked ?? name)
    return spec === undefined ? newestLanguage : (spec.language ?? 1)
  }
}

/** What the sweep of that name was planned from; `undefined` where there is none. */
const earlierSpec = (store: Store, name: string | undefined): SweepSpec | undefined =>
  name === undefined ? undefined : planFactsOf(store, name)?.spec

/**
 * The same for a spec that was read already; `experiment` is one that lives in this program alone.
 * @throws SpecError with the place of what is wrong where it was read from a file; what flags say has none.
 */
export async function planSpec(
  read: SweepSpec,
  flags: TargetFlags,
  store: Store,
  inProgram?: Experiment,
): Promise<Planned> {
  return await planWritten(read, flags, store, inProgram).catch((error: unknown) => {
    throw isOfFlags(error, flags) ? error : placed(read, error)
  })
}

/** Whether it speaks of what a flag has put in the place of what the file says. */
function isOfFlags(error: unknown, { profile, scheduler = [], set }: TargetFlags): boolean {
  const [key, axis] = (error instanceof MldsError && error.path) || []
  if (key === 'profile') return profile !== undefined
  if (key === 'scheduler') return scheduler.length > 0
  return key === 'axes' && set.some((override) => axis === undefined || override.split('=')[0]!.trim() === axis)
}

async function planWritten(
  read: SweepSpec,
  flags: TargetFlags,
  store: Store,
  inProgram?: Experiment,
): Promise<Planned> {
  const before = flags.like ?? earlierSpec(store, flags.name ?? read.name)
  const overridden = applyOverrides(read, flags.set)
  const searched = withSearchFlags(overridden, flags, await declaredAxes(overridden, flags, inProgram))
  const written = await inferAxes(searched, searched === overridden ? read : searched, before)
  // A sweep that is there goes on as it was planned.
  if (written.own?.kind === 'command' && before === undefined) requireEveryValue(written, written.own.command)
  const experiment = inProgram ?? (await experimentFor(written))
  if (read.profile !== undefined && !hasProfiles(experiment))
    writtenAt(['profile'], () => {
      throw new SpaceError(`profile: ${read.profile}: this experiment has no profiles (leave it out)`)
    })
  const unnamed: SweepSpec = {
    ...written,
    experiment: experiment.name,
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...((flags.scheduler ?? []).length === 0
      ? {}
      : { scheduler: flags.scheduler!.map((text) => parseStoppingFlag(text)) }),
  }
  if (unnamed.name === latest)
    throw new SpecError(`name: ${latest}`, 'this is what the newest sweep is called everywhere (choose another name)')
  const { name } = unnamed
  if (name !== undefined) writtenAt(['name'], () => store.sweepFolder(name))
  const data = openData(store)
  const fingerprintOf = (name: string): string => data.resolve(name).fingerprint
  const nameSoFar = name ?? (flags.file === undefined ? undefined : stemOf(flags.file))
  const planned = await (unnamed.search?.learning === undefined
    ? makePlan(experiment, unnamed, fingerprintOf)
    : planLearningSearch(store, experiment, unnamed, fingerprintOf, nameSoFar))
  const { beside, ...named } =
    name === undefined && flags.like === undefined ? await nameAfterFile(store, planned, flags) : {}
  const spec: SweepSpec = { ...unnamed, ...named }
  const plan: Plan = { ...planned, spec }
  // A rule that can't work is refused with the plan, not after it was frozen.
  const rules = spec.scheduler ?? []
  writtenAt(['scheduler'], () => {
    refuseUnplanned(rules, spec.search)
    createScheduler(plan.trials, rules, sweepObjective(spec, experiment))
  })
  // Which settings a search will try, nobody knows yet.
  if (spec.search?.learning === undefined) checkClaims(spec, experiment, plan.trials)
  const fresh = flags.confirm ?? spec.confirm?.seeds ?? planFactsOf(store, sweepIdOf(plan))?.spec.confirm?.seeds
  const confirm = fresh === undefined ? {} : { confirm: await confirmationFor(fresh, spec, experiment) }
  const maxSeeds = maxSeedsOf(flags, plan, store)
  const decided =
    maxSeeds === undefined
      ? {}
      : {
          untilDecided: {
            maxSeeds,
            claims: claimsToDecide(plan, withClaimsOf(spec, experiment), maxSeeds, fingerprintOf),
          },
        }
  checkFigures(spec.figures, experiment, ownFigures(spec, experiment))
  if (fresh !== undefined && maxSeeds !== undefined)
    writtenAt(['confirm'], () => {
      throw new SpaceError(
        'confirm: seeds are added until the claims are decided, so that none stays fresh (leave out confirm, or --until-decided)',
      )
    })
  const whole = { ...spec, ...decided, ...confirm }
  return {
    plan: { ...plan, spec: whole },
    experiment: asPlanned(whole, experiment),
    ...(beside === undefined ? {} : { beside }),
  }
}

async function planLearningSearch(
  store: Store,
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
  nameSoFar: string | undefined,
): Promise<Plan> {
  const { planSearch } = await import('../../sweeps/searching/plan-search.js')
  const basis = await searchBasisFor(store, experiment, spec, resolveData, nameSoFar)
  return await planSearch(experiment, spec, resolveData, basis)
}

async function confirmationFor(seeds: number, spec: SweepSpec, experiment: Experiment): Promise<Confirmation> {
  const { confirmationOf } = await import('../../sweeps/searching/confirmation.js')
  return writtenAt(['confirm'], () => confirmationOf(seeds, spec, experiment))
}

/** Up to how many seeds are added; a sweep that was to decide its claims goes on so where that is not asked again. */
function maxSeedsOf(flags: TargetFlags, plan: Plan, store: Store): number | undefined {
  const before = planFactsOf(store, sweepIdOf(plan))?.spec.untilDecided?.maxSeeds
  return flags['until-decided'] === true ? (flags['max-seeds'] ?? before ?? defaultMaxSeeds) : before
}

/**
 * The spec with all that a person's own experiment needs to be opened again from it alone.
 * Of the first language, an axis stays of the kind that it had in the sweep of this name `before`.
 * @throws UnknownNameError for an axis of a command that neither it nor the spec as it was `read` names.
 */
export async function inferAxes(spec: SweepSpec, read = spec, before?: SweepSpec): Promise<SweepSpec> {
  if (spec.own?.kind !== 'command') return spec
  const { axisNames, withAxes } = await import('../../experiments/custom/command-axes.js')
  // A command declares no axes; they are inferred. A `--set` name that neither command nor file mentions is an error.
  const values = valuesOf(spec)
  const known = axisNames(spec.own.command, Object.keys(valuesOf(read)))
  const strange = Object.keys(values).find((name) => !known.includes(name))
  if (strange !== undefined) {
    const error = new UnknownNameError('axis', strange, known, {
      ...(known.length > 0 ? {} : { hint: 'name it in the file: axes' }),
      ...(strange === 'seed' ? { hint: seedsBeside } : {}),
    })
    if (Object.hasOwn(valuesOf(read), strange)) error.path = pathOfAxis(read, strange)
    throw error
  }
  const { own } = spec
  return writtenAt(['experiment'], () => ({
    ...spec,
    own: {
      ...own,
      command: withAxes(own.command, values, {
        objective: spec.objective,
        language: spec.language,
        before: before?.own?.kind === 'command' ? before.own.command.axes : undefined,
      }),
    },
  }))
}

/** The axes that an experiment declares, for what flags say of a range; a command declares none. */
async function declaredAxes(
  spec: SweepSpec,
  { range = [] }: TargetFlags,
  inProgram: Experiment | undefined,
): Promise<(name: string) => Axis | undefined> {
  if (range.length === 0 || spec.own?.kind === 'command') return () => undefined
  const experiment = inProgram ?? (await experimentFor(spec))
  return (written) => {
    const [stage, name] = addressAxis(experiment, written)
    return axisOf(stage.space, name)
  }
}

async function experimentFor({ own, experiment }: SweepSpec): Promise<Experiment> {
  if (own === undefined) return await findExperiment(writtenAt(['experiment'], () => canonicalName(experiment)))
  const { openCustom } = await import('../../experiments/custom/custom.js')
  return await openCustom(own)
}

/** Every value that the spec gives an axis, wherever it does; of one that is derived a value of its kind. */
function valuesOf({ search, blocks = [], ...outside }: SweepSpec): Record<string, readonly unknown[]> {
  const values = new Map<string, unknown[]>()
  const add = (name: string, more: readonly unknown[]): void => {
    const known = values.get(name) ?? []
    for (const value of more) known.push(value)
    values.set(name, known)
  }
  for (const [name, axis] of Object.entries(search?.axes ?? {})) add(name, examplesOf(axis))
  for (const setting of search?.learning?.enqueue ?? [])
    for (const [name, value] of Object.entries(setting)) add(name, [value])
  const grids: readonly Grid[] = [outside, ...blocks]
  for (const { axes, zip = [], points = [], around } of grids) {
    const lists = [axes, ...zip, ...(around === undefined ? [] : [around.vary])]
    for (const list of lists) for (const [name, more] of Object.entries(list)) add(name, more)
    const settings = [...points, ...(around === undefined ? [] : [around.baseline])]
    for (const setting of settings) for (const [name, value] of Object.entries(setting)) add(name, [value])
  }
  let left = grids.flatMap(({ derived = {} }) => Object.entries(derived))
  while (left.length > 0) {
    const isLeft = (name: string): boolean => left.some(([other]) => other === name)
    const ready = left.filter(([, text]) => !axesNamed(text).some(isLeft))
    // Those that follow from each other are told of when they are planned.
    const now = ready.length > 0 ? ready : left
    const valuesOf = (name: string): readonly unknown[] => values.get(name) ?? (isLeft(name) ? [null] : [])
    for (const [name, text] of now)
      add(name, [writtenAt(['axes', name], () => exampleOf(text, valuesOf, [...values.keys()]))])
    left = left.filter((one) => !now.includes(one))
  }
  return Object.fromEntries(values)
}

/**
 * What a person typed: an experiment's name, a module's path, or a sweep file's.
 * @param config parts of sweep files, the last of which counts first; all of them before the file.
 * @throws SpecError.
 */
export async function readTarget(
  target: string,
  languageOf: LanguageOf = () => newestLanguage,
  config: readonly string[] = [],
): Promise<SweepSpec> {
  const parts = config.toReversed().flatMap(readSources)
  const isModule = moduleFile.test(target)
  if (isModule || sweepFileOf(target) === undefined) {
    if (!isModule) refuseOtherFiles(target)
    const named = { experiment: isModule ? resolve(target) : target, axes: {} }
    if (parts.length === 0) {
      const language = languageOf(undefined)
      const own = isModule ? { own: { kind: 'file' as const, file: resolve(target) } } : {}
      return { ...named, experiment: target, ...(language === 1 ? {} : { language }), ...own }
    }
    return parseSweepObject(named, { parseCustom: await customParser(process.cwd()), languageOf, parts })
  }
  let text: string
  try {
    text = await readFile(target, 'utf8')
  } catch (error) {
    throw new SpecError(target, fileProblem(error), { cause: error })
  }
  return parseSweepFile(text, target, { parseCustom: await customParser(dirname(resolve(target))), languageOf, parts })
}

/** The sweep file among what a person typed; `undefined` for an experiment's name or module. */
export const sweepFileOf = (target: string): string | undefined => (sweepFileName.test(target) ? target : undefined)

const sweepFileName = /\.ya?ml$|\.json$/i

/** Says what to do with a path that is neither a module nor a sweep file. An experiment's name is never taken for a path. */
function refuseOtherFiles(target: string): void {
  if (isExperimentName(target)) return
  const written = ['.ts', '.mjs', '.js', '.yaml', '.yml'].map((ending) => `${target}${ending}`).find(isFile)
  if (written !== undefined)
    throw new SpecError(target, `no experiment is called that, but there is a file ${written}`, {
      hint: `did you mean ${asPath(written)}?`,
    })
  if (!existsSync(target)) {
    if (/[\\/]/.test(target) || extname(target) !== '') throw new SpecError(target, 'no such file', { hint: takes })
    return
  }
  if (!isFile(target)) throw new SpecError(target, 'this is a folder, and no experiment', { hint: takes })
  const starter = starters[extname(target)]
  const command = [...(starter === undefined ? [] : [starter]), asPath(target), '--lr={lr}'].join(' ')
  throw new SpecError(target, 'a program is run by a sweep file that says how to call it', {
    hint: `write a file my.yaml:\n    experiment: {command: '${command}'}\n    axes: {lr: [0.01, 0.1]}\n  and run: mlds sweep my.yaml`,
  })
}

const takes =
  "a sweep takes an experiment (mlds experiments), an experiment's module (./mine.ts) or a sweep file (my.yaml)"
const starters: Readonly<Record<string, string>> = { '.py': 'python3', '.sh': 'sh', '.R': 'Rscript', '.jl': 'julia' }

const asPath = (file: string): string => (/^\.{0,2}[\\/]/.test(file) ? file : `./${file}`)

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** The experiment that a file is or names. @throws SpecError when that is a built-in one, or none. */
export async function readCustom(file: string): Promise<CustomSource> {
  const { own, experiment } = await readTarget(file)
  if (own === undefined)
    throw new SpecError(file, `no experiment of one's own is here, but a built-in one's name: ${experiment}`)
  return own
}

/** The same, under the name that its code gives it. @throws SpecError. */
export async function openNamedCustom(file: string): Promise<CustomExperiment> {
  const { openCustom } = await import('../../experiments/custom/custom.js')
  const source = await readCustom(file)
  return { name: (await openCustom(source)).name, source }
}

/** Tells modules and commands from built-in experiments; `folder` is what relative paths start from. */
export async function customParser(folder: string): Promise<ParseCustom> {
  const { parseCommand } = await import('../../experiments/custom/command.js')
  return (raw, from = folder) => {
    if (typeof raw !== 'string') return { kind: 'command', command: parseCommand(raw, from) }
    return moduleFile.test(raw) ? { kind: 'file', file: resolve(from, raw) } : undefined
  }
}
