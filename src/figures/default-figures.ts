import { lookUp } from '../core/names.js'
import { inheriting } from '../core/setting.js'
import type { Space } from '../core/space.js'
import type { TrialRecord } from '../core/trial.js'
import { varyingAxes } from '../core/varying-axes.js'
import { againstSteps, type Panel } from './against-steps.js'
import type { FigureDefinition } from './figure.js'
import { results } from './results/results.js'
import { labelOfValue } from './results/lay-out.js'
import { labelOf, withCourse } from './select.js'

/** More panels do not fit a page. */
const maxPanels = 4

/** A stage as figures know it: its axes, and the stage on whose trials it works. */
export interface DrawnStage {
  readonly name: string
  readonly space: Space
  readonly derive?: { readonly from: string }
}

/**
 * Figures for an experiment that brings none: of each stage the course of its metrics, and its results against each axis that
 * it varies, or that what it derives from varies.
 */
export function defaultFigures(
  stages: readonly DrawnStage[],
  objective: { readonly metric: string },
): FigureDefinition[] {
  const taken = new Set<string>()
  return stages.flatMap((stage, i) => {
    const only = stages.length === 1
    const of = i === 0 ? '' : `of-${slug(stage.name)}-`
    const named = <T extends FigureDefinition>(name: string, make: (name: string) => T): T => {
      let own = name
      for (let n = 2; taken.has(own); n++) own = `${name}-${n}`
      taken.add(own)
      return make(own)
    }
    return [
      named(i === 0 ? 'course' : `course-of-${slug(stage.name)}`, (name) =>
        courseOf(name, stage, objective.metric, only),
      ),
      ...axesOf(stage, stages).map((axis) =>
        named(`result-${of}against-${slug(axis)}`, (name) =>
          results({
            ...{ name, x: axis, objective: objective.metric, mustVary: true },
            ...(only ? {} : { stage: stage.name }),
            caption: `Final metric${only ? '' : ` of ${stage.name}`} against ${axis}: a mark at the mean over seeds of each setting; other axes that vary are told by colours, panels and marks.`,
          }),
        ),
      ),
    ]
  })
}

const slug = (name: string): string => name.replace(/[^\w-]+/g, '-')

/** Its own axes, then those of the stages that it derives from. */
function axesOf(stage: DrawnStage, stages: readonly DrawnStage[]): string[] {
  const from = stages.find(({ name }) => name === stage.derive?.from)
  return [...new Set([...Object.keys(stage.space), ...(from === undefined ? [] : axesOf(from, stages))])]
}

function courseOf(name: string, stage: DrawnStage, objective: string, isOnly: boolean): FigureDefinition {
  const caption = `Each reported metric${isOnly ? '' : ` of ${stage.name}`} over the steps: the median over seeds, one line for each setting; of more than a dozen settings, where all of them lie and a few of them.`
  return {
    name,
    caption,
    async draw(all, read) {
      const records = withCourse(inheriting(all)).filter(({ trial }) => isOnly || trial.stage === stage.name)
      const metrics = inOrder(
        records.flatMap(({ series }) => Object.keys(series)),
        objective,
      ).slice(0, maxPanels)
      if (metrics.length === 0) return undefined
      const panels = metrics.map((metric): Panel => ({ title: metric, metrics: [{ metric, label: metric }] }))
      const axes = varyingAxes(records.map(({ trial }) => trial))
      const figure = againstSteps({
        ...{ name, caption, title: 'The course of the metrics', x: 'step' },
        ...(axes.length === 0 ? {} : { group: groupBySetting(axes) }),
        panels: panels as [Panel, ...Panel[]],
      })
      return figure.draw(records, read)
    },
  }
}

/** A setting's name in legends: of a single axis the value, with the axis above. */
function groupBySetting(axes: readonly string[]): {
  title: string | null
  of(record: TrialRecord): string
  axes: readonly string[]
} {
  const [axis, ...others] = axes
  if (others.length > 0) return { title: null, of: (record) => labelOf(record, axes), axes }
  return { title: axis!, of: ({ trial }) => labelOfValue(lookUp(trial.params, axis!)), axes }
}

/** The objective first, then the others in the order they are met. */
function inOrder(names: readonly string[], objective: string): string[] {
  const unique = [...new Set(names)]
  return [...unique.filter((name) => name === objective), ...unique.filter((name) => name !== objective)]
}
