import type { FigureDefinition } from '../../figures/figure.js'
import { twinAxes } from '../../figures/twin-axes.js'
import type { TrialRecord } from '../../core/trial.js'
import { metric } from './claims.js'

const sides = {
  loss: { title: 'cross-entropy (nats)', scale: 'log' },
  accuracy: { title: 'accuracy (share of rows)', scale: 'linear' },
} as const

/** What is measured of nets of several batch sizes, beside their loss and beside their accuracy. */
export interface BesideBatch {
  /** The measure's metric, also its name in the legend. */
  readonly measure: string
  /** Ends the figures' names, after `loss-and-`. */
  readonly name: string
  /** End the titles and captions, after `Loss and`. */
  readonly title: string
  readonly caption: string
  readonly axis: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly settings?: (records: readonly TrialRecord[]) => string
}

/** Two figures as sensitivity.py and bonus.py have them: twin axes over the batch size, the measure on the right. */
export function besideBatch({
  measure,
  name,
  title,
  caption,
  axis,
  select,
  settings,
}: BesideBatch): FigureDefinition[] {
  return (['loss', 'accuracy'] as const).map((kind) => {
    const word = kind === 'loss' ? 'Loss' : 'Accuracy'
    return twinAxes({
      name: `${kind}-and-${name}`,
      caption: `${word} (left; train solid, test dashed) and ${caption}`,
      title: `${word} and ${title}`,
      select,
      x: { title: 'batch (rows)', scale: 'log' },
      points: (record) => [{ x: metric(record, 'batch'), values: record.metrics }],
      left: {
        ...sides[kind],
        lines: [
          { label: 'train', metric: `train/${kind}` },
          { label: 'test', metric: `test/${kind}` },
        ],
      },
      right: { title: axis, scale: 'linear', lines: [{ label: measure, metric: measure }] },
      ...(settings === undefined ? {} : { settings }),
    })
  })
}
