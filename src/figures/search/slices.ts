import { formatCount } from '../../core/format.js'
import { goalsOf } from '../../core/objective.js'
import type { FigureDefinition, VegaLiteSpec } from '../figure.js'
import { frame, size } from '../style.js'
import { objectiveScale, searchedScale, shareColour } from './scales.js'
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

/** Pairs of axes, each setting where it lies and the darker the better. */
export function pairs(searched: Searched): FigureDefinition {
  return {
    name: 'pairs',
    caption:
      'The settings over pairs of axes, the darker the fewer are better: where dark marks lie together, the search has found a region.',
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      const axes = chiefAxes(settings, searched, 4)
      if (settings.length < 2 || axes.length < 2) return undefined
      const shares = withShares(settings, records, searched.objective)
      const both = axes.flatMap((a, i) => axes.slice(i + 1).map((b) => [a, b] as const)).slice(0, maxPairs)
      const views = both.map(([a, b]) => ({
        ...(both.length === 1 ? size : panel),
        data: {
          values: settings.flatMap((setting) => {
            const [x, y] = [setting.point[a.axis.name], setting.point[b.axis.name]]
            return x === undefined || y === undefined
              ? []
              : [{ pair: `${a.title}, ${b.title}`, x, y, setting: setting.number, behind: shares.get(setting)! }]
          }),
        },
        mark: { type: 'point', filled: true, size: 44, opacity: 0.9, stroke: '#fff', strokeWidth: 0.5 },
        encoding: {
          x: searchedScale('x', a),
          y: searchedScale('y', b),
          color: shareColour,
          order: { field: 'behind' },
        },
      }))
      return laidOut('Where the best settings lie', [settings.length, axes.length, searched.axes.length], views)
    },
  }
}

function laidOut(
  title: string,
  [settings, shown, axes]: readonly [settings: number, shown: number, axes: number],
  views: readonly object[],
): VegaLiteSpec {
  const subtitle = [
    formatCount(settings, 'setting'),
    ...(shown < axes ? [`the ${shown} axes of ${axes} that matter most`] : []),
  ].join(' · ')
  const head = frame(title, [subtitle])
  const [only, ...others] = views
  if (others.length === 0) return { ...head, ...only }
  return { ...head, concat: views, columns: 2, spacing: 22 }
}
