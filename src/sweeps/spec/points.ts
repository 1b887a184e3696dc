import { SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { Experiment, Profile, Stage } from '../../experiments/experiment.js'
import { lookUp } from '../../core/names.js'
import { axisOf, completeParams, parseValue, type Space } from '../../core/space.js'
import { valueKey } from '../../core/param-value.js'
import type { ParamValue, Params } from '../../core/trial.js'
import { samplePoints } from './samplers.js'
import type { Budget, Matcher, Pattern, SweepSpec } from './spec.js'

/** A grid larger than this is taken for a mistake; it would not fit a journal or a person's life. */
export const maxTrials = 1_000_000

/** Partial points that are crossed with those of other factors: an axis's values, zipped rows, drawn samples. */
type Factor = readonly Params[]

/**
 * Everything a person wrote about axes, checked, as a function that gives a stage's points, each complete, in order. Axes
 * come first and the last varies fastest; then zipped groups; then what is searched. A person's axes replace the profile's.
 * @throws SpaceError, UnknownNameError.
 */
export function pointsOfStages(
  experiment: Experiment,
  profile: Profile,
  spec: SweepSpec,
): (stage: Stage) => readonly Params[] {
  const factors = factorsByStage(experiment, profile, spec)
  const conditions = Object.entries(spec.when ?? {}).map(([written, pattern]) => {
    const path = ['when', written]
    const [stage, axis] = writtenAt(path, () => addressAxis(experiment, written))
    return { stage, axis, fits: matcher(stage.space, pattern, path) }
  })
  const excluded = (spec.exclude ?? []).map((pattern, i) => {
    const path = ['exclude', i]
    const [first] = Object.keys(pattern) as [string]
    const [stage] = writtenAt([...path, first], () => addressAxis(experiment, first))
    return { stage, fits: matcher(stage.space, bare(experiment, pattern, path), path) }
  })

  return (stage) => {
    const own = conditions.filter((condition) => condition.stage.name === stage.name)
    const left = excluded.filter((exclusion) => exclusion.stage.name === stage.name)
    const points = writtenAt(['axes'], () => cross(completeParams(stage.space, {}), factors.get(stage.name)!))
    const settled = own.length === 0 ? points : points.map((point) => completePoint(stage.space, point, own))
    const kept = left.length === 0 ? settled : settled.filter((params) => !left.some(({ fits }) => fits(params)))
    // Of a later stage all may be left out: then only the earlier ones run.
    if (kept.length === 0 && stage === experiment.stages[0])
      throw new SpaceError(`exclude: nothing is left of ${points.length} points (leave out fewer, or add values)`)
    return kept
  }
}

/** The point with an axis whose condition does not hold at its default: points that differ in it alone become one. */
function completePoint(
  space: Space,
  point: Params,
  conditions: readonly { readonly axis: string; readonly fits: (params: Params) => boolean }[],
): Params {
  let params = point
  for (const { axis, fits } of conditions) if (!fits(params)) params = { ...params, [axis]: space[axis]!.default }
  return params
}

/** The factors of each stage by its name: a person's axes replace the profile's, what varies together comes last. */
function factorsByStage(experiment: Experiment, profile: Profile, spec: SweepSpec): Map<string, Factor[]> {
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
  for (const [i, group] of (spec.zip ?? []).entries()) {
    const names = Object.keys(group)
    const rows = group[names[0]!]!.map((_, i) => Object.fromEntries(names.map((name) => [name, group[name]![i]])))
    factors.takeTogether(rows, 'zip', ['zip', i])
  }
  if (spec.search !== undefined && Object.keys(spec.search.axes).length > 0) {
    const { search } = spec
    const rows = writtenAt(['search'], () => samplePoints(search))
    factors.takeTogether(rows, 'search', ['search', 'axes'])
  }
  factors.addLeft(first, profile.points ?? [])
  return factors.byStage()
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
    if (this.#taken.has(key)) throw new SpaceError(`${name}: given twice (in axes, zip, search or budget)`)
    this.#taken.add(key)
  }

  /** Axes of one stage that vary together: each row is a value of each. */
  takeTogether(rows: readonly Record<string, unknown>[], what: 'zip' | 'search', path: SpecPath): void {
    const addressed = Object.keys(rows[0] ?? {}).map((written) => {
      const [stage, name] = writtenAt([...path, written], () => addressAxis(this.experiment, written))
      return { written, stage, name }
    })
    if (addressed.length === 0) return
    const { stage } = addressed[0]!
    for (const { written, stage: its, name } of addressed)
      writtenAt([...path, written], () => {
        if (its !== stage)
          throw new SpaceError(`${what}: ${written} is an axis of stage ${its.name}, not ${stage.name}`)
        this.take(stage, name)
        this.#axes.get(stage.name)!.delete(name)
      })
    const valueOf = (row: Record<string, unknown>, written: string, name: string): ParamValue =>
      writtenAt([...path, written], () => parseValue(name, axisOf(stage.space, name), row[written]))
    this.#joint
      .get(stage.name)!
      .push(
        rows.map((row) =>
          Object.fromEntries(addressed.map(({ written, name }) => [name, valueOf(row, written, name)])),
        ),
      )
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

/** `alpha` or `interpolate.alpha` to its stage and axis; an unqualified name means the first stage that has it. */
function addressAxis(experiment: Experiment, written: string): [Stage, string] {
  const dot = written.indexOf('.')
  const qualifier = dot < 0 ? undefined : experiment.stages.find((stage) => stage.name === written.slice(0, dot))
  if (qualifier !== undefined) {
    const name = written.slice(dot + 1)
    axisOf(qualifier.space, name)
    return [qualifier, name]
  }
  const stage = experiment.stages.find((candidate) => Object.hasOwn(candidate.space, written))
  if (stage === undefined) {
    throw new UnknownNameError('axis', written, [
      ...new Set(experiment.stages.flatMap((s) => Object.keys(s.space))),
      'seed',
    ])
  }
  return [stage, written]
}

/** A pattern without the stages' names before its axes. */
function bare(experiment: Experiment, pattern: Pattern, path: SpecPath): Pattern {
  return Object.fromEntries(
    Object.entries(pattern).map(([written, wanted]) => [
      writtenAt([...path, written], () => addressAxis(experiment, written))[1],
      wanted,
    ]),
  )
}

function matcher(space: Space, pattern: Pattern, path: SpecPath): (params: Params) => boolean {
  const tests = Object.entries(pattern).map(([name, wanted]) => {
    const fits = writtenAt([...path, name], () => valueMatcher(space, name, wanted))
    return (params: Params) => fits(lookUp(params, name)!)
  })
  return (params) => tests.every((test) => test(params))
}

function valueMatcher(space: Space, name: string, wanted: Matcher): (value: ParamValue) => boolean {
  const axis = axisOf(space, name)
  if (isList(wanted)) {
    const values = new Set(wanted.map((raw) => valueKey(parseValue(name, axis, raw))))
    return (value) => values.has(valueKey(value))
  }
  if (axis.kind !== 'integer' && axis.kind !== 'number' && axis.kind !== 'literal')
    throw new SpaceError(`${name}: min and max are for numbers (it is ${axis.kind}; give a list of values)`)
  const { min = -Infinity, max = Infinity } = wanted
  return (value) => typeof value === 'number' && value >= min && value <= max
}

function isList(wanted: Matcher): wanted is readonly unknown[] {
  return Array.isArray(wanted)
}

/** The Cartesian product, last factor fastest, laid over the complete point `base`. */
function cross(base: Params, factors: readonly Factor[]): Params[] {
  let points: Params[] = [base]
  for (const factor of factors) {
    if (points.length * factor.length > maxTrials) {
      const names = Object.keys(factor[0] ?? {}).join(', ')
      throw new SpaceError(`the axes cross to more than ${maxTrials} points at ${names} (use fewer values)`)
    }
    const rows = factor.map((values) => Object.entries(values))
    const crossed: Params[] = []
    for (const point of points)
      for (const row of rows) {
        // Each name is there already: to set it is many times faster than to spread one object over another.
        const copy: Record<string, ParamValue> = { ...point }
        for (const [name, value] of row) copy[name] = value
        crossed.push(copy)
      }
    points = crossed
  }
  return points
}
