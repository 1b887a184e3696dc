import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { corruptLabels } from '../../data/corrupt.js'
import type { EpochResult } from '../../engines/engine.js'
import { againstAxis } from '../../figures/against-axis.js'
import { seedCount } from '../../figures/select.js'
import { defineNet, type Net } from '../../net/net.js'
import type { OptimizerSpec } from '../../net/training-spec.js'
import { defineExperiment, defineStage, type Claim, type Verdict } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne, given, inconclusive, verdict, withEnough } from '../vocabulary/claims.js'
import { byClass, classes, crossEntropy, named, namedSet, openSplit, trainingCost } from '../vocabulary/classify.js'
import { intervalOverSeeds, rankVerdict } from '../vocabulary/effects.js'
import { lossAndAccuracy, settings } from '../vocabulary/figures.js'
import { dense } from '../vocabulary/nets.js'
import { axisOf, meanOf, metric, metricOf, valuesOf } from '../vocabulary/numbers.js'
import { byOneHot, oneHot } from '../vocabulary/one-hot.js'
import { finished, largestComparable, type Choose, type Records } from '../vocabulary/records.js'
import { trainNet } from '../vocabulary/train-net.js'
import { brief, round } from '../vocabulary/wording.js'

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

/** Final metrics against parameters, seeds averaged first: the seeds of one size are no independent evidence about size. */
function meansBySize(records: Records, name: string): { parameters: number[]; means: number[] } {
  const sizes = [...groupBy(records, (record) => metric(record, 'parameters'))].sort(([a], [b]) => a - b)
  return {
    parameters: sizes.map(([size]) => size),
    means: sizes.map(([, nets]) => meanOf(nets, name)),
  }
}

const aboveThreshold: Choose = (records) =>
  clean(records).filter((record) => metric(record, 'parameters') > interpolationThreshold(record))

const sizesOf = (records: Records): number[] => [...new Set(valuesOf(records, 'parameters'))]
const isLarge = (parameters: number): boolean => parameters >= 2e4
const leastSizes = 6
/** The original's number; earlier, a training loss averaged over an epoch of fast learning lies above the held-out one. */
const leastEpochs = 20

