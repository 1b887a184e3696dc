import { SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { Experiment, Profile, Stage } from '../../experiments/experiment.js'
import { axisOf, parseValue, type Space } from '../../core/space.js'
import type { ParamValue, Params } from '../../core/trial.js'
import type { Around } from './grid.js'
import { samplePoints, samplers } from './samplers.js'
import type { Budget, SweepSpec } from './spec.js'

/** A grid larger than this is taken for a mistake; it would not fit a journal or a person's life. */
export const maxTrials = 1_000_000

/** Partial points that are crossed with those of other factors: an axis's values, zipped rows, drawn samples. */
export type Factor = readonly Params[]

/** The factors of each stage by its name: a person's axes replace the profile's, what varies together comes last. */
export function factorsByStage(
  experiment: Experiment,
  profile: Profile,
  spec: SweepSpec,
  derived: readonly { readonly stage: Stage; readonly name: string; readonly written: string }[],
): Map<string, Factor[]> {
  const [first] = experiment.stages
  const factors = new Factors(experiment)
  for (const stage of experiment.stages) {
    const values = stage === first ? profile.axes : (profile.stages?.[stage.name] ?? {})
    for (const [name, raw] of Object.entries(values)) factors.set(stage, name, raw)
  }
  writtenAt(['budget'], () => {
    for (const [name, value] of budgetAxes(first.space, spec.budget)) {
      factors.take(first, name)
      factors.set(first, name, [value])
    }
  })
  for (const [written, raw] of Object.entries(spec.axes))
    writtenAt(['axes', written], () => {
      const [stage, name] = addressAxis(experiment, written)
      factors.take(stage, name)
      factors.set(stage, name, raw)
    })
  for (const { stage, name, written } of derived) writtenAt(['axes', written], () => factors.derive(stage, name))
  for (const [i, group] of (spec.zip ?? []).entries()) {
    const names = Object.keys(group)
    const rows = group[names[0]!]!.map((_, i) => Object.fromEntries(names.map((name) => [name, group[name]![i]])))
    factors.takeTogether(rows, 'zip', () => ['zip', i])
  }
  if (spec.points !== undefined) factors.takeTogether(spec.points, 'points', (row) => ['points', row])
  if (spec.around !== undefined) {
    const { rows, pathOf } = settingsAround(spec.around)
    factors.takeTogether(rows, 'around', pathOf)
  }
  if (spec.search !== undefined && Object.keys(spec.search.axes).length > 0) {
    const { search } = spec
    const rows = writtenAt(['search'], () => samplePoints(search, samplers, spec.language ?? 1))
    factors.takeTogether(rows, 'search', () => ['search', 'axes'])
  }
  factors.addLeft(first, profile.points ?? [])
  return factors.byStage()
}

/** The baseline, then each axis's other values beside it; a value that an axis has in the baseline is no setting of its own. */
function settingsAround({ baseline, vary }: Around): {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly pathOf: (row: number) => SpecPath
} {
  const varied = Object.entries(vary).flatMap(([name, values]) =>
    values.map((value) => ({ row: { ...baseline, [name]: value }, path: ['around', 'vary'] })),
  )
  const all = [{ row: baseline, path: ['around', 'baseline'] }, ...varied]
  return { rows: all.map(({ row }) => row), pathOf: (row) => all[row]!.path }
}

/** The factors of an experiment's stages while they are being gathered. */
class Factors {
  readonly #axes: ReadonlyMap<string, Map<string, Factor>>
  readonly #joint: ReadonlyMap<string, Factor[]>
  readonly #taken = new Set<string>()

  constructor(private readonly experiment: Experiment) {
    this.#axes = new Map(experiment.stages.map(({ name }) => [name, new Map<string, Factor>()]))
    this.#joint = new Map(experiment.stages.map(({ name }) => [name, []]))
  }

  set(stage: Stage, name: string, raw: readonly unknown[]): void {
    this.#axes.get(stage.name)!.set(name, parseAxis(stage.space, name, raw))
  }

  /** Notes that a person gave the axis values. @throws SpaceError when they did so before. */
  take(stage: Stage, name: string): void {
    const key = `${stage.name}.${name}`
    if (this.#taken.has(key))
      throw new SpaceError(`${name}: given twice (in axes, zip, points, around, search or budget)`)
    this.#taken.add(key)
  }

  /** Notes that the axis gets its values from the others'. @throws SpaceError when a person gave it values too. */
  derive(stage: Stage, name: string): void {
    this.take(stage, name)
    this.#axes.get(stage.name)!.delete(name)
  }

  /** Axes of one stage that vary together: each row is a value of each, or of some; the others keep theirs. */
  takeTogether(
    rows: readonly Readonly<Record<string, unknown>>[],
    what: 'zip' | 'search' | 'points' | 'around',
    pathOf: (row: number) => SpecPath,
  ): void {
    const places = new Map<string, SpecPath>()
    for (const [i, row] of rows.entries())
      for (const written of Object.keys(row)) if (!places.has(written)) places.set(written, [...pathOf(i), written])
    const addressed = [...places].map(([written, path]) => {
      const [stage, name] = writtenAt(path, () => addressAxis(this.experiment, written))
      return { written, path, stage, name }
    })
    if (addressed.length === 0) return
    const { stage } = addressed[0]!
    for (const { written, path, stage: its, name } of addressed)
      writtenAt(path, () => {
        if (its !== stage)
          throw new SpaceError(`${what}: ${written} is an axis of stage ${its.name}, not ${stage.name}`)
        this.take(stage, name)
        this.#axes.get(stage.name)!.delete(name)
      })
    const nameOf = new Map(addressed.map(({ written, name }) => [written, name]))
    const setting = (row: Readonly<Record<string, unknown>>, i: number): Params =>
      Object.fromEntries(
        Object.entries(row).map(([written, raw]): [string, ParamValue] =>
          writtenAt([...pathOf(i), written], () => {
            const name = nameOf.get(written)!
            return [name, parseValue(name, axisOf(stage.space, name), raw)]
          }),
        ),
      )
    this.#joint.get(stage.name)!.push(rows.map(setting))
  }

  /** A profile's points without the axes that a person gave values. */
  addLeft(stage: Stage, points: readonly Params[]): void {
    const left = points.map((row) => omit(row, (name) => this.#taken.has(`${stage.name}.${name}`)))
    if (left.some((row) => Object.keys(row).length > 0))
      this.#joint.get(stage.name)!.push([...new Map(left.map((row) => [JSON.stringify(row), row])).values()])
  }

  byStage(): Map<string, Factor[]> {
    return new Map(
      this.experiment.stages.map(({ name }) => [name, [...this.#axes.get(name)!.values(), ...this.#joint.get(name)!]]),
    )
  }
}

function omit(row: Params, isLeftOut: (name: string) => boolean): Params {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !isLeftOut(name)))
}

/** A budget in the words of the experiment's own axes. @throws SpaceError when it has no such axis. */
function budgetAxes(space: Space, budget: Budget | undefined): [string, unknown][] {
  if (budget === undefined) return []
  const { kind, amount } = budget
  if (!Object.hasOwn(space, kind))
    throw new SpaceError(
      `budget: ${kind}: this experiment has no axis of that name (it has: ${Object.keys(space).join(', ')})`,
    )
  const how = { epochs: 'epochs', updates: 'updates', targetLoss: 'loss' }[kind]
  const axis = space['budget']
  return [
    [kind, amount],
    ...(axis?.kind === 'choice' && axis.choices.includes(how) ? [['budget', how] as [string, unknown]] : []),
  ]
}

function parseAxis(space: Space, name: string, raw: readonly unknown[]): Factor {
  const axis = axisOf(space, name)
  if (raw.length === 0) throw new SpaceError(`${name}: no values (give at least one)`)
  return raw.map((value) => ({ [name]: parseValue(name, axis, value) }))
}

/** What to do about a seed among axes. */
export const seedsBeside = 'a sweep file has its seeds beside its axes (such as seeds: 0..4)'

/** `alpha` or `interpolate.alpha` to its stage and axis; an unqualified name means the first stage that has it. */
export function addressAxis(experiment: Experiment, written: string): [Stage, string] {
  const dot = written.indexOf('.')
  const qualifier = dot < 0 ? undefined : experiment.stages.find((stage) => stage.name === written.slice(0, dot))
  if (qualifier !== undefined) {
    const name = written.slice(dot + 1)
    axisOf(qualifier.space, name)
    return [qualifier, name]
  }
  const stage = experiment.stages.find((candidate) => Object.hasOwn(candidate.space, written))
  if (stage === undefined) {
    const known = [...new Set(experiment.stages.flatMap((s) => Object.keys(s.space))), 'seed']
    // It is among those that are known, but for --set: a person who wrote it here would be sent round in a circle.
    const isSeed = written === 'seed' || written === 'seeds'
    const options = isSeed ? { hint: seedsBeside } : {}
    throw new UnknownNameError('axis', written, known, options)
  }
  return [stage, written]
}
