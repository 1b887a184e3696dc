import { SpaceError, UnknownNameError, writtenAt } from '../../core/errors.js'
import { isSameValue, writeValue } from '../../core/param-value.js'
import type { ParamValue } from '../../core/trial.js'
import type { SearchAxis, SearchPoint } from '../../search/space.js'
import type { Pattern } from '../spec/grid.js'
import { type Interval, type NormalLaw, type SampledAxis } from '../spec/sampled-axis.js'
import type { SweepSpec } from '../spec/spec.js'

/** A value of every searched axis, by the axis's name as it was written. */
export type SearchedValues = Readonly<Record<string, ParamValue>>

/** The searched axes as a sampler sees them, and what a point of theirs is in a person's values. */
export class SearchSpace {
  readonly axes: readonly SearchAxis[]
  readonly #sampled: Readonly<Record<string, SampledAxis>>

  constructor({ search, when = {} }: Pick<SweepSpec, 'search' | 'when'>) {
    this.#sampled = search!.axes
    const written = Object.entries(this.#sampled).map(([name, axis]) => toSearchAxis(name, axis))
    const conditional = written.map((axis) => withCondition(axis, when[axis.name], this.#sampled))
    // A sampler chooses the axis that another depends on first.
    this.axes = [
      ...conditional.filter((axis) => axis.when === undefined),
      ...conditional.filter((axis) => axis.when !== undefined),
    ]
  }

  /** An axis that does not matter at the point has its first value: planning puts it at its default. */
  valuesOf(point: SearchPoint): SearchedValues {
    return Object.fromEntries(
      Object.entries(this.#sampled).map(([name, axis]) => {
        if (axis.kind === 'choice') return [name, axis.values[point[name] ?? 0] as ParamValue]
        return [name, point[name] ?? intervalOf(name, axis).low]
      }),
    )
  }

  /** @throws SpaceError for a value outside its axis. */
  pointOf(values: SearchedValues): SearchPoint {
    const point: Record<string, number> = {}
    for (const axis of this.axes) {
      const { name, when } = axis
      if (when !== undefined && !when.among.includes(point[when.axis] ?? -1)) continue
      point[name] = numberOf(name, this.#sampled[name]!, values[name]!)
    }
    return point
  }
}

function toSearchAxis(name: string, axis: SampledAxis): SearchAxis {
  if (axis.kind === 'choice') {
    const { values, weights } = axis
    return { name, kind: 'choice', choices: values.length, ...(weights === undefined ? {} : { weights }) }
  }
  const { kind, low, high, step } = intervalOf(name, axis)
  const isLog = kind === 'log' || kind === 'log-int'
  if (isLog && step !== undefined)
    refuse(name, `step: a logarithmic range has none where the sampler learns (leave it out, or use sobol)`)
  return {
    name,
    kind: kind.endsWith('int') ? 'int' : 'float',
    low,
    high,
    ...(isLog ? { log: true } : {}),
    ...(step === undefined ? {} : { step }),
  }
}

/** @throws SpaceError for a law without ends, in which a sampler that learns would have nowhere to begin. */
function intervalOf(name: string, axis: Interval | NormalLaw): Interval {
  return 'low' in axis
    ? axis
    : refuse(
        name,
        `${axis.kind}: a sampler that learns takes ranges with two ends (such as uniform or log, or use sobol)`,
      )
}

function refuse(name: string, problem: string): never {
  return writtenAt(['search', 'axes', name], () => {
    throw new SpaceError(`${name}: ${problem}`)
  })
}

/** Of what `when` says, a sampler can use that the axis hangs on one searched list; the rest is left to planning. */
function withCondition(
  axis: SearchAxis,
  pattern: Pattern | undefined,
  sampled: Readonly<Record<string, SampledAxis>>,
): SearchAxis {
  const [[parent, wanted] = [], ...others] = Object.entries(pattern ?? {})
  if (parent === undefined || others.length > 0 || !Array.isArray(wanted)) return axis
  const list = Object.hasOwn(sampled, parent) ? sampled[parent]! : undefined
  if (list?.kind !== 'choice' || pattern === undefined) return axis
  const values = wanted as readonly ParamValue[]
  const among = list.values.flatMap((value, i) =>
    values.some((one) => isSameValue(one, value as ParamValue)) ? [i] : [],
  )
  return { ...axis, when: { axis: parent, among } }
}

function numberOf(name: string, axis: SampledAxis, value: ParamValue): number {
  if (axis.kind === 'choice') {
    const at = axis.values.findIndex((one) => isSameValue(one as ParamValue, value))
    if (at >= 0) return at
    throw new UnknownNameError(`value of ${name}`, writeValue(value), (axis.values as ParamValue[]).map(writeValue))
  }
  const { kind, low, high } = intervalOf(name, axis)
  const isRight = typeof value === 'number' && value >= low && value <= high
  if (isRight && (!kind.endsWith('int') || Number.isInteger(value))) return value
  return refuse(
    name,
    `${writeValue(value)} is not ${kind.endsWith('int') ? 'an integer' : 'a number'} from ${low} to ${high}`,
  )
}
