import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { corruptLabels } from '../../data/corrupt.js'
import type { EpochResult } from '../../engines/engine.js'
import { againstAxis } from '../../figures/against-axis.js'
import { defineNet, type Net } from '../../net/net.js'
import type { OptimizerSpec } from '../../net/training-spec.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne } from '../vocabulary/checks.js'
import { byClass, classes, crossEntropy, named, namedSet, openSplit, trainingCost } from '../vocabulary/classify.js'
import { meanEffect, ratioOf, weighed, type Counted, type Effect } from '../vocabulary/effects.js'
import { lossAndAccuracy, settings } from '../vocabulary/figures.js'
import { dense } from '../vocabulary/nets.js'
import { axisOf, meanOf, metric, metricOf, valuesOf } from '../vocabulary/numbers.js'
import { byOneHot, oneHot } from '../vocabulary/one-hot.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finished, largestComparable, type Choose, type Records } from '../vocabulary/records.js'
import { trainNet } from '../vocabulary/train-net.js'
import { trendEffect } from '../vocabulary/trends.js'

/**
 * How many parameters does a net need to generalise?
 *
 * A bottleneck of 10 units, then three layers as wide as the axis says, on the first 10,000 MNIST images. The original:
 * number_of_param.py (HW1-3); 20 epochs of Keras's Adagrad, batch 100, a quarter of the rows held out.
 */
const space = {
  width: axes.units(4096, 64, 'units in each of the hidden layers behind the bottleneck'),
  depth: axes.layers(16, 3, 'how many such layers', { min: 0 }),
  bottleneck: axes.units(
    4096,
    10,
    'units of the first hidden layer, before those; 0 for none, as in Belkin et al. 2019',
    { min: 0 },
  ),
  dataset: axes.dataset(),
  trainRows: axes.trainRows(7_500),
  validationRows: axes.heldOutRows(2_500),
  labelNoise: axes.share(
    0,
    'share of the training rows whose label is drawn anew, uniformly; held-out labels stay right',
  ),
  loss: axes.oneOf(
    [crossEntropy, 'mean-squared-error'],
    'what is descended on; the squared error is of one output a class against 0 or 1',
  ),
  batch: axes.batch(100),
  epochs: axes.epochs(20, { doc: 'passes over the training rows, at most' }),
  targetLoss: axes.upTo(100, 0, 'training stops once the epoch’s loss is at most this; 0 for never'),
  optimizer: axes.optimizer('adagrad', 'adam', 'sgd', 'momentum'),
  learningRate: axes.learningRate(0.01, "the optimiser's step size"),
  accumulator: axes.upTo(10, 0, "what Adagrad's sums of squares start from (Keras: 0 until 2018, 0.1 since)"),
}
type P = ParamsOf<typeof space>

export function paramsNet(
  inputShape: readonly number[],
  { width, depth, bottleneck }: Pick<P, 'width' | 'depth' | 'bottleneck'>,
): Net {
  const hidden = [...(bottleneck === 0 ? [] : [bottleneck]), ...Array.from({ length: depth }, () => width)]
  return defineNet(inputShape, [{ kind: 'flatten' }, ...dense(hidden, classes, { activation: 'relu' })])
}

/** P(u) = 7860 + 23u + 2u² for three layers of u units behind 784-10 (experiments' own arithmetic). */
export function parameterCount(width: number): number {
  return 7860 + 23 * width + 2 * width * width
}

/** The width whose net has about so many parameters: the positive root of P(u) = parameters. */
function widthFor(parameters: number): number {
  return Math.max(2, Math.round((-23 + Math.sqrt(23 ** 2 + 8 * (parameters - 7860))) / 4))
}

/** `count` widths whose parameter counts are spaced evenly on a log scale, without repetition. */
function logSpacedWidths(fromWidth: number, toWidth: number, count: number): number[] {
  const [from, to] = [parameterCount(fromWidth), parameterCount(toWidth)]
  const widths = Array.from({ length: count }, (_, i) => widthFor(from * (to / from) ** (i / (count - 1))))
  return [...new Set(widths)]
}

function optimizerOf({ optimizer, learningRate, accumulator }: P): OptimizerSpec {
  return optimizer === 'adagrad'
    ? { kind: optimizer, learningRate, initialAccumulator: accumulator }
    : { kind: optimizer, learningRate }
}

