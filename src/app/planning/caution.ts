import { formatCount } from '../../core/format.js'
import { lookUp } from '../../core/names.js'
import { writeValue } from '../../core/param-value.js'
import type { ParamValue } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import { varyingAxes, type Plan } from '../../sweeps/plan.js'
import { describeLearnt } from '../../sweeps/searching/learnt.js'
import type { Matcher, Pattern } from '../../sweeps/spec/grid.js'
import { idlePatterns } from '../../sweeps/spec/points.js'
import type { Planned } from './plan.js'

/** What a person should know of a plan before it runs: sentences, or `undefined`. */
export async function cautionAbout({
  plan,
  experiment,
}: Pick<Planned, 'plan' | 'experiment'>): Promise<string | undefined> {
  const { spec, trials } = plan
  const sentences = [describeFewer(plan), describeWhatIsLearnt(plan), ...describeIdle(plan, experiment)]
  if (spec.own?.kind === 'command') {
    const { describeUnread } = await import('../../experiments/custom/command-axes.js')
    const seeds = new Set(trials.map(({ seeds }) => seeds.init))
    sentences.push(describeUnread(spec.own.command, varyingAxes(trials), seeds.size > 1))
  }
  const told = sentences.filter((one) => one !== undefined)
  return told.length === 0 ? undefined : told.join('\n')
}

/** A sentence where a search learns from earlier sweeps. */
const describeWhatIsLearnt = ({ learnt }: Plan): string | undefined =>
  learnt === undefined ? undefined : `The search begins with ${learnt.map(describeLearnt).join(' and ')}.`

/** A sentence where a search that draws has fewer settings than were asked for. */
function describeFewer({ spec: { search }, trials }: Plan): string | undefined {
  if (search === undefined || search.learning !== undefined) return undefined
  const names = Object.keys(search.axes).map((written) => written.slice(written.lastIndexOf('.') + 1))
  const own = trials.filter(({ params }) => names.some((name) => Object.hasOwn(params, name)))
  const settings = new Set(own.map(({ params }) => JSON.stringify(names.map((name) => lookUp(params, name)))))
  return settings.size >= search.count
    ? undefined
    : `The search has ${formatCount(settings.size, 'different setting')}, and count is ${search.count}: the axes have no more, or some are left out or made one by when.`
}

/** A sentence of each condition that holds at no point. What a search that learns will try, nobody knows yet. */
function describeIdle({ spec, profile }: Plan, experiment: Experiment): string[] {
  if (spec.search?.learning !== undefined) return []
  return idlePatterns(experiment, experiment.profiles[profile]!, spec).map(({ key, axis, pattern }) =>
    key === 'exclude'
      ? `exclude: ${writePattern(pattern)} fits no point: it leaves nothing out.`
      : `when: ${axis}: ${writePattern(pattern)} fits no point: ${axis} has its default in all.`,
  )
}

const writePattern = (pattern: Pattern): string =>
  `{${Object.entries(pattern)
    .map(([axis, wanted]) => `${axis}: ${writeMatcher(wanted)}`)
    .join(', ')}}`

function writeMatcher(wanted: Matcher): string {
  if ('length' in wanted) {
    const values = (wanted as readonly ParamValue[]).map(writeValue)
    return values.length === 1 ? values[0]! : `[${values.join(', ')}]`
  }
  const { min, max } = wanted
  const bounds = [...(min === undefined ? [] : [`min: ${min}`]), ...(max === undefined ? [] : [`max: ${max}`])]
  return `{${bounds.join(', ')}}`
}
