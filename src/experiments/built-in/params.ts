import { mean } from '../../analysis/statistics.js'
import { corruptLabels } from '../../data/corrupt.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { againstAxis } from '../../figures/against-axis.js'
import { seedCount } from '../../figures/select.js'
import type { EpochResult } from '../../engines/engine.js'
import { defineNet, multiplyAdds, type Layer, type Net } from '../../net/net.js'
import type { OptimizerSpec } from '../../net/training-spec.js'
import { choice, integer, number, type ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { brief, finished, inconclusive, intervalOverSeeds, metric, rankVerdict, round } from '../vocabulary/claims.js'
import { defineExperiment, defineStage, type Claim, type TrialContext, type Verdict } from '../experiment.js'
import { byClass, byOneHot, loss, named, openMaterial } from '../vocabulary/classify.js'
import { trainNet } from '../vocabulary/train-net.js'
import { groupBy } from '../../core/group-by.js'

/**
 * How many parameters does a net need to generalise?
 *
 * A bottleneck of 10 units, then three layers as wide as the axis says, on the first 10,000 MNIST images. The original:
 * number_of_param.py (HW1-3); 20 epochs of Keras's Adagrad, batch 100, a quarter of the rows held out.
 */
const space = {
  width: integer({
    min: 1,
    max: 4096,
    default: 64,
    doc: 'units in each of the hidden layers behind the bottleneck',
    unit: 'units',
  }),
  depth: integer({ min: 0, max: 16, default: 3, doc: 'how many such layers', unit: 'layers' }),
  bottleneck: integer({
    min: 0,
    max: 4096,
    default: 10,
    doc: 'units of the first hidden layer, before those; 0 for none, as in Belkin et al. 2019',
    unit: 'units',
  }),
  dataset: choice({
    choices: ['mnist-10k', 'mnist', 'cifar10', 'glyphs-2000'],
    default: 'mnist-10k',
    doc: 'what is classified',
  }),
  trainRows: integer({ min: 10, max: 60_000, default: 7_500, doc: 'rows trained on', unit: 'rows' }),
  validationRows: integer({ min: 10, max: 60_000, default: 2_500, doc: 'rows held out', unit: 'rows' }),
  labelNoise: number({
    min: 0,
    max: 1,
    default: 0,
    doc: 'share of the training rows whose label is drawn anew, uniformly; held-out labels stay right',
  }),
  loss: choice({
    choices: [loss, 'mean-squared-error'],
    default: loss,
    doc: 'what is descended on; the squared error is of one output a class against 0 or 1',
  }),
  batch: integer({ min: 1, max: 60_000, default: 100, doc: 'rows per update', unit: 'rows' }),
  epochs: integer({ min: 1, max: 100_000, default: 20, doc: 'passes over the training rows, at most', unit: 'epochs' }),
  targetLoss: number({
    min: 0,
    max: 100,
    default: 0,
    doc: 'training stops once the epoch’s loss is at most this; 0 for never',
  }),
  optimizer: choice({
    choices: ['adagrad', 'adam', 'sgd', 'momentum'],
    default: 'adagrad',
    doc: 'how weights are updated',
  }),
  learningRate: number({ above: 0, max: 1e9, default: 0.01, doc: "the optimiser's step size" }),
  accumulator: number({
    min: 0,
    max: 10,
    default: 0,
    doc: "what Adagrad's sums of squares start from (Keras: 0 until 2018, 0.1 since)",
  }),
}
type P = ParamsOf<typeof space>

const classes = 10

export function paramsNet(
  inputShape: readonly number[],
  { width, depth, bottleneck }: Pick<P, 'width' | 'depth' | 'bottleneck'>,
): Net {
  const hidden = [...(bottleneck === 0 ? [] : [bottleneck]), ...Array.from({ length: depth }, () => width)]
  return defineNet(inputShape, [
    { kind: 'flatten' },
    ...hidden.map((units): Layer => ({ kind: 'dense', units, activation: 'relu' })),
    { kind: 'dense', units: classes },
  ])
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

async function run(params: P, context: TrialContext): Promise<Metrics> {
  const { data, split } = await openMaterial(context, { ...params, testRows: params.validationRows })
  const net = paramsNet(data.shape, params)
  context.log(`${net.parameterCount} parameters, ${split.train.length} rows to train on, ${split.test.length} held out`)
  const labels = corruptLabels(data.labels, split.train, {
    kind: 'resample',
    share: params.labelNoise,
    classes,
    seed: context.seeds.corruption,
  })
  const task = { net, features: data.features, labels, loss: params.loss }
  const { rows, evaluate } = params.loss === loss ? byClass(task, context) : byOneHot(task, context)

  const every = Math.ceil(params.epochs / reports)
  let metrics: Metrics = {}
  const enough = (epoch: number, trained: EpochResult): boolean =>
    epoch >= params.epochs || trained.loss <= params.targetLoss
  // Layers draw from streams of their own, so the first layer starts the same at every width, as in the original.
  const { updates } = await trainNet(context, {
    net,
    loss: params.loss,
    rows,
    train: split.train,
    optimizer: optimizerOf(params),
    batch: params.batch,
    enough,
    async onEpoch(epoch, trained, weights) {
      if (epoch % every !== 0 && !enough(epoch, trained)) return
      const own = Number.isNaN(trained.accuracy) ? await evaluate(split.train, weights()) : trained
      metrics = {
        ...named('train', { ...own, loss: trained.loss }),
        ...named('validation', await evaluate(split.test, weights())),
      }
      await context.report(epoch, metrics)
    },
  })
  return { ...metrics, parameters: net.parameterCount, updates }
}

const main = defineStage({
  name: 'main',
  space,
  data: (params) => [params.dataset],
  // Forward and backward are six operations per weight and row.
  cost: (params) =>
    6 *
    multiplyAdds(paramsNet(params.dataset === 'cifar10' ? [32, 32, 3] : [28, 28, 1], params)) *
    params.trainRows *
    params.epochs,
  run,
})

/** The number of targets a net would have to fit one by one: rows × classes (Belkin et al. 2019). */
const interpolationThreshold = (record: TrialRecord): number => Number(record.trial.params['trainRows']) * classes

const noiseOf = ({ trial }: TrialRecord): number => Number(trial.params['labelNoise'] ?? 0)
const trainedOn = ({ trial }: TrialRecord): unknown => trial.params['loss'] ?? loss
/** Nets trained on right labels and by cross-entropy, as the original's. */
const clean = (records: readonly TrialRecord[]): TrialRecord[] =>
  finished(records).filter((record) => noiseOf(record) === 0 && trainedOn(record) === loss)

/** Final metrics against parameters, seeds averaged first: the seeds of one size are no independent evidence about size. */
function meansBySize(records: readonly TrialRecord[], name: string): { parameters: number[]; means: number[] } {
  const sizes = [...groupBy(records, (record) => metric(record, 'parameters'))].sort(([a], [b]) => a - b)
  return {
    parameters: sizes.map(([size]) => size),
    means: sizes.map(([, own]) => mean(own.map((record) => metric(record, name)))),
  }
}

const leastSizes = 6
/** The original's number; earlier, a training loss averaged over an epoch of fast learning lies above the held-out one. */
const leastEpochs = 20

const claims: readonly Claim[] = [
  {
    id: 'parameter-formula',
    statement: 'the parameter count is P(u) = 7860 + 23u + 2u²',
    published: '7,914 parameters for u = 2 (number_of_param.py)',
    check(records) {
      const original = finished(records).filter(
        ({ trial: { params } }) =>
          params['depth'] === 3 && (params['bottleneck'] ?? 10) === 10 && params['dataset'] !== 'cifar10',
      )
      if (original.length === 0)
        return inconclusive('no finished trial with three layers behind ten units on 28×28 images')
      const wrong = original.filter(
        (record) => metric(record, 'parameters') !== parameterCount(Number(record.trial.params['width'])),
      )
      return {
        state: wrong.length === 0 ? 'reproduced' : 'not reproduced',
        summary: `${original.length - wrong.length} of ${original.length} nets have exactly that many`,
        seeds: seedCount(original),
      }
    },
  },
  {
    id: 'loss-falls-with-size',
    statement: 'below rows × classes parameters, larger nets end with a lower training loss (Spearman ≤ −0.8)',
    published:
      'training loss falls from 1.76–2.30 to 0.08–0.17 between 7.9 k and about 20 k parameters (README figure)',
    check(records) {
      const below = clean(records).filter((record) => metric(record, 'parameters') <= interpolationThreshold(record))
      const { parameters, means } = meansBySize(below, 'train/loss')
      if (parameters.length < leastSizes)
        return inconclusive(
          `only ${parameters.length} sizes below the threshold (${leastSizes} needed)`,
          seedCount(below),
        )
      return rankVerdict(parameters, means, -0.8, { claim: 'params', unit: 'sizes', seeds: seedCount(below) })
    },
  },
  {
    id: 'accuracy-saturates',
    statement: 'from 2·10⁴ parameters on, validation accuracy is within 0.06 of the best',
    published: 'validation accuracy 0.87–0.92 from about 2·10⁴ parameters on (README figure)',
    check(records) {
      const all = clean(records)
      const { parameters, means } = meansBySize(all, 'validation/accuracy')
      const large = means.filter((_, i) => parameters[i]! >= 2e4)
      if (large.length < 3)
        return inconclusive(`only ${large.length} sizes of 2·10⁴ parameters or more (3 needed)`, seedCount(all))
      const gap = maxOf(means) - minOf(large)
      return {
        state: gap <= 0.06 ? 'reproduced' : 'not reproduced',
        summary: `the worst of ${large.length} such sizes is ${round(gap)} below the best (${round(maxOf(means))})`,
        seeds: seedCount(all),
        effect: gap,
      }
    },
  },
  {
    id: 'gap-of-large-nets',
    statement: 'nets with more parameters than rows × classes lose more on held-out rows than on training rows',
    published:
      'validation loss 0.30 rising to 0.38–0.48 at 10⁶ parameters while training loss stays at 0.08–0.17 (README figure)',
    check(records) {
      const large = clean(records).filter((record) => metric(record, 'parameters') > interpolationThreshold(record))
      if (large.length === 0) return inconclusive('no net above the threshold has finished')
      const epochs = minOf(large.map((record) => Number(record.trial.params['epochs'])))
      if (epochs < leastEpochs)
        return inconclusive(
          `after ${epochs} epochs only (${leastEpochs} needed: training loss is a mean over the epoch)`,
          seedCount(large),
        )
      const gaps = large.map((record) => metric(record, 'validation/loss') - metric(record, 'train/loss'))
      const least = minOf(gaps)
      return {
        state: least >= 0 ? 'reproduced' : 'not reproduced',
        summary: `${gaps.filter((gap) => gap >= 0).length} of ${large.length} nets; the least gap is ${round(least)}, the mean ${round(mean(gaps))}`,
        seeds: seedCount(large),
        effect: mean(gaps),
      }
    },
  },
  {
    id: 'training-fits-above',
    statement:
      'above rows × classes parameters the training accuracy approaches 1 (at least 0.95 on average after 20 epochs)',
    published: 'training accuracy 0.95–0.98 after 20 epochs of Adagrad (README figure)',
    check(records) {
      const large = clean(records).filter((record) => metric(record, 'parameters') > interpolationThreshold(record))
      if (large.length === 0) return inconclusive('no net above the threshold has finished')
      const accuracy = mean(large.map((record) => metric(record, 'train/accuracy')))
      const epochs = minOf(large.map((record) => Number(record.trial.params['epochs'])))
      if (epochs < leastEpochs && accuracy < 0.95)
        return inconclusive(`mean accuracy ${round(accuracy)}, but after ${epochs} epochs only`, seedCount(large))
      return {
        state: accuracy >= 0.95 ? 'reproduced' : 'not reproduced',
        summary: `mean training accuracy ${round(accuracy)} over ${large.length} nets`,
        seeds: seedCount(large),
        effect: accuracy,
      }
    },
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
function largestSetting(records: readonly TrialRecord[]): TrialRecord[] {
  const settings = groupBy(records, ({ trial }) => JSON.stringify({ ...trial.params, width: undefined }))
  return [...settings.values()].sort((a, b) => b.length - a.length)[0] ?? []
}

const leastSizesOfPeak = 8
/** One seed's curve has the peaks of that seed, and no interval. */
const leastSeedsOfPeak = 3
const leastNoiseOfPeak = 0.1
const nearThreshold = 3

function peakVerdict(all: readonly TrialRecord[]): Verdict {
  const { parameters, means } = meansBySize(all, 'validation/loss')
  const seeds = seedCount(all)
  if (parameters.length < leastSizesOfPeak)
    return inconclusive(`only ${parameters.length} sizes with label noise (${leastSizesOfPeak} needed)`, seeds)
  if (seeds < leastSeedsOfPeak) return inconclusive(`nets of ${seeds} seeds (${leastSeedsOfPeak} needed)`, seeds)
  const threshold = interpolationThreshold(all[0]!)
  if (parameters[0]! > threshold / nearThreshold || parameters.at(-1)! < threshold * nearThreshold)
    return inconclusive(`the sizes do not reach from a third of ${threshold} parameters to three times as many`, seeds)
  const fitted = meansBySize(all, 'train/accuracy').means.at(-1)!
  if (fitted < 0.99)
    return inconclusive(`the largest nets fit only ${round(fitted)} of their rows: not trained long enough`, seeds)

  const peak = means.indexOf(maxOf(means))
  if (peak === 0 || peak === means.length - 1) {
    const where = peak === 0 ? 'smallest' : 'largest'
    const summary = `no peak: the ${where} nets lose most (${brief(means[peak]!)})`
    return { state: 'not reproduced', summary, seeds }
  }
  const peakOf = (drawn: readonly TrialRecord[]): number => {
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

const settings = (records: readonly TrialRecord[]): string => {
  const { dataset, trainRows, batch, epochs, optimizer, learningRate } = records[0]!.trial.params
  return `${dataset}, ${trainRows} rows, ${epochs} epochs, batch ${batch}, ${optimizer} ${learningRate}`
}

const sides = {
  loss: { titled: 'Loss', unit: (records: readonly TrialRecord[]) => lossUnit(records) },
  accuracy: { titled: 'Accuracy', unit: () => 'accuracy (share of rows)' },
} as const

const lossUnit = (records: readonly TrialRecord[]): string => {
  const losses = new Set(records.map(trainedOn))
  return losses.size > 1 ? 'loss' : losses.has(loss) ? 'cross-entropy (nats)' : 'mean squared error'
}

const figures = (['log', 'linear'] as const).flatMap((scale) =>
  (['loss', 'accuracy'] as const).map((what) =>
    againstAxis({
      name: `${what}-against-parameters-${scale}`,
      caption: `Final ${what} in training and held out against the number of parameters (${scale} axis).`,
      title: `${sides[what].titled} against number of parameters`,
      apart: ['labelNoise', 'trainRows', 'depth', 'bottleneck', 'loss'],
      x: { title: 'parameters', scale, of: (record) => metric(record, 'parameters') },
      y: { title: sides[what].unit },
      series: [
        { metric: `train/${what}`, label: 'train' },
        { metric: `validation/${what}`, label: 'validation' },
      ],
      // Where nothing but right labels is fitted, the threshold has nothing to say.
      rule: {
        title: 'rows × classes',
        of: (record) => (noiseOf(record) > 0 ? interpolationThreshold(record) : NaN),
      },
      settings,
    }),
  ),
)

export const params = defineExperiment({
  name: 'params',
  aliases: ['number_of_params', 'number_of_param'],
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