/** Reports and evaluations of a training: each epoch of the original's twenty, fewer of a long one's. */
const reports = 100

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: (params, ...rest) => rowsOfSplit({ ...params, testRows: params.validationRows }, ...rest),
  net: (params) => paramsNet(axes.shapeOf(params.dataset), params),
  cost: (params) => trainingCost(paramsNet(axes.shapeOf(params.dataset), params), params.trainRows, params.epochs),
  async run(params, context): Promise<Metrics> {
    const { data, split } = await openSplit(context, { ...params, testRows: params.validationRows })
    const net = paramsNet(data.shape, params)
    context.log(
      `${net.parameterCount} parameters, ${split.train.length} rows to train on, ${split.test.length} held out`,
    )
    const noise = { kind: 'resample', share: params.labelNoise, classes, seed: context.seeds.corruption } as const
    const labels = corruptLabels(data.labels, split.train, noise)
    const isByClass = params.loss === crossEntropy
    const rows = { features: data.features, targets: isByClass ? labels : oneHot(labels, classes) }
    const evaluate = isByClass ? byClass(net, rows, context) : byOneHot(net, rows, labels, context)

    const every = Math.ceil(params.epochs / reports)
    let metrics: Metrics = {}
    const enough = (epoch: number, trained: EpochResult): boolean =>
      epoch >= params.epochs || trained.loss <= params.targetLoss
    // Layers draw from streams of their own, so the first layer starts the same at every width, as in the original.
    const { updates } = await trainNet(context, {
      net,
      rows,
      loss: params.loss,
      train: split.train,
      batch: params.batch,
      optimizer: optimizerOf(params),
      enough,
      memory: { read: () => metrics, write: (value) => (metrics = value as Metrics) },
      async onEpoch(epoch, trained, weights) {
        if (epoch % every !== 0 && !enough(epoch, trained)) return
        const known = Number.isNaN(trained.accuracy) ? await evaluate(split.train, weights()) : trained
        metrics = {
          ...named('train', { ...known, loss: trained.loss }),
          ...named('validation', await evaluate(split.test, weights())),
        }
        await context.report(epoch, metrics)
      },
    })
    return { ...metrics, parameters: net.parameterCount, updates }
  },
})

/** The number of targets a net would have to fit one by one: rows × classes (Belkin et al. 2019). */
const interpolationThreshold = (record: TrialRecord): number => axisOf('trainRows')(record) * classes

const noiseOf = ({ trial }: TrialRecord): number => Number(trial.params['labelNoise'] ?? 0)
const trainedOn = ({ trial }: TrialRecord): unknown => trial.params['loss'] ?? crossEntropy
/** Nets trained on right labels and by cross-entropy, as the original's. */
const clean: Choose = (records) =>
  finished(records).filter((record) => noiseOf(record) === 0 && trainedOn(record) === crossEntropy)

const learntAccuracy = 0.5
/** All nets of a seed whose best one has learnt what digits look like, else none. */
const learnt: Counted = (own) => (maxOf(valuesOf(own, 'train/accuracy')) >= learntAccuracy ? own : [])

const parametersOf = ({ trial: { params } }: TrialRecord): number =>
  paramsNet(axes.shapeOf(String(params['dataset'])), { bottleneck: 10, ...params } as unknown as P).parameterCount
/** The original's number; earlier, a training loss averaged over an epoch of fast learning lies above the held-out one. */
const minEpochs = 20
const longEnough: Choose = (records) => clean(records).filter((record) => axisOf('epochs')(record) >= minEpochs)
const isAbove = (record: TrialRecord): boolean => parametersOf(record) > interpolationThreshold(record)
const aboveThreshold: Choose = (records) => longEnough(records).filter(isAbove)
const largeParameters = 2e4
const isLarge = (record: TrialRecord): boolean => parametersOf(record) >= largeParameters
const minSizes = 6
const minLargeSizes = 3
const sizes = { what: 'sizes', of: parametersOf, needed: minSizes } as const
const gapOf = (record: TrialRecord): number => metric(record, 'validation/loss') - metric(record, 'train/loss')

