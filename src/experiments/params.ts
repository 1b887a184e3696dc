import { mean } from '../analysis/statistics.js'
import { stratifiedSplit } from '../data/split.js'
import { againstAxis } from '../figures/against-axis.js'
import { seedCount } from '../figures/select.js'
import { defineNet, type Layer, type Net } from '../nn/net.js'
import type { OptimizerSpec } from '../nn/training.js'
import { choice, integer, number, type ParamsOf } from '../space.js'
import type { Metrics, TrialRecord } from '../trial.js'
import { finished, inconclusive, metric, rankVerdict, round } from './claims.js'
import { defineExperiment, defineStage, type Claim, type TrialContext } from './experiment.js'
import { loss, named } from './classify.js'
import { trainNet } from './train-net.js'
import { groupBy } from '../group-by.js'

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
  dataset: choice({
    choices: ['mnist-10k', 'mnist', 'cifar10', 'glyphs-2000'],
    default: 'mnist-10k',
    doc: 'what is classified',
  }),
  trainRows: integer({ min: 10, max: 60_000, default: 7_500, doc: 'rows trained on', unit: 'rows' }),
  validationRows: integer({ min: 10, max: 60_000, default: 2_500, doc: 'rows held out', unit: 'rows' }),
  batch: integer({ min: 1, max: 60_000, default: 100, doc: 'rows per update', unit: 'rows' }),
  epochs: integer({ min: 1, max: 100_000, default: 20, doc: 'passes over the training rows', unit: 'epochs' }),
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

const bottleneck = 10
const classes = 10

export function paramsNet(inputShape: readonly number[], { width, depth }: Pick<P, 'width' | 'depth'>): Net {
  const hidden: Layer = { kind: 'dense', units: width, activation: 'relu' }
  return defineNet(inputShape, [
    { kind: 'flatten' },
    { kind: 'dense', units: bottleneck, activation: 'relu' },
    ...Array.from({ length: depth }, () => hidden),
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

async function run(params: P, context: TrialContext): Promise<Metrics> {
  const { engine, seeds, signal } = context
  const data = await context.data(params.dataset)
  const split = stratifiedSplit(data, { train: params.trainRows, test: params.validationRows, seed: seeds.data })
  const net = paramsNet(data.shape, params)
  const rows = { features: data.features, targets: data.labels }
  context.log(`${net.parameterCount} parameters, ${split.train.length} rows to train on, ${split.test.length} held out`)

  let metrics: Metrics = {}
  // Layers draw from streams of their own, so the first layer starts the same at every width, as in the original.
  const { updates } = await trainNet(context, {
    net,
    loss,
    rows,
    train: split.train,
    optimizer: optimizerOf(params),
    batch: params.batch,
    enough: (epoch) => epoch >= params.epochs,
    async onEpoch(epoch, trained, weights) {
      const held = await engine.evaluate({ net, loss, rows, order: split.test }, weights(), signal)
      metrics = { ...named('train', trained), ...named('validation', held) }
      await context.report(epoch, metrics)
    },
  })
  return { ...metrics, parameters: net.parameterCount, updates }
}

const main = defineStage({
  name: 'main',
  space,
  data: (params) => [params.dataset],
  // Forward and backward are six operations per weight and row (experiments.md, section 3).
  cost: (params) =>
    6 *
    (7850 + bottleneck * params.width + Math.max(0, params.depth - 1) * params.width ** 2 + classes * params.width) *
    params.trainRows *
    params.epochs,
  run,
})

/** The number of targets a net would have to fit one by one: rows × classes (Belkin 2019). */
const interpolationThreshold = (record: TrialRecord): number => Number(record.trial.params['trainRows']) * classes

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
        ({ trial }) => trial.params['depth'] === 3 && trial.params['dataset'] !== 'cifar10',
      )
      if (original.length === 0) return inconclusive('no finished trial with three hidden layers on 28×28 images')
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
      const below = finished(records).filter((record) => metric(record, 'parameters') <= interpolationThreshold(record))
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
      const all = finished(records)
      const { parameters, means } = meansBySize(all, 'validation/accuracy')
      const large = means.filter((_, i) => parameters[i]! >= 2e4)
      if (large.length < 3)
        return inconclusive(`only ${large.length} sizes of 2·10⁴ parameters or more (3 needed)`, seedCount(all))
      const gap = Math.max(...means) - Math.min(...large)
      return {
        state: gap <= 0.06 ? 'reproduced' : 'not reproduced',
        summary: `the worst of ${large.length} such sizes is ${round(gap)} below the best (${round(Math.max(...means))})`,
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
      const large = finished(records).filter((record) => metric(record, 'parameters') > interpolationThreshold(record))
      if (large.length === 0) return inconclusive('no net above the threshold has finished')
      const epochs = Math.min(...large.map((record) => Number(record.trial.params['epochs'])))
      if (epochs < leastEpochs)
        return inconclusive(
          `after ${epochs} epochs only (${leastEpochs} needed: training loss is a mean over the epoch)`,
          seedCount(large),
        )
      const gaps = large.map((record) => metric(record, 'validation/loss') - metric(record, 'train/loss'))
      const least = Math.min(...gaps)
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
      const large = finished(records).filter((record) => metric(record, 'parameters') > interpolationThreshold(record))
      if (large.length === 0) return inconclusive('no net above the threshold has finished')
      const accuracy = mean(large.map((record) => metric(record, 'train/accuracy')))
      const epochs = Math.min(...large.map((record) => Number(record.trial.params['epochs'])))
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
]

const settings = (records: readonly TrialRecord[]): string => {
  const { dataset, trainRows, batch, epochs, optimizer, learningRate } = records[0]!.trial.params
  return `${dataset}, ${trainRows} rows, ${epochs} epochs, batch ${batch}, ${optimizer} ${learningRate}`
}

const figures = (['log', 'linear'] as const).flatMap((scale) =>
  (['loss', 'accuracy'] as const).map((what) =>
    againstAxis({
      name: `${what}-against-parameters-${scale}`,
      caption: `Final ${what} in training and held out against the number of parameters (${scale} axis).`,
      title: `${what === 'loss' ? 'Loss' : 'Accuracy'} against number of parameters`,
      x: { title: 'parameters', scale, of: (record) => metric(record, 'parameters') },
      y: { title: what === 'loss' ? 'cross-entropy (nats)' : 'accuracy (share of rows)' },
      series: [
        { metric: `train/${what}`, label: 'train' },
        { metric: `validation/${what}`, label: 'validation' },
      ],
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
    full: { axes: { width: [...new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, ...logSpacedWidths(11, 843, 91)])] }, seeds: [0] },
  },
  figures,
  claims,
})
