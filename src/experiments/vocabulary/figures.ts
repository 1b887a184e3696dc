import { lookUp } from '../../core/names.js'
import type { FigureDefinition } from '../../figures/figure.js'
import { twinAxes } from '../../figures/twin-axes.js'
import { metricOf } from './numbers.js'
import type { Records } from './records.js'

/** Two figures that differ in what they show: the loss, or the accuracy. */
export const lossAndAccuracy = [
  { what: 'loss', word: 'Loss', title: 'cross-entropy (nats)', scale: 'log' },
  { what: 'accuracy', word: 'Accuracy', title: 'accuracy (share of rows)', scale: 'linear' },
] as const

/** Lines of a figure: a metric of the training rows, and of those held out. */
export const trainAndTest = (what: string) => [
  { label: 'train', metric: `train/${what}` },
  { label: 'test', metric: `test/${what}` },
]

/** What the trials of a figure have in common, with the first one's values in place of `{axis}`. */
export const settings =
  (template: string) =>
  ([first]: Records): string =>
    template.replace(/\{(\w+)\}/g, (_, axis: string) => String(lookUp(first!.trial.params, axis)))

/** The x axis of nets of several batch sizes. */
export const overBatch = { title: 'batch (rows)', scale: 'log', of: metricOf('batch') } as const

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
  readonly select: (records: Records) => Records
  readonly settings?: (records: Records, all: Records) => string
}

/** Two figures as sensitivity.py and bonus.py have them: twin axes over the batch size, the measure on the right. */
export function besideBatch({ measure, name, title, caption, axis, ...rest }: BesideBatch): FigureDefinition[] {
  return lossAndAccuracy.map(({ what, word, ...side }) =>
    twinAxes({
      name: `${what}-and-${name}`,
      caption: `${word} (left; train solid, test dashed) and ${caption}`,
      title: `${word} and ${title}`,
      x: overBatch,
      points: (record) => [{ x: overBatch.of(record), values: record.metrics }],
      left: { ...side, lines: trainAndTest(what) },
      right: { title: axis, scale: 'linear', lines: [{ label: measure, metric: measure }] },
      ...rest,
    }),
  )
}