/** How a value goes with the number of parameters within a seed, over sizes that are chosen. */
const withSize = (
  what: string,
  y: (record: TrialRecord) => number,
  tested: Pick<Effect, 'above' | 'below' | 'why' | 'needs' | 'trials'>,
): Effect =>
  trendEffect(
    { settings: sizes, y, counted: learnt },
    { quantity: `Spearman’s correlation of size and ${what} within a seed`, ...tested },
  )

/** The more parameters, the higher an accuracy: over all sizes, and still beyond rows × classes. */
const higherWithSize = (what: string, name: string): readonly [Effect, Effect] => [
  withSize(`${what} accuracy`, metricOf(name), {
    ...{ above: 0.8, why: 'held as near to “the more, the higher” as the loss is' },
    ...{ needs: `${minSizes} sizes after ${minEpochs} epochs that learnt`, trials: longEnough },
  }),
  withSize(`${what} accuracy above rows × classes`, metricOf(name), {
    ...{ above: 0, why: 'no rise' },
    ...{ needs: `${minSizes} sizes above the threshold after ${minEpochs} epochs that learnt`, trials: aboveThreshold },
  }),
]

/** A seed's nets by size, the smallest first. */
const bySize = (own: Records): [number, TrialRecord[]][] => [...groupBy(own, parametersOf)].sort(([a], [b]) => a - b)

const oneRow =
  (rows: 'trainRows' | 'validationRows') =>
  (records: Records): number =>
    1 / minOf(clean(records).map(axisOf(rows)))

const minNoiseOfPeak = 0.1
const nearThreshold = 3
const minSizesOfPeak = 8
const sizesOfPeak = `${minSizesOfPeak} sizes with label noise, from a third of rows × classes parameters to three times as many, the largest fitting 0.99 of their rows`
/** Nets with label noise: of several settings the one with the most sizes, which then differ in nothing else. */
const noisy: Choose = (records) =>
  largestComparable(
    finished(records).filter((record) => noiseOf(record) >= minNoiseOfPeak),
    ({ trial }) => ({ ...trial.params, width: undefined }),
  )
const ofPeak = {
  needs: sizesOfPeak,
  trials: noisy,
  settings: { what: 'sizes', of: parametersOf, needed: minSizesOfPeak },
} as const

/** A seed's held-out loss by size, in multiples of rows × classes; nothing where a peak could not show. */
function peakCurve(own: Records): readonly { readonly ratio: number; readonly loss: number }[] {
  const sizes = bySize(own)
  const curve = sizes.map(([parameters, nets]) => ({
    ratio: parameters / interpolationThreshold(own[0]!),
    loss: meanOf(nets, 'validation/loss'),
  }))
  const reaches = curve.length >= minSizesOfPeak && curve[0]!.ratio <= 1 / nearThreshold
  if (!reaches || curve.at(-1)!.ratio < nearThreshold) return []
  return meanOf(sizes.at(-1)![1], 'train/accuracy') < 0.99 ? [] : curve
}

