import { meanLossSensitivity, rmsSensitivity, rowNorms } from '../../analysis/input-sensitivity.js'
import { mean, median } from '../../analysis/statistics.js'
import { maxOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { gatherRows } from '../../data/split.js'
import { scatter } from '../../figures/scatter.js'
import { sizeOf } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { budgetAxes, budgetCost, budgetWords, trainToBudget } from '../vocabulary/budget.js'
import { crossEntropy, named, namedSet, openSplit } from '../vocabulary/classify.js'
import { geometricMean, weighed, type Counted, type Effect } from '../vocabulary/effects.js'
import { besideBatch, overBatch } from '../vocabulary/figures.js'
import { twoLayerNet } from '../vocabulary/nets.js'
import { metric, metricOf, valuesOf } from '../vocabulary/numbers.js'
import { crossed } from '../vocabulary/profiles.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finishedWith, netParams, type Choose, type Records } from '../vocabulary/records.js'
import { besideMeasurement, leastBatches as minBatches, ofEachNet, openNet } from '../vocabulary/stored-net.js'
import { trendEffect } from '../vocabulary/trends.js'

/**
 * Are nets trained with large batches more sensitive to their inputs?
 *
 * 784-256-256-10, leaky ReLU of slope 0.2, N(0, 1) weights and biases, trained with batches of 50 to 5000; then the
 * norm of the loss's gradient with respect to the images. The original: sensitivity.py (HW1-3), 200 epochs of Adam at
 * 0.001 for every batch, so that a batch of 5000 has a hundredth of the updates of one of 50. Novak et al. 2018 take
 * the outputs' Jacobian instead.
 */
const space = {
  batch: axes.batch(100),
  ...budgetAxes({ epochs: 200, updates: 4000, targetLoss: 0.01 }),
  learningRate: axes.learningRate(0.001, "Adam's step size at a batch of 100"),
  rateRule: axes.oneOf(
    ['fixed', 'proportional'],
    'whether the step size stays or grows with the batch (Goyal et al. 2017)',
  ),
  initScale: axes.initScale(1),
  ...axes.digitRows({ train: 8_000, test: 2_000 }),
}
type P = ParamsOf<typeof space>
const checkpointName = 'weights.safetensors'
/** A batch whose step size is the axis's own under either rule. */
const ownBatch = 100

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: rowsOfSplit,
  net: ({ initScale }) => twoLayerNet(initScale),
  cost: (params) => budgetCost(twoLayerNet(1), params),
  async run(params, context): Promise<Metrics> {
    const scale = params.rateRule === 'proportional' ? params.batch / ownBatch : 1
    const { split, parameters, evaluate, last, held, updates } = await trainToBudget(context, params, {
      net: twoLayerNet(params.initScale),
      optimizer: { kind: 'adam', learningRate: params.learningRate * scale },
      saveAs: checkpointName,
    })
    // The loss of the trained net, not the mean over its last epoch.
    return { ...last, ...named('train', await evaluate(split.train, parameters)), ...held, updates }
  },
})

const quantities = ['mean-loss', 'rms-loss', 'probabilities', 'logits'] as const
const measureSpace = {
  quantity: axes.oneOf(
    quantities,
    "of the mean loss (the original), of each row's loss, or the Jacobian of the outputs (Novak et al. 2018)",
  ),
  part: axes.oneOf(['train', 'test'], 'whose rows'),
  rows: axes.batch(60_000, 'rows it is measured on, at most'),
}

/** How each quantity is made of the rows' norms. */
const ofNorms = {
  'mean-loss': meanLossSensitivity,
  'rms-loss': rmsSensitivity,
  probabilities: mean,
  logits: mean,
} as const

/** A Jacobian holds ten numbers a pixel: so many rows of them are made at a time. */
const jacobianRows = 500

