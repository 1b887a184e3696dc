import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { Experiment, Profile, Stage } from '../../experiments/experiment.js'
import { lookUp } from '../../core/names.js'
import { axisOf, completeParams, parseValue, type Space } from '../../core/space.js'
import { valueKey } from '../../core/param-value.js'
import type { ParamValue, Params } from '../../core/trial.js'
import { joined, placedInBlock } from './blocks.js'
import { derivationsOf, type Derivation } from './derived.js'
import { axesNamed, expressionOver, NotFiniteError } from '../../core/expression.js'
import { addressAxis, factorsByStage, maxTrials, type Factor } from './factors.js'
import type { Grid, Matcher, Pattern } from './grid.js'
import type { SweepSpec } from './spec.js'

/** All points of the first stage are left out. */
export class NothingLeftError extends SpaceError {}

type PointsOf = (stage: Stage) => readonly Params[]

/**
 * Everything a person wrote about axes, checked, as a function that gives a stage's points, each complete, in order. Axes
 * come first and the last varies fastest; then zipped groups; then settings; then what is searched. A person's axes replace the
 * profile's. With blocks, the points of one block come after those of another, and a point that two have is one.
 * @param onFit is told each pattern of `when` and `exclude` that fits a point.
 * @throws SpaceError, UnknownNameError.
 */
export function pointsOfStages(
  experiment: Experiment,
  profile: Profile,
  spec: SweepSpec,
  onFit?: (pattern: Pattern) => void,
): PointsOf {
  const { blocks } = spec
  if (blocks === undefined) return pointsOfGrid(experiment, profile, spec, onFit)
  const grids = blocks.map((block, i) =>
    placedInBlock(spec, i, () => pointsOfGrid(experiment, profile, joined(spec, block), onFit)),
  )
  return (stage) => {
    const points = grids.flatMap((pointsOf, i) => placedInBlock(spec, i, () => pointsOf(stage)))
    return [...new Map(points.map((point) => [JSON.stringify(point), point])).values()]
  }
}

/** The patterns of `when` and `exclude` that fit no point: they may be a slip of the hand. */
export function idlePatterns(
  experiment: Experiment,
  profile: Profile,
  spec: SweepSpec,
): { readonly key: 'when' | 'exclude'; readonly axis?: string; readonly pattern: Pattern }[] {
  const all = [spec, ...(spec.blocks ?? [])].flatMap(({ when = {}, exclude = [] }: Grid) => [
    ...Object.entries(when).map(([axis, pattern]) => ({ key: 'when' as const, axis, pattern })),
    ...exclude.map((pattern) => ({ key: 'exclude' as const, pattern })),
  ])
  if (all.length === 0) return []
  const fitting = new Set<Pattern>()
  const pointsOf = pointsOfStages(experiment, profile, spec, (pattern) => fitting.add(pattern))
  for (const stage of experiment.stages) pointsOf(stage)
  return all.filter(({ pattern }) => !fitting.has(pattern))
}

function pointsOfGrid(
  experiment: Experiment,
  profile: Profile,
  spec: SweepSpec,
  onFit?: (pattern: Pattern) => void,
): PointsOf {
  const telling =
    (pattern: Pattern, fits: (params: Params) => boolean) =>
    (params: Params): boolean => {
      const isFit = fits(params)
      if (isFit) onFit?.(pattern)
      return isFit
    }
  const derivations = derivationsOf(experiment, spec.derived ?? {})
  const factors = factorsByStage(experiment, profile, spec, derivations)
  const conditions = Object.entries(spec.when ?? {}).map(([written, pattern]) => {
    const path = ['when', written]
    const [stage, axis] = writtenAt(path, () => addressAxis(experiment, written))
    return { stage, axis, fits: telling(pattern, matcher(stage.space, pattern, path)) }
  })
  const excluded = (spec.exclude ?? []).map((pattern, i) => {
    const path = ['exclude', i]
    const [first] = Object.keys(pattern) as [string]
    const [stage] = writtenAt([...path, first], () => addressAxis(experiment, first))
    return { stage, fits: telling(pattern, matcher(stage.space, bare(experiment, pattern, path), path)) }
  })
  const demanded = (spec.where ?? []).map((text, i) => writtenAt(['where', i], () => demand(experiment, spec, text, i)))
  const of = <T extends { readonly stage: Stage }>(all: readonly T[], stage: Stage): T[] =>
    all.filter((one) => one.stage.name === stage.name)

  return (stage) => {
    const crossed = writtenAt(['axes'], () => cross(completeParams(stage.space, {}), factors.get(stage.name)!))
    const [derived, own] = [of(derivations, stage), of(conditions, stage)]
    const [left, wanted] = [of(excluded, stage), of(demanded, stage)]
    const points = derived.length === 0 ? crossed : crossed.map((point) => withDerived(point, derived))
    const settled = own.length === 0 ? points : points.map((point) => completePoint(stage.space, point, own))
    // Each is asked of every point, whatever another leaves out.
    if (onFit !== undefined) for (const params of settled) for (const { fits } of left) fits(params)
    const kept =
      left.length + wanted.length === 0
        ? settled
        : settled.filter(
            (params) => wanted.every(({ holds }) => holds(params)) && !left.some(({ fits }) => fits(params)),
          )
    // Of a later stage all may be left out: then only the earlier ones run.
    if (kept.length === 0 && stage === experiment.stages[0]) {
      const by = [...(left.length > 0 ? ['exclude'] : []), ...(wanted.length > 0 ? ['where'] : [])].join(' and ')
      writtenAt([left.length > 0 ? 'exclude' : 'where'], () => {
        throw new NothingLeftError(`${by}: nothing is left of ${points.length} points (leave out fewer, or add values)`)
      })
    }
    return kept
  }
}

/** What a line of `where` asks of a stage's points. */
function demand(
  experiment: Experiment,
  { search }: SweepSpec,
  text: string,
  i: number,
): { readonly stage: Stage; readonly holds: (params: Params) => boolean } {
  const [first] = axesNamed(text)
  if (first === undefined) throw new SpaceError(`where: ${text}: names no axis (such as 'width * depth <= 512')`)
  const [stage] = addressAxis(experiment, first)
  const expression = expressionOver(stage.space, text)
  if (expression.type !== 'boolean' && expression.type !== 'any')
    throw new SpaceError(
      `where: ${text}: is a ${expression.type} (it must be true or false, such as 'width * depth <= 512')`,
    )
  // Nobody chose a point that was drawn: one of which it can't be said is left out.
  const isDrawn = Object.keys(search?.axes ?? {}).length > 0
  const holds = (params: Params): boolean => {
    try {
      return isTrue(expression.evaluate(params), text)
    } catch (error) {
      if (isDrawn && error instanceof NotFiniteError) return false
      throw error
    }
  }
  return { stage, holds: (params) => writtenAt(['where', i], () => holds(params)) }
}

function isTrue(value: ParamValue, text: string): boolean {
  if (typeof value === 'boolean') return value
  throw new SpaceError(`where: ${text}: came to ${quoteInput(value)} (it must be true or false)`)
}

/** The point with the axes whose values follow from the others'. */
function withDerived(point: Params, derivations: readonly Derivation[]): Params {
  return derivations.reduce((params, { stage, name, written, expression }) => {
    const value = writtenAt(['axes', written], () =>
      parseValue(name, axisOf(stage.space, name), expression.evaluate(params)),
    )
    return { ...params, [name]: value }
  }, point)
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
