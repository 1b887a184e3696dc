import { maxOf, minOf } from '../core/extremes.js'
import { varyingAxes } from '../core/varying-axes.js'
import { lookUp } from '../core/names.js'
import type { Space } from '../core/space.js'
import { againstAxis } from './against-axis.js'
import { againstCategory } from './against-category.js'
import { againstSteps, type Panel } from './against-steps.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition } from './figure.js'
import { labelOf, withCourse, withResult } from './select.js'

/** More panels do not fit a page. */
const maxPanels = 4

/** Figures for an experiment that brings none: the course of its metrics, and its results against each axis it varies. */
export function defaultFigures(space: Space, objective: { readonly metric: string }): FigureDefinition[] {
  const against = Object.entries(space).map(([axis, { kind }]) =>
    resultAgainst(axis, objective.metric, kind === 'number' || kind === 'integer'),
  )
  return [course(objective.metric), ...against]
}

function course(objective: string): FigureDefinition {
  const caption =
    'Each reported metric over the steps: the median over seeds, one line for each point; of more than a dozen points, where all of them lie and a few of them.'
  return {
    name: 'course',
    caption,
    async draw(all, read) {
      const records = withCourse(all)
      const metrics = inOrder(
        records.flatMap(({ series }) => Object.keys(series)),
        objective,
      ).slice(0, maxPanels)
      if (metrics.length === 0) return undefined
      const axes = varyingAxes(records.map(({ trial }) => trial))
      const panels = metrics.map((metric): Panel => ({ title: metric, metrics: [{ metric, label: metric }] }))
      const figure = againstSteps({
        name: 'course',
        caption,
        title: 'The course of the metrics',
        x: 'step',
        ...(axes.length === 0
          ? {}
          : {
              group: {
                title: axes.join(', '),
                of: (record) => labelOf(record, axes),
              },
            }),
        panels: panels as [Panel, ...Panel[]],
      })
      return figure.draw(all, read)
    },
  }
}

function resultAgainst(axis: string, objective: string, isNumber: boolean): FigureDefinition {
  const name = `result-against-${axis.replace(/[^\w-]+/g, '-')}`
  const caption = isNumber
    ? `Final metrics against ${axis}: the mean over seeds, a band from the least to the greatest; of points drawn at random, a mark each.`
    : `Final metrics for each ${axis}: the mean over seeds, a bar from the least to the greatest.`
  return {
    name,
    caption,
    async draw(all, read) {
      const records = withResult(all)
      const values = records.map(({ trial }) => lookUp(trial.params, axis))
      if (new Set(values).size < 2) return undefined
      const metric = inOrder(
        records.flatMap(({ metrics }) => Object.keys(metrics)),
        objective,
      )[0]
      if (metric === undefined) return undefined
      const others = varyingAxes(records.map(({ trial }) => trial)).filter((name) => name !== axis)
      const settings = new Set(records.map((record) => settingOf(record, others)))
      const scattered = isNumber && isScattered(records, axis, others)
      const apart = !scattered && settings.size <= maxColours ? others : []
      const pooled = scattered || settings.size <= maxColours ? [] : others
      const over = pooled.length === 0 ? undefined : `over all values of ${pooled.join(', ')}`
      if (!isNumber) {
        const options = { name, caption, axis, metric, apart, ...(over === undefined ? {} : { pooled: over }) }
        return againstCategory(options).draw(all, read)
      }
      const numbers = values.map(Number)
      const wide = numbers.every((value) => value > 0) && maxOf(numbers) / minOf(numbers) >= 20
      const figure = againstAxis({
        name,
        caption,
        title: `${metric} against ${axis}`,
        x: { title: axis, scale: wide ? 'log' : 'linear', of: ({ trial }) => Number(lookUp(trial.params, axis)) },
        y: { title: metric },
        series: [{ metric, label: metric }],
        apart,
        scattered,
        ...(over === undefined ? {} : { settings: () => over }),
      })
      return figure.draw(all, read)
    },
  }
}

/** More lines of a colour each are not told apart. */
const maxColours = 8

const settingOf = ({ trial }: TrialRecord, axes: readonly string[]): string =>
  JSON.stringify(axes.map((axis) => lookUp(trial.params, axis) ?? null))

/** True when the other axes change with nearly every value of this one, as in a random search: no line joins such points. */
function isScattered(records: readonly TrialRecord[], axis: string, others: readonly string[]): boolean {
  if (others.length === 0) return false
  const points = new Set(records.map((record) => settingOf(record, [axis, ...others]))).size
  const values = new Set(records.map(({ trial }) => lookUp(trial.params, axis))).size
  return values > points / 2
}

/** The objective first, then the others in the order they are met. */
function inOrder(names: readonly string[], objective: string): string[] {
  const unique = [...new Set(names)]
  return [...unique.filter((name) => name === objective), ...unique.filter((name) => name !== objective)]
}
