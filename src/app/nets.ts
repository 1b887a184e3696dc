import { MldsError, UnknownNameError } from '../core/errors.js'
import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import type { Trial } from '../core/trial.js'
import { varyingAxes } from '../core/varying-axes.js'
import type { Experiment } from '../experiments/experiment.js'
import type { Net } from '../net/net.js'
import { makePlan } from '../sweeps/plan.js'

/** A net that an experiment trains. */
export interface NamedNet {
  /** Values of the axes by which it differs from the others, such as `structure=c1`; the experiment's name where there is one net. */
  readonly name: string
  readonly net: Net
}

/**
 * The different nets that the trials of a profile train, in the order of its plan.
 * @throws UnknownNameError for no profile of the experiment, MldsError for an experiment that names no nets.
 */
export function netsOf(experiment: Experiment, profile: string): NamedNet[] {
  if (lookUp(experiment.profiles, profile) === undefined)
    throw new UnknownNameError('profile', profile, Object.keys(experiment.profiles))
  const { trials } = makePlan(experiment, { experiment: experiment.name, profile, axes: {} }, () => '')
  const found = new Map<Net, Trial[]>()
  for (const stage of experiment.stages) {
    if (stage.net === undefined) continue
    const netOf = ({ params }: Trial): Net => stage.net!(params)
    const own = trials.filter((trial) => trial.stage === stage.name)
    for (const [, alike] of groupBy(own, (trial) => shapeOf(netOf(trial)))) found.set(netOf(alike[0]!), alike)
  }
  if (found.size === 0)
    throw new MldsError('NETS', `${experiment.name} does not say which nets it trains (a stage with \`net\` does)`)
  const groups = [...found]
  const names = distinguishing(groups.map(([, alike]) => alike))
  return groups.map(([net, [first]]) => ({ name: pointOf(first!, names) || experiment.name, net }))
}

/** What tells one net from another: its layers and what goes into them; how it is initialised does not. */
const shapeOf = ({ inputShape, layers }: Net): string =>
  JSON.stringify([inputShape, layers], (key, value: unknown) =>
    key === 'kernel' || key === 'bias' ? value === false : value,
  )

/** The axes that have one value within each group, and others between groups. */
function distinguishing(groups: readonly (readonly Trial[])[]): string[] {
  const within = new Set(groups.flatMap((alike) => varyingAxes(alike)))
  return varyingAxes(groups.flat()).filter((axis) => !within.has(axis))
}

const pointOf = ({ params }: Trial, axes: readonly string[]): string =>
  axes.map((axis) => `${axis}=${writeValue(lookUp(params, axis))}`).join(' ')
