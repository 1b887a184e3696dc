import { MldsError } from '../../core/errors.js'
import { number, type Space } from '../../core/space.js'
import type { Objective, Trial } from '../../core/trial.js'
import { defineExperiment, type Experiment } from '../experiment.js'

/** What is read of a plan whose code is not run. */
export interface UnreadPlan {
  readonly experiment: string
  readonly spec: { readonly objective?: Objective }
  readonly trials: readonly Trial[]
}

/** An experiment to draw a plan's results with, without a line of its code: the general figures, no claims. It runs nothing. */
export function unreadExperiment({ experiment: name, spec, trials }: UnreadPlan): Experiment {
  const axes = new Map<string, number | undefined>()
  for (const { params } of trials)
    for (const [axis, value] of Object.entries(params))
      if (!axes.has(axis) || typeof value !== 'number') axes.set(axis, typeof value === 'number' ? value : undefined)
  const space: Space = Object.fromEntries(
    [...axes].flatMap(([axis, value]) => (value === undefined ? [] : [[axis, number({ default: value })]])),
  )
  return defineExperiment<Space>({
    ...{ name, title: name, space },
    ...(spec.objective === undefined ? {} : { objective: spec.objective }),
    run: () => {
      throw new MldsError('FOREIGN', `the code of ${name} is not run`)
    },
  })
}