const claims: readonly Claim[] = [
  {
    id: 'parameter-formula',
    kind: 'check',
    statement: 'the parameter count is P(u) = 7860 + 23u + 2u²',
    published: '7,914 parameters for u = 2 (number_of_param.py)',
    check: everyOne(
      (records) =>
        finished(records).filter(
          ({ trial: { params } }) =>
            params['depth'] === 3 && (params['bottleneck'] ?? 10) === 10 && axes.isOfDigits(params),
        ),
      'net',
      (record) => metric(record, 'parameters') === parameterCount(axisOf('width')(record)),
      {
        none: 'no finished trial with three layers behind ten units on 28×28 images',
        told: ' have exactly that many',
      },
    ),
  },
  weighed({
    id: 'loss-falls-with-size',
    version: 2,
    statement: 'below rows × classes parameters, larger nets end with a lower training loss (Spearman ≤ −0.8)',
    published:
      'training loss falls from 1.76–2.30 to 0.08–0.17 between 7.9 k and about 20 k parameters (README figure)',
    effects: [
      withSize('training loss', metricOf('train/loss'), {
        ...{ below: -0.8, why: 'as first set, before any run' },
        needs: `${minSizes} sizes below the threshold that learnt`,
        trials: (records) => clean(records).filter((record) => !isAbove(record)),
      }),
    ],
  }),
  weighed({
    id: 'accuracy-saturates',
    version: 2,
    statement: 'from 2·10⁴ parameters on, validation accuracy is within 0.06 of the best',
    published: 'validation accuracy 0.87–0.92 from about 2·10⁴ parameters on (README figure)',
    effects: [
      {
        quantity: 'how far the worst such size is below the best of all',
        scale: 'linear',
        below: 0.06,
        why: 'as first set, before any run',
        needs: `three sizes of ${largeParameters} parameters or more that learnt`,
        trials: clean,
        settings: {
          what: 'large sizes',
          of: (record) => (isLarge(record) ? parametersOf(record) : undefined),
          needed: minLargeSizes,
        },
        of(own) {
          const accuracies = (nets: Records): number[] =>
            bySize(nets).map(([, ofSize]) => meanOf(ofSize, 'validation/accuracy'))
          const nets = learnt(own, own)
          const large = accuracies(nets.filter(isLarge))
          return large.length < minLargeSizes ? NaN : maxOf(accuracies(nets)) - minOf(large)
        },
        step: oneRow('validationRows'),
      },
    ],
  }),
  weighed({
    id: 'more-parameters-higher-training-accuracy',
    statement:
      'the more the parameters, the higher the training accuracy (Spearman ≥ 0.8 over all sizes, and above 0 beyond rows × classes)',
    published: 'The more the parameters, the higher the accuracy (README)',
    effects: higherWithSize('training', 'train/accuracy'),
  }),
  weighed({
    id: 'more-parameters-higher-held-out-accuracy',
    statement: 'the more the parameters, the higher the accuracy on held-out rows (by the same bounds)',
    published: 'The more the parameters, the higher the accuracy (README); flat from 2·10⁴ parameters on (figure)',
    effects: higherWithSize('held-out', 'validation/accuracy'),
  }),
  weighed({
    id: 'gap-of-large-nets',
    version: 2,
    statement: 'nets with more parameters than rows × classes lose more on held-out rows than on training rows',
    published: 'validation loss 0.38–0.48 at 10⁶ parameters, training loss 0.08–0.17 (README figure)',
    effects: [
      {
        quantity: 'validation loss − training loss',
        scale: 'linear',
        above: 0,
        why: 'no gap',
        needs: `a net above the threshold after ${minEpochs} epochs`,
        trials: aboveThreshold,
        of: (own) => mean(own.map(gapOf)),
      },
    ],
  }),
  weighed({
    id: 'gap-rises-with-size',
    statement: 'from 2·10⁴ parameters on, that gap rises with the number of parameters (Spearman ≥ 0.3)',
    published:
      'validation loss 0.30 rising to 0.38–0.48 at 10⁶ parameters while training loss stays at 0.08–0.17 (README figure)',
    effects: [
      withSize('gap', gapOf, {
        ...{ above: 0.3, why: 'less is hardly a trend' },
        needs: `${minSizes} sizes of ${largeParameters} parameters or more after ${minEpochs} epochs`,
        trials: (records) => longEnough(records).filter(isLarge),
      }),
    ],
  }),
  weighed({
    id: 'training-fits-above',
    version: 2,
    statement:
      'above rows × classes parameters the training accuracy approaches 1 (at least 0.95 on average after 20 epochs)',
    published: 'training accuracy 0.95–0.98 after 20 epochs of Adagrad (README figure)',
    effects: [
      meanEffect('train/accuracy', {
        ...{ quantity: 'training accuracy', above: 0.95, why: 'the least that was published' },
        ...{ needs: `a net above the threshold after ${minEpochs} epochs`, trials: aboveThreshold },
        step: oneRow('trainRows'),
      }),
    ],
  }),
  weighed({
    id: 'double-descent',
    version: 2,
    statement:
      'with label noise and training until it fits, the held-out loss peaks within a factor 3 of rows × classes parameters and falls again beyond',
    published:
      'Belkin et al. 2019: one hidden layer, squared error, a peak at rows × classes; Nakkiran et al. 2019: label noise raises it',
    concerns: (records) => records.some((record) => noiseOf(record) >= minNoiseOfPeak),
    effects: [
      {
        quantity: 'parameters where a seed’s held-out loss is greatest ÷ rows × classes',
        scale: 'log',
        above: 1 / nearThreshold,
        below: nearThreshold,
        why: 'a peak by one or two sizes of the sweep beside it is still near',
        ...ofPeak,
        of(own) {
          const curve = peakCurve(own)
          const greatest = maxOf(curve.map(({ loss }) => loss))
          return curve.find(({ loss }) => loss === greatest)?.ratio ?? NaN
        },
        // Half a size either way.
        step(records) {
          const ratios = peakCurve(noisy(records)).map(({ ratio }) => ratio)
          return Math.log(ratios.at(-1)! / ratios[0]!) / (ratios.length - 1)
        },
      },
      {
        quantity: 'held-out loss within a factor 3 of rows × classes ÷ that of the largest nets',
        scale: 'log',
        above: 1,
        why: 'no fall',
        ...ofPeak,
        of(own) {
          const curve = peakCurve(own)
          const near = curve.filter(({ ratio }) => ratio <= nearThreshold && ratio >= 1 / nearThreshold)
          return ratioOf(
            near.map(({ loss }) => loss),
            curve.slice(-1).map(({ loss }) => loss),
          )
        },
      },
    ],
  }),
]

