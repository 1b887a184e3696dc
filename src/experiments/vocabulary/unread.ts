import { MldsError } from '../../core/errors.js'
import { groupBy } from '../../core/group-by.js'
import { literal, number, type Space } from '../../core/space.js'
import type { Objective, Trial } from '../../core/trial.js'
import { defaultFigures, type DrawnStage } from '../../figures/default-figures.js'
import { defineExperiment, type Experiment } from '../experiment.js'

/** What is read of a plan whose code is not run. */
export interface UnreadPlan {
  readonly experiment: string
  readonly spec: { readonly objective?: Objective }
  readonly trials: readonly Trial[]
}

/** An experiment to draw a plan's results with, without a line of its code: the general figures, no claims. It runs nothing. */
export function unreadExperiment({ experiment: name, spec, trials }: UnreadPlan): Experiment {
  const stages = stagesOf(trials)
  const objective: Objective = spec.objective ?? { metric: 'loss', direction: 'minimize' }
  return defineExperiment<Space>({
    ...{ name, title: name, space: stages[0]?.space ?? {}, objective },
    figures: defaultFigures(stages, objective),
    run: () => {
      throw new MldsError('FOREIGN', `the code of ${name} is not run`)
    },
  })
}

/** The stages of a plan's trials, in its order. */
function stagesOf(trials: readonly Trial[]): DrawnStage[] {
  const stageOf = new Map(trials.map(({ id, stage }) => [id, stage]))
  return [...groupBy(trials, ({ stage }) => stage)].map(([name, own]): DrawnStage => {
    const from = stageOf.get(own[0]!.parents[0] ?? '')
    return { name, space: spaceOf(own), ...(from === undefined || from === name ? {} : { derive: { from } }) }
  })
}

function spaceOf(trials: readonly Trial[]): Space {
  const values = trials.flatMap(({ params }) => Object.entries(params))
  return Object.fromEntries(
    [...groupBy(values, ([axis]) => axis)].map(([axis, all]) => {
      const [value] = all.map(([, one]) => one)
      const isNumber = typeof value === 'number' && all.every(([, one]) => typeof one === 'number')
      return [axis, isNumber ? number({ default: value }) : literal({ default: value! })]
    }),
  )
}
