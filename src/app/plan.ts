import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { openData } from '../data/catalog.js'
import { fileProblem, MldsError, SpaceError, SpecError, UnknownNameError, writtenAt } from '../core/errors.js'
import type { Experiment } from '../experiments/experiment.js'
import type { CustomExperiment, CustomSource } from '../experiments/custom/source.js'
import { moduleFile } from '../experiments/custom/module-file.js'
import { canonicalName, findExperiment, isExperimentName } from '../experiments/registry.js'
import { latest } from '../core/names.js'
import type { Store } from '../system/store.js'
import { makePlan, varyingAxes, type Plan } from '../sweeps/plan.js'
import { createScheduler, parseStoppingFlag } from '../sweeps/scheduling/stopping.js'
import { hasProfiles } from '../core/has-profiles.js'
import { applyOverrides } from '../sweeps/spec/overrides.js'
import { exampleOf } from '../sweeps/spec/derived.js'
import type { Grid } from '../sweeps/spec/grid.js'
import { parseSweepFile, placed, type LanguageOf, type ParseCustom, type SweepSpec } from '../sweeps/spec/spec.js'
import { newestLanguage } from '../sweeps/spec/values.js'
import { planFactsOf } from '../sweeps/sweep-folder.js'

export interface TargetFlags {
  /** The spec of a sweep that the plan is held against: read in its language, as one of its name would be. */
  readonly like?: SweepSpec
  readonly set: readonly string[]
  readonly profile?: string | undefined
  readonly name?: string | undefined
  /** Rules that stop trials early, instead of the file's. */
  readonly scheduler?: readonly string[] | undefined
}

/**
 * An experiment's name, a module that exports one, or a sweep file, with flags laid over it, checked and expanded.
 * Starts nothing.
 */
export async function planTarget(
  target: string,
  flags: TargetFlags,
  store: Store,
): Promise<{ plan: Plan; experiment: Experiment }> {
  return planSpec(await readTarget(target, languageFor(store, flags)), flags, store)
}

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
): Promise<{ plan: Plan; experiment: Experiment }> {
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
): Promise<{ plan: Plan; experiment: Experiment }> {
  const before = flags.like ?? earlierSpec(store, flags.name ?? read.name)
  const written = await inferAxes(applyOverrides(read, flags.set), read, before)
  const experiment = inProgram ?? (await experimentFor(written))
  if (read.profile !== undefined && !hasProfiles(experiment))
    writtenAt(['profile'], () => {
      throw new SpaceError(`profile: ${read.profile}: this experiment has no profiles (leave it out)`)
    })
  const spec: SweepSpec = {
    ...written,
    experiment: experiment.name,
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...((flags.scheduler ?? []).length === 0
      ? {}
      : { scheduler: flags.scheduler!.map((text) => parseStoppingFlag(text)) }),
  }
  if (spec.name === latest)
    throw new SpecError(`name: ${latest}`, 'this is what the newest sweep is called everywhere (choose another name)')
  const { name } = spec
  if (name !== undefined) writtenAt(['name'], () => store.sweepFolder(name))
  const data = openData(store)
  const plan = makePlan(experiment, spec, (name) => data.resolve(name).fingerprint)
  // A rule that can't work is refused with the plan, not after it was frozen.
  writtenAt(['scheduler'], () =>
    createScheduler(plan.trials, spec.scheduler ?? [], spec.objective ?? experiment.objective),
  )
  return { plan, experiment }
}

/**
 * The spec with all that a person's own experiment needs to be opened again from it alone.
 * Of the first language, an axis stays of the kind that it had in the sweep of this name `before`.
 * @throws UnknownNameError for an axis of a command that neither it nor the spec as it was `read` names.
 */