const lossUnit = (records: Records): string => {
  const losses = new Set(records.map(trainedOn))
  return losses.size > 1 ? 'loss' : losses.has(crossEntropy) ? 'cross-entropy (nats)' : 'mean squared error'
}

const figures = (['log', 'linear'] as const).flatMap((scale) =>
  lossAndAccuracy.map(({ what, word, title }) =>
    againstAxis({
      name: `${what}-against-parameters-${scale}`,
      caption: `Final ${what} in training and held out against the number of parameters (${scale} axis).`,
      title: `${word} against number of parameters`,
      apart: ['labelNoise', 'trainRows', 'depth', 'bottleneck', 'loss'],
      x: { title: 'parameters', scale, of: metricOf('parameters') },
      y: { title: what === 'loss' ? lossUnit : title },
      series: [
        { metric: `train/${what}`, label: 'train' },
        { metric: `validation/${what}`, label: 'validation' },
      ],
      // Where nothing but right labels is fitted, the threshold has nothing to say.
      rule: {
        title: 'rows × classes',
        of: (record) => (noiseOf(record) > 0 ? interpolationThreshold(record) : NaN),
      },
      settings: settings('{dataset}, {trainRows} rows, {epochs} epochs, batch {batch}, {optimizer} {learningRate}'),
    }),
  ),
)

export const params = defineExperiment({
  name: 'params',
  version: 1,
  title: 'Number of parameters against generalisation',
  question: 'How do loss and accuracy, in training and held out, change with the number of parameters?',
  source:
    'number_of_param.py of the 2018 course (HW1-3); P(u) = 7860 + 23u + 2u²; Adagrad as Keras had it in 2018: learning rate 0.01, accumulator from 0',
  objective: { metric: 'validation/accuracy', direction: 'maximize' },
  stages: [main],
  profiles: {
    smoke: { axes: { width: [2, 8, 24, 64, 128, 256], epochs: [4] }, seeds: [0, 1] },
    // The widths between 2 and 27 are a hair apart in parameters, yet there the net begins to learn.
    reduced: {
      axes: { width: [...new Set([2, 3, 4, 6, 9, 14, ...logSpacedWidths(2, 843, 24)])] },
      seeds: [0, 1, 2, 3, 4],
    },
    // The original grows u by one for nine models, then faster, to 100 models of up to 1.45 M parameters.
    // One hidden layer, squared error, few rows, a fifth of the labels redrawn, trained until large nets fit them all.
    'double-descent': {
      axes: {
        bottleneck: [0],
        depth: [1],
        width: [4, 8, 11, 14, 18, 22, 27, 32, 40, 64, 125, 250],
        trainRows: [1000],
        labelNoise: [0.2],
        loss: ['mean-squared-error'],
        optimizer: ['adam'],
        learningRate: [0.001],
        epochs: [4000],
        targetLoss: [1e-4],
      },
      seeds: [0, 1, 2],
    },
    full: {
      axes: { width: [...new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, ...logSpacedWidths(11, 843, 91)])] },
      seeds: [0, 1, 2],
    },
  },
  figures,
  claims,
})
