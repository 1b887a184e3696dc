import { formatCount } from '../../core/format.js'
import type { Goal } from '../../core/trial.js'
import type { FigureDefinition } from '../figure.js'
import { apart, coloured, frame, palette, size } from '../style.js'
import { objectiveScale } from './scales.js'

/** A sweep with the value of each of its points; those without one are counted. */
export interface SweepValues {
  readonly sweep: string
  readonly values: readonly number[]
  readonly without: number
}

/**
 * The empirical distribution of several sweeps: of each, the share of all its points that came to a value or a better one.
 * A point without a value never does. `undefined` of fewer than two points in all.
 */
export function distributions(sweeps: readonly SweepValues[], { metric, direction }: Goal): FigureDefinition {
  return {
    name: 'distributions',
    caption: `Of each sweep, the share of its points whose ${metric} is at least as good as what the axis says: the line that rises first has the more good points. A point without a value never counts.`,
    async draw() {
      const all = sweeps.flatMap(({ values }) => values)
      if (all.length < 2) return undefined
      const names = sweeps.map(({ sweep }) => sweep)
      const rows = sweeps.flatMap(({ sweep, values, without }) => {
        const sorted = values.toSorted((a, b) => (direction === 'minimize' ? a - b : b - a))
        const count = values.length + without
        return sorted.map((value, i) => ({ sweep, value, share: (i + 1) / count, order: i }))
      })
      const told = apart('sweep', null, names)
      const better = direction === 'minimize' ? 'at most' : 'at least'
      return {
        ...frame(`Which share of points reaches which ${metric}`, [
          sweeps
            .map(({ sweep, values, without }) => {
              const left = without === 0 ? '' : `, ${without} without a value`
              return `${sweep}: ${formatCount(values.length + without, 'point')}${left}`
            })
            .join(' · '),
        ]),
        ...size,
        data: { values: rows },
        mark: { type: 'line', interpolate: direction === 'minimize' ? 'step-after' : 'step-before', strokeWidth: 2 },
        encoding: {
          x: { field: 'value', type: 'quantitative', title: `${metric} ${better}`, ...objectiveScale(all) },
          y: {
            ...{ field: 'share', type: 'quantitative', title: 'share of points' },
            scale: { domain: [0, 1.02], nice: false },
            axis: { format: '.0%' },
          },
          color: names.length > 1 ? coloured('sweep', null, names) : { value: palette[0] },
          ...told.line,
        },
      }
    },
  }
}