export async function inferAxes(spec: SweepSpec, read = spec, before?: SweepSpec): Promise<SweepSpec> {
  if (spec.own?.kind !== 'command') return spec
  const { axisNames, withAxes } = await import('../experiments/custom/command.js')
  // A command declares no axes; they are inferred. A `--set` name that neither command nor file mentions is an error.
  const values = valuesOf(spec)
  const known = axisNames(spec.own.command, Object.keys(valuesOf(read)))
  const strange = Object.keys(values).find((name) => !known.includes(name))
  if (strange !== undefined)
    throw new UnknownNameError('axis', strange, known, known.length > 0 ? {} : { hint: 'name it in the file: axes' })
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

async function experimentFor({ own, experiment }: SweepSpec): Promise<Experiment> {
  if (own === undefined) return await findExperiment(writtenAt(['experiment'], () => canonicalName(experiment)))
  const { openCustom } = await import('../experiments/custom/custom.js')
  return await openCustom(own)
}

/** What a person should know of a plan of a command's before it runs: a sentence, or `undefined`. */
export async function cautionAbout({ spec, trials }: Plan): Promise<string | undefined> {
  if (spec.own?.kind !== 'command') return undefined
  const { describeUnread } = await import('../experiments/custom/command.js')
  const seeds = new Set(trials.map(({ seeds }) => seeds.init))
  return describeUnread(spec.own.command, varyingAxes(trials), seeds.size > 1)
}

/** Every value that the spec gives an axis, wherever it does; of one that is derived a value of its kind. */
function valuesOf({ search, blocks = [], ...outside }: SweepSpec): Record<string, readonly unknown[]> {
  const values = new Map<string, unknown[]>()
  const add = (name: string, more: readonly unknown[]): void => {
    const known = values.get(name) ?? []
    for (const value of more) known.push(value)
    values.set(name, known)
  }
  for (const [name, axis] of Object.entries(search?.axes ?? {}))
    add(name, axis.kind === 'choice' ? axis.values : [axis.low, axis.high])
  const grids: readonly Grid[] = [outside, ...blocks]
  for (const { axes, zip = [], points = [], around } of grids) {
    const lists = [axes, ...zip, ...(around === undefined ? [] : [around.vary])]
    for (const list of lists) for (const [name, more] of Object.entries(list)) add(name, more)
    const settings = [...points, ...(around === undefined ? [] : [around.baseline])]
    for (const setting of settings) for (const [name, value] of Object.entries(setting)) add(name, [value])
  }
  for (const { derived = {} } of grids)
    for (const [name, text] of Object.entries(derived))
      add(name, [writtenAt(['axes', name], () => exampleOf(text, (other) => values.get(other) ?? []))])
  return Object.fromEntries(values)
}

/** What a person typed: an experiment's name, a module's path, or a sweep file's. @throws SpecError. */
export async function readTarget(target: string, languageOf: LanguageOf = () => newestLanguage): Promise<SweepSpec> {
  const language = languageOf(undefined)
  const read = { experiment: target, ...(language === 1 ? {} : { language }), axes: {} }
  if (moduleFile.test(target)) return { ...read, own: { kind: 'file', file: resolve(target) } }
  if (!/\.ya?ml$|\.json$/i.test(target)) {
    refuseOtherFiles(target)
    return read
  }
  let text: string
  try {
    text = await readFile(target, 'utf8')
  } catch (error) {
    throw new SpecError(target, fileProblem(error), { cause: error })
  }
  return parseSweepFile(text, target, await customParser(dirname(resolve(target))), languageOf)
}

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
  const { openCustom } = await import('../experiments/custom/custom.js')
  const source = await readCustom(file)
  return { name: (await openCustom(source)).name, source }
}

/** Tells modules and commands from built-in experiments; `folder` is what relative paths start from. */
export async function customParser(folder: string): Promise<ParseCustom> {
  const { parseCommand } = await import('../experiments/custom/command.js')
  return (raw) => {
    if (typeof raw !== 'string') return { kind: 'command', command: parseCommand(raw, folder) }
    return moduleFile.test(raw) ? { kind: 'file', file: resolve(folder, raw) } : undefined
  }
}
