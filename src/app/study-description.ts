import { withoutUnsaid } from '../core/without-unsaid.js'
import { SpaceError, UnknownNameError } from '../core/errors.js'
import { latest } from '../core/names.js'
import { integer, literal, number, type Axis } from '../core/space.js'
import type { ParamValue } from '../core/trial.js'
import { studyName } from '../experiments/custom/study.js'
import { learningSamplers, type LearningSampler } from '../sweeps/spec/learning.js'
import { examplesOf, type SampledAxis } from '../sweeps/spec/sampled-axis.js'
import { parseSweepObject, type SweepSpec } from '../sweeps/spec/spec.js'
import type { AxisPattern, SweepDescription } from './library.js'

type Search = NonNullable<SweepDescription['search']>

/** What a study searches, and how. */
export interface StudyDescription extends Pick<Search, 'axes' | 'seed' | 'order' | 'failed' | 'enqueue'> {
  /** Earlier studies of the store, of the same axes and objective, whose results it begins with. */
  readonly learnFrom?: string | readonly string[]
  /** Default `auto`. */
  readonly sampler?: LearningSampler
  /** How many trials may be asked for in all. Default 1,000,000. */
  readonly count?: number
  /**
   * Trial i is suggested from the results of trials 0 to i − `parallel`, and the points of those between: `ask` waits for
   * them. Default 1, for a program that tells before it asks again.
   */
  readonly parallel?: number
  /** What `tell` is told, in this order. Default: `loss`, to be minimised. */
  readonly objective?: SweepDescription['objective']
  readonly constraints?: SweepDescription['constraints']
  readonly when?: Readonly<Record<string, AxisPattern>>
  readonly where?: string | readonly string[]
  readonly exclude?: AxisPattern | readonly AxisPattern[]
  /** Under this name it lies in the store, and goes on there. Default: it is kept in memory alone. */
  readonly name?: string
}

const most = 1_000_000

const keys: readonly (keyof StudyDescription)[] = [
  ...(['name', 'sampler', 'axes', 'count', 'parallel', 'seed', 'order', 'failed', 'enqueue', 'learnFrom'] as const),
  ...(['objective', 'constraints', 'when', 'where', 'exclude'] as const),
]

/** The sweep that a study is. @throws SpecError, SpaceError, UnknownNameError naming what is not right. */
export function studySpec(description: StudyDescription): SweepSpec {
  const unknown = Object.keys(description).find((key) => !(keys as readonly string[]).includes(key))
  if (unknown !== undefined) throw new UnknownNameError('key of a study', unknown, keys)
  if (description.name === latest)
    throw new SpaceError(`name: ${latest}: this is what the newest sweep is called everywhere (choose another name)`)
  const { axes, sampler = 'auto', seed, count = most, parallel = 1, ...others } = description
  const { order, failed, enqueue, learnFrom, ...rest } = others
  if (!learningSamplers.includes(sampler))
    throw new SpaceError(
      `sampler: ${JSON.stringify(sampler)} suggests nothing to a study (one of ${learningSamplers.join(', ')})`,
    )
  const search = withoutUnsaid({ sampler, axes, seed, count, parallel, order, failed, enqueue, learnFrom })
  const { objective = { metric: 'loss' } } = rest
  const spec = parseSweepObject({ experiment: studyName, ...withoutUnsaid({ ...rest, objective }), search })
  const space = Object.entries(spec.search!.axes).map(([name, axis]) => [name, axisOf(axis)] as const)
  return { ...spec, own: { kind: 'study', axes: Object.fromEntries(space) } }
}

function axisOf(axis: SampledAxis): Axis {
  const [first] = examplesOf(axis)
  if (axis.kind === 'choice') return literal({ default: first as ParamValue })
  return axis.kind.endsWith('int') ? integer({ default: Number(first) }) : number({ default: Number(first) })
}