/** Sensitivity of a stored net: another quantity or part trains nothing again. */
const measure = defineStage({
  name: 'measure',
  space: measureSpace,
  cost: ({ quantity, rows }) =>
    (quantity === 'mean-loss' || quantity === 'rms-loss' ? 4 : 40) * 3e5 * Math.min(rows, 8000),
  derive: ofEachNet,
  async run({ quantity, part, rows: most }, context): Promise<Metrics> {
    const { engine, signal } = context
    const stored = await openNet<P>(context, ({ initScale }) => twoLayerNet(initScale), checkpointName)
    const { net, theta, trained, origin } = stored
    const { rows, split } = await openSplit(origin, trained)
    const order = split[part].subarray(0, most)
    const width = sizeOf(net.inputShape)

    const norms: number[] = []
    if (quantity === 'mean-loss' || quantity === 'rms-loss') {
      const gradients = await engine.inputGradients({ net, loss: crossEntropy, rows, order }, theta, signal)
      for (const norm of rowNorms(gradients, width)) norms.push(norm)
    } else {
      for (let first = 0; first < order.length; first += jacobianRows) {
        const features = gatherRows(rows.features, order.subarray(first, first + jacobianRows), width)
        const jacobians = await engine.inputJacobians({ net, features, of: quantity }, theta, signal)
        for (const norm of rowNorms(jacobians, width * sizeOf(net.outputShape))) norms.push(norm)
      }
    }
    return { sensitivity: ofNorms[quantity](norms), ...besideMeasurement(stored) }
  },
})

/** Measurements of one quantity on the training rows, of nets trained under one budget. */
const measured =
  (budget: P['budget'], quantity: (typeof quantities)[number] = 'mean-loss'): Choose =>
  (records) =>
    finishedWith(
      { quantity, part: 'train' },
      'measure',
    )(records).filter((record) => netParams(record, records)['budget'] === budget)

const hasReached = (record: TrialRecord): boolean => metric(record, 'budget/reached') === 1
/** Those of nets that kept to their budget. */
const drawn =
  (...chosen: Parameters<typeof measured>): Choose =>
  (records) =>
    measured(...chosen)(records).filter(hasReached)

/** Of a seed's nets the best must have learnt what digits look like: others differ by chance alone. */
const learntAccuracy = 0.5
const learnt: Counted = (own) => {
  const nets = own.filter(hasReached)
  return maxOf(valuesOf(nets, 'train/accuracy')) >= learntAccuracy ? nets : []
}
const batchSizes = {
  what: 'batch sizes',
  of: (record: TrialRecord, records: Records) => Number(netParams(record, records)['batch']),
  needed: minBatches,
} as const

/** How a metric moves with the batch size over the nets of each seed. */
const withBatch = (
  budget: P['budget'],
  [what, name]: readonly [what: string, metric: string],
  bound: Pick<Effect, 'above' | 'below'>,
): Effect =>
  trendEffect(
    { settings: batchSizes, y: metricOf(name), counted: learnt },
    {
      ...{ quantity: `Spearman’s correlation of batch and ${what} within a seed`, ...bound },
      why: 'less is hardly a trend',
      needs: `${minBatches} batch sizes that kept to a budget of equal ${budget}, and learnt`,
      trials: measured(budget),
    },
  )
const rises = { above: 0.3 } as const