const claims: readonly Claim[] = [
  {
    id: 'parameter-formula',
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
  {
    id: 'loss-falls-with-size',
    statement: 'below rows × classes parameters, larger nets end with a lower training loss (Spearman ≤ −0.8)',
    published:
      'training loss falls from 1.76–2.30 to 0.08–0.17 between 7.9 k and about 20 k parameters (README figure)',
    check: withEnough(
      (records) => clean(records).filter((record) => metric(record, 'parameters') <= interpolationThreshold(record)),
      { needed: leastSizes, of: 'sizes below the threshold', count: (below) => sizesOf(below).length },
      (below) => {
        const { parameters, means } = meansBySize(below, 'train/loss')
        return rankVerdict(parameters, means, -0.8, { claim: 'params', unit: 'sizes', seeds: seedCount(below) })
      },
    ),
  },
  {
    id: 'accuracy-saturates',
    statement: 'from 2·10⁴ parameters on, validation accuracy is within 0.06 of the best',
    published: 'validation accuracy 0.87–0.92 from about 2·10⁴ parameters on (README figure)',
    check: withEnough(
      clean,
      { needed: 3, of: 'sizes of 2·10⁴ parameters or more', count: (all) => sizesOf(all).filter(isLarge).length },
      (all) => {
        const { parameters, means } = meansBySize(all, 'validation/accuracy')
        const large = means.filter((_, i) => isLarge(parameters[i]!))
        const gap = maxOf(means) - minOf(large)
        const summary = `the worst of ${large.length} such sizes is ${round(gap)} below the best (${round(maxOf(means))})`
        return verdict(gap <= 0.06, all, summary, gap)
      },
    ),
  },
  {
    id: 'gap-of-large-nets',
    statement: 'nets with more parameters than rows × classes lose more on held-out rows than on training rows',
    published:
      'validation loss 0.30 rising to 0.38–0.48 at 10⁶ parameters while training loss stays at 0.08–0.17 (README figure)',
    check: given(aboveThreshold, 'no net above the threshold has finished', (large) => {
      const epochs = minOf(large.map(axisOf('epochs')))
      if (epochs < leastEpochs)
        return inconclusive(
          `after ${epochs} epochs only (${leastEpochs} needed: training loss is a mean over the epoch)`,
          large,
        )
      const gaps = large.map((record) => metric(record, 'validation/loss') - metric(record, 'train/loss'))
      const [least, count] = [minOf(gaps), gaps.filter((gap) => gap >= 0).length]
      const summary = `${count} of ${large.length} nets; the least gap is ${round(least)}, the mean ${round(mean(gaps))}`
      return verdict(least >= 0, large, summary, mean(gaps))
    }),
  },
  {
    id: 'training-fits-above',
    statement:
      'above rows × classes parameters the training accuracy approaches 1 (at least 0.95 on average after 20 epochs)',
    published: 'training accuracy 0.95–0.98 after 20 epochs of Adagrad (README figure)',
    check: given(aboveThreshold, 'no net above the threshold has finished', (large) => {
      const accuracy = meanOf(large, 'train/accuracy')
      const epochs = minOf(large.map(axisOf('epochs')))
      if (epochs < leastEpochs && accuracy < 0.95)
        return inconclusive(`mean accuracy ${round(accuracy)}, but after ${epochs} epochs only`, large)
      const summary = `mean training accuracy ${round(accuracy)} over ${large.length} nets`
      return verdict(accuracy >= 0.95, large, summary, accuracy)
    }),
  },
  {
    id: 'double-descent',
    statement:
      'with label noise and training until it fits, the held-out loss peaks within a factor 3 of rows × classes parameters and falls again beyond',
    published:
      'Belkin et al. 2019: one hidden layer, squared error, a peak at rows × classes; Nakkiran et al. 2019: label noise raises it',
    concerns: (records) => records.some((record) => noiseOf(record) >= leastNoiseOfPeak),
    check: (records) =>
      peakVerdict(largestSetting(finished(records).filter((record) => noiseOf(record) >= leastNoiseOfPeak))),
  },
]

/** Of several settings, the one with the most sizes: a peak is sought over sizes that differ in nothing else. */
const largestSetting = (records: Records): Records =>
  largestComparable(records, ({ trial }) => ({ ...trial.params, width: undefined }))

const leastSizesOfPeak = 8
/** One seed's curve has the peaks of that seed, and no interval. */
const leastSeedsOfPeak = 3
const leastNoiseOfPeak = 0.1
const nearThreshold = 3

function peakVerdict(all: Records): Verdict {
  const { parameters, means } = meansBySize(all, 'validation/loss')
  const seeds = seedCount(all)
  if (parameters.length < leastSizesOfPeak)
    return inconclusive(`only ${parameters.length} sizes with label noise (${leastSizesOfPeak} needed)`, all)
  if (seeds < leastSeedsOfPeak) return inconclusive(`nets of ${seeds} seeds (${leastSeedsOfPeak} needed)`, all)
  const threshold = interpolationThreshold(all[0]!)
  if (parameters[0]! > threshold / nearThreshold || parameters.at(-1)! < threshold * nearThreshold)
    return inconclusive(`the sizes do not reach from a third of ${threshold} parameters to three times as many`, all)
  const fitted = meansBySize(all, 'train/accuracy').means.at(-1)!
  if (fitted < 0.99)
    return inconclusive(`the largest nets fit only ${round(fitted)} of their rows: not trained long enough`, all)

  const peak = means.indexOf(maxOf(means))
  if (peak === 0 || peak === means.length - 1) {
    const where = peak === 0 ? 'smallest' : 'largest'
    const summary = `no peak: the ${where} nets lose most (${brief(means[peak]!)})`
    return { state: 'not reproduced', summary, seeds }
  }
  const peakOf = (drawn: Records): number => {
    const curve = meansBySize(drawn, 'validation/loss')
    return curve.parameters[curve.means.indexOf(maxOf(curve.means))]! / threshold
  }
  const interval = intervalOverSeeds(all, peakOf, 'double-descent')
  const effect = parameters[peak]! / threshold
  const isNear = (ratio: number): boolean => ratio <= nearThreshold && ratio >= 1 / nearThreshold
  const state =
    isNear(effect) && interval.every(isNear)
      ? 'reproduced'
      : interval[1] < 1 / nearThreshold || interval[0] > nearThreshold
        ? 'not reproduced'
        : 'inconclusive'
  const summary = `peak ${brief(means[peak]!)} at ${parameters[peak]!} parameters, ${brief(effect)} times rows × classes (interval ${brief(interval[0])} to ${brief(interval[1])}); ${brief(means.at(-1)!)} at ${parameters.at(-1)!}`
  return { state, summary, seeds, effect, interval }
}

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
    reduced: { axes: { width: [...new Set([2, 3, 4, 6, 9, 14, ...logSpacedWidths(2, 843, 24)])] }, seeds: [0, 1, 2] },
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
    full: { axes: { width: [...new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, ...logSpacedWidths(11, 843, 91)])] }, seeds: [0] },
  },
  figures,
  claims,
})
