import { formatCount } from '../../core/format.js'
import { goalsOf } from '../../core/objective.js'
import type { FigureDefinition, VegaLiteSpec } from '../figure.js'
import { frame, size } from '../style.js'
import { fieldOf } from './field.js'
import { objectiveScale, searchedScale, paleShareColour, shareColour } from './scales.js'
import { chiefAxes, settingsOf, withShares, type Searched } from './settings.js'

/** More panels do not fit a page. */
const [maxSlices, maxPairs] = [6, 6]
const panel = { width: 272, height: 200 } as const

/** The first objective against each searched axis, as it is: no model stands behind it. */
export function slices(searched: Searched): FigureDefinition {
  const [{ metric } = searched.objective] = goalsOf(searched.objective)
  return {
    name: 'slices',
    caption: `${metric} against each axis: a mark for each setting, the darker the fewer are better. What lies side by side here may differ in every other axis.`,
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      if (settings.length < 2) return undefined
      const axes = chiefAxes(settings, searched, maxSlices)
      const shares = withShares(settings, records, searched.objective)
      const y = {
        field: 'value',
        type: 'quantitative',
        title: metric,
        ...objectiveScale(settings.map(({ means }) => means[0]!)),
      }
      const views = axes.map((one) => ({
        ...panel,
        data: {
          values: settings.flatMap((setting) => {
            const x = setting.point[one.axis.name]
            return x === undefined
              ? []
              : [
                  {
                    axis: one.title,
                    x,
                    value: setting.means[0]!,
                    setting: setting.number,
                    behind: shares.get(setting)!,
                  },
                ]
          }),
        },
        mark: { type: 'point', filled: true, size: 34, opacity: 0.85 },
        encoding: { x: searchedScale('x', one), y, color: shareColour, order: { field: 'behind' } },
      }))
      return laidOut(`${metric} against each axis`, [settings.length, axes.length, searched.axes.length], views)
    },
  }
}

/** Pairs of axes: each setting where it lies, the darker the better, over what can be said of the places between. */
export function pairs(searched: Searched): FigureDefinition {
  return {
    name: 'pairs',
    caption:
      'The settings over pairs of axes, the darker the fewer are better; behind them the same between the settings, their mean by the inverse square of the distance (Shepard 1968), in five levels, blank where none is near. What lies side by side may differ in every other axis.',
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      const axes = chiefAxes(settings, searched, 4)
      if (settings.length < 2 || axes.length < 2) return undefined
      const shares = withShares(settings, records, searched.objective)
      const both = axes.flatMap((a, i) => axes.slice(i + 1).map((b) => [a, b] as const)).slice(0, maxPairs)
      let hasField = false
      const views = both.map(([a, b]) => {
        const pair = `${a.title}, ${b.title}`
        const marks = settings.flatMap((setting) => {
          const [x, y] = [setting.point[a.axis.name], setting.point[b.axis.name]]
          return x === undefined || y === undefined
            ? []
            : [{ pair, x, y, setting: setting.number, behind: shares.get(setting)! }]
        })
        const field = fieldOf(marks, a, b).map((part) => ({ pair, ...part }))
        hasField ||= field.length > 0
        const [x, y] = [searchedScale('x', a), searchedScale('y', b)]
        const [x2, y2] = [{ field: 'x2' }, { field: 'y2' }]
        return {
          ...(both.length === 1 ? size : panel),
          layer: [
            {
              data: { values: field },
              mark: { type: 'rect', clip: true, aria: false },
              encoding: { x, y, x2, y2, fill: paleShareColour },
            },
            {
              data: { values: marks },
              mark: { type: 'point', filled: true, size: 40, opacity: 1, stroke: '#fff', strokeWidth: 0.8 },
              encoding: { x, y, color: shareColour, order: { field: 'behind' } },
            },
          ].filter(({ data }) => data.values.length > 0),
        }
      })
      const counts = [settings.length, axes.length, searched.axes.length] as const
      return laidOut(
        'Where the best settings lie',
        counts,
        views,
        hasField ? ['field: inverse distance weighting'] : [],
      )
    },
  }
}

function laidOut(
  title: string,
  [settings, shown, axes]: readonly [settings: number, shown: number, axes: number],
  views: readonly object[],
  how: readonly string[] = [],
): VegaLiteSpec {
  const subtitle = [
    formatCount(settings, 'setting'),
    ...(shown < axes ? [`the ${shown} axes of ${axes} that matter most`] : []),
    ...how,
  ].join(' · ')
  const head = frame(title, [subtitle])
  const [only, ...others] = views
  if (others.length === 0) return { ...head, ...only }
  return { ...head, concat: views, columns: 2, spacing: 22 }
}