const claims: readonly Claim[] = [
  weighed({
    id: 'large-batch-generalises-worse',
    version: 2,
    statement: 'with equal epochs, test accuracy falls with the batch size (Spearman ≤ −0.3)',
    published: 'test accuracy 0.976 (batch 16), 0.951 (1000), 0.918 (10,000) (README figure)',
    effects: [withBatch('epochs', ['test accuracy', 'test/accuracy'], { below: -0.3 })],
  }),
  weighed({
    id: 'largest-batch-most-sensitive',
    version: 2,
    statement: 'with equal epochs, the largest batch is more than twice as sensitive as the median one',
    published: '0.2 to 0.8 up to a batch of 2500, 1.5 at 5000, 3.6 at 10,000 (README figure)',
    effects: [
      {
        quantity: 'sensitivity of the largest batch ÷ median over batch sizes',
        scale: 'log',
        above: 2,
        why: 'published: 1.5 and 3.6 against 0.2 to 0.8',
        needs: `${minBatches} batch sizes that learnt`,
        trials: measured('epochs'),
        settings: batchSizes,
        of(own) {
          const sizes = [...groupBy(learnt(own, own), metricOf('batch'))].sort(([a], [b]) => a - b)
          const levels = sizes.map(([, nets]) => geometricMean(valuesOf(nets, 'sensitivity')))
          return levels.length < minBatches ? NaN : levels.at(-1)! / median(levels)
        },
      },
    ],
  }),
  weighed({
    id: 'small-batch-less-sensitive-at-equal-epochs',
    statement:
      'a model trained with a small batch is less sensitive to change of input: over all sizes, with equal epochs, sensitivity rises with the batch (Spearman ≥ 0.3)',
    published: 'Model trained with small batch size is less sensitive to change of input (README)',
    effects: [withBatch('epochs', ['sensitivity', 'sensitivity'], rises)],
  }),
  weighed({
    id: 'sensitivity-rises-at-equal-loss',
    version: 2,
    statement: 'trained to the same loss, larger batches are more sensitive (Spearman ≥ 0.3)',
    published:
      'sibling reports disagree on the sign; Novak et al. 2018: full-batch training raises the Jacobian’s norm',
    fragile: true,
    effects: [withBatch('loss', ['sensitivity', 'sensitivity'], rises)],
  }),
  weighed({
    id: 'small-batch-lower-loss-at-equal-epochs',
    statement:
      'smaller batches end with a lower loss: with equal epochs, training and test loss rise with the batch (Spearman ≥ 0.3)',
    published: 'Smaller batch size leads to slightly better result than larger batch size (lower loss) (README)',
    effects: [
      withBatch('epochs', ['training loss', 'train/loss'], rises),
      withBatch('epochs', ['test loss', 'test/loss'], rises),
    ],
  }),
  weighed({
    id: 'small-batch-lower-loss-at-equal-loss',
    statement: 'and trained to the same training loss, the test loss rises with the batch (Spearman ≥ 0.3)',
    published: 'Smaller batch size leads to slightly better result than larger batch size (lower loss) (README)',
    effects: [withBatch('loss', ['test loss', 'test/loss'], rises)],
  }),
]

const ways = Object.keys(budgetWords) as P['budget'][]
const figures = [
  ...ways.flatMap((budget) =>
    besideBatch({
      measure: 'sensitivity',
      name: `sensitivity-${budget}`,
      title: `sensitivity, ${budgetWords[budget]}`,
      caption: `sensitivity of the mean loss (right) against batch size at ${budgetWords[budget]}.`,
      axis: 'sensitivity ‖∂L/∂X‖',
      select: drawn(budget),
    }),
  ),
  ...quantities.map((quantity) =>
    scatter({
      name: `${quantity}-sensitivity-against-batch`,
      caption: `Sensitivity (${quantity}) on the training rows against batch size, one point a net.`,
      title: () => `Sensitivity (${quantity}) against batch size`,
      select: (records) => ways.flatMap((budget) => drawn(budget, quantity)(records)),
      x: overBatch,
      y: { title: `sensitivity (${quantity})`, scale: 'log', of: metricOf('sensitivity') },
      group: (record, all) => budgetWords[netParams(record, all)['budget'] as P['budget']],
    }),
  ),
]

export const sensitivity = defineExperiment({
  name: 'sensitivity',
  version: 1,
  title: 'Sensitivity to the inputs against batch size',
  question: 'Are nets trained with large batches more sensitive to their inputs?',
  source: 'sensitivity.py of the 2018 course (HW1-3); Novak et al. 2018',
  objective: { metric: 'test/accuracy', direction: 'maximize' },
  stages: [main, measure],
  profiles: {
    smoke: {
      axes: { batch: [20, 100, 250, 500], epochs: [10], trainRows: [500], testRows: [200] },
      seeds: [0],
      stages: { measure: { quantity: [...quantities], rows: [100] } },
    },
    reduced: {
      axes: {},
      points: [
        // Half the original's epochs, so that five seeds take minutes.
        ...crossed({ batch: [50, 100, 250, 500, 1000, 2000, 8000], epochs: [100] }),
        // On fewer rows every batch comes to the same loss.
        ...crossed({ budget: ['loss'], trainRows: [2000], batch: [20, 50, 100, 250, 500, 1000], epochs: [300] }),
      ],
      seeds: [0, 1, 2, 3, 4],
      stages: { measure: { quantity: [...quantities], rows: [2000] } },
    },
    full: {
      axes: {
        budget: ['epochs', 'updates', 'loss'],
        batch: [16, 32, 50, 64, 80, 100, 125, 200, 250, 400, 500, 625, 1000, 1250, 2000, 2500, 4000, 8000],
      },
      seeds: [0, 1, 2],
      stages: { measure: { quantity: [...quantities], part: ['train', 'test'] } },
    },
  },
  figures,
  claims,
})
