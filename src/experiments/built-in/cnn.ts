import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import type { Metrics, Trial, TrialRecord } from '../../core/trial.js'
import { againstSteps } from '../../figures/against-steps.js'
import { defineNet, initialize, type Activation, type Layer, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne, given, verdict } from '../vocabulary/checks.js'
import { byClass, classes, named, namedSet, openSplit, trainClassifier, trainingCost } from '../vocabulary/classify.js'
import {
  geometricMean,
  inRows,
  ratioOf,
  tellingRows,
  weighed,
  type Effect,
  type Settings,
} from '../vocabulary/effects.js'
import { lossAndAccuracy, settings } from '../vocabulary/figures.js'
import { dense } from '../vocabulary/nets.js'
import { axisOf, medianUntil, metric, seriesOf, valuesOf } from '../vocabulary/numbers.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finished, having, type Choose, type Records } from '../vocabulary/records.js'
import { recipe } from '../vocabulary/train-net.js'
import { round } from '../vocabulary/wording.js'

/**
 * At an equal number of parameters, which is better for digits: thicker or deeper convolutions, more dense layers?
 *
 * Four CNNs of about 5330 parameters. The original: cnn.py (HW1-1); convolutions without bias or activation, ReLU in
 * the dense layers, Adam at 0.001, batch 200, 500 epochs.
 */
const structures = {
  c1: { conv: [[9, 3], 'pool2', [6, 4], [5, 3], [28, 3], 'pool2'], dense: [10, 15] },
  c2: { conv: [[25, 3], 'pool2', [10, 3], 'pool2'], dense: [10, 16] },
  c3: { conv: [[25, 3], 'pool2', [10, 3], 'pool2'], dense: [10, 7, 12, 7] },
  c4: { conv: [[17, 12], 'pool4'], dense: [10] },
} as const
type Structure = keyof typeof structures
const publishedCounts: Readonly<Record<Structure, number>> = { c1: 5330, c2: 5331, c3: 5329, c4: 5288 }

const space = {
  structure: axes.oneOf(['c1', 'c2', 'c3', 'c4'], 'one of the original four nets'),
  convActivation: axes.oneOf(['linear', 'relu'], 'after each convolution'),
  ...axes.imageRows({ train: 8_000, test: 2_000 }),
  batch: axes.batch(200),
  epochs: axes.epochs(500),
  learningRate: axes.learningRate(0.001),
}

export function cnnNet(inputShape: readonly number[], structure: Structure, activation: Activation): Net {
  const { conv, dense: widths } = structures[structure]
  const convolutions = conv.map((part): Layer => {
    if (typeof part === 'string') return { kind: 'max-pool', size: Number(part.slice(4)) }
    const [filters, size] = part
    return { kind: 'conv2d', filters, size, bias: false, activation }
  })
  return defineNet(inputShape, [
    ...convolutions,
    { kind: 'flatten' },
    ...dense(widths, classes, { activation: 'relu' }),
  ])
}

/** Epochs between evaluations on held-out rows. */
const testEvery = 10

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: rowsOfSplit,
  net: ({ dataset, structure, convActivation }) => cnnNet(axes.shapeOf(dataset), structure, convActivation),
  cost: ({ dataset, structure, convActivation, trainRows, epochs }) =>
    trainingCost(cnnNet(axes.shapeOf(dataset), structure, convActivation), trainRows, epochs),
  async run(params, context): Promise<Metrics> {
    const { data, split, rows } = await openSplit(context, params)
    const net = cnnNet(data.shape, params.structure, params.convActivation)
    context.log(
      `${net.parameterCount} parameters, ${split.train.length} rows to train on, ${split.test.length} held out`,
    )
    const evaluate = byClass(net, rows, context)
    const initial = await evaluate(split.train, initialize(net, context.seeds.init))
    const { last, updates } = await trainClassifier(context, {
      net,
      rows,
      train: split.train,
      ...recipe(params),
      beside: async (epoch, _, weights) =>
        epoch % testEvery === 0 || epoch === params.epochs ? named('test', await evaluate(split.test, weights())) : {},
    })
    return { 'initial/loss': initial.loss, parameters: net.parameterCount, ...last, updates }
  },
})

/** Single epochs spike, so where a training ends is a median over its last ones. */
const lateEpochs = 20
const endOf = (record: TrialRecord): number => medianUntil(record, 'train/loss', axisOf('epochs')(record), lateEpochs)
/** Updates after which the nets have fitted what they can; the original has 25,000, and 5000 are too few for c4. */
const enoughUpdates = 20_000
const updatesOf = ({ params }: Trial): number =>
  Number(params['epochs']) * Math.ceil(Number(params['trainRows']) / Number(params['batch']))
/** Nets as the original's, after enough updates. */
const original: Choose = (records) =>
  having(finished(records), { convActivation: 'linear' }).filter(({ trial }) => updatesOf(trial) >= enoughUpdates)

const structuresOf = (...needed: Structure[]): Settings => ({
  what: 'nets',
  of: ({ trial }) => trial.params['structure'],
  needed,
})

/** Two nets held against each other: the numbers of the one and of the other. */
function inPair(
  first: Structure,
  second: Structure,
  of: (record: TrialRecord) => number,
  compare: (values: readonly number[], others: readonly number[]) => number,
): Pick<Effect, 'needs' | 'trials' | 'settings' | 'of'> {
  const numbers = (own: Records, structure: Structure): number[] => having(own, { structure }).map(of)
  return {
    needs: `${first} and ${second} after ${enoughUpdates} updates`,
    trials: original,
    settings: structuresOf(first, second),
    of: (own) => compare(numbers(own, first), numbers(own, second)),
  }
}

/** How one net's training loss compares with another's. */
const lossBeside = (first: Structure, second: Structure, bound: Pick<Effect, 'above' | 'below' | 'why'>): Effect => ({
  quantity: `${first}’s training loss ÷ ${second}’s`,
  scale: 'log',
  ...bound,
  ...inPair(first, second, endOf, ratioOf),
})

const rowsRight = (record: TrialRecord): number => inRows(metric(record, 'test/accuracy'), axisOf('testRows')(record))

/** By how many held-out rows one net is ahead of another. */
const aheadOf = (first: Structure, second: Structure, bound: Pick<Effect, 'above' | 'below'>): Effect => ({
  quantity: `held-out rows that ${first} has right beyond ${second}`,
  scale: 'linear',
  ...bound,
  why: 'fewer rows cannot tell two nets apart',
  ...inPair(first, second, rowsRight, (values, others) => mean(values) - mean(others)),
  step: () => 1,
})

const noLower = { above: 1 / 2, why: 'half the loss would be better' } as const
const lower = { below: 1, why: 'equal losses' } as const
const noBetter = { below: tellingRows } as const
const better = { above: tellingRows } as const

/** Passes over the rows that the original's nets needed to fit them. */
const fittingEpochs = 500

/** The lowest epoch counts: all nets spike now and then, the original's too. */
const fittedLoss = (structure: Structure): Effect => ({
  quantity: `${structure}’s lowest training loss`,
  scale: 'log',
  below: 1e-5,
  why: 'one wrong row in 8,000 adds ln 2 / 8,000 = 8.7e-5',
  needs: `${structure} after ${enoughUpdates} updates and ${fittingEpochs} epochs`,
  trials: (records) =>
    having(original(records), { structure }).filter((record) => axisOf('epochs')(record) >= fittingEpochs),
  of: (own) => geometricMean(own.map((record) => minOf(seriesOf(record, 'train/loss', [NaN])))),
})

const claims: readonly Claim[] = [
  {
    id: 'parameter-counts',
    kind: 'check',
    statement: 'the four nets have 5330, 5331, 5329 and 5288 parameters on 28×28 images',
    published: '5330, 5331, 5329, 5288 (cnn.py)',
    check: everyOne(
      (records) => finished(records).filter(({ trial }) => axes.isOfDigits(trial.params)),
      'trial',
      (record) => metric(record, 'parameters') === publishedCounts[record.trial.params['structure'] as Structure],
      { none: 'no finished trial on 28×28 images', told: ' have exactly that many' },
    ),
  },
  {
    id: 'initial-loss',
    kind: 'check',
    statement: 'untrained, every net loses ln 10 = 2.303 (to within 0.3)',
    published: 'cross-entropy of a uniform guess over ten classes',
    check: given(finished, 'no finished trial', (all) => {
      const worst = maxOf(valuesOf(all, 'initial/loss').map((loss) => Math.abs(loss - Math.log(classes))))
      return verdict(worst <= 0.3, all, `at most ${round(worst)} away, over ${all.length} trials`, worst)
    }),
  },
  weighed({
    id: 'fits-training-rows',
    version: 3,
    statement: 'c1, c2 and c4 reach a training loss below 1e-5 in 500 epochs, which no wrong row allows',
    published: 'they fall to about 1.5e-7, which is the floor of Keras’s clipping, at accuracy 1 (README figure)',
    effects: [fittedLoss('c1'), fittedLoss('c2'), fittedLoss('c4')],
  }),
  weighed({
    id: 'c3-lags',
    version: 4,
    statement:
      'c3, with four narrow dense layers, ends with at least 100 times the training loss of c4 (medians over the last 20 epochs)',
    published: 'c3 ends at 5e-3 to 5e-2, c4 at 1.5e-7 (README figure)',
    effects: [
      lossBeside('c3', 'c4', { above: 100, why: 'published: 3e4 to 3e5 times, c4’s loss being cut off at 1.5e-7' }),
    ],
  }),
  weighed({
    id: 'thick-convolutions-no-better-in-training',
    statement:
      'thicker convolutional layers may not perform better: c2, whose first layer is the thickest, ends with no less than half the training loss of c1 and of c4',
    published: 'Thicker convolutional layer may not perform better (README); c1, c2 and c4 end alike (figure)',
    effects: [lossBeside('c2', 'c1', noLower), lossBeside('c2', 'c4', noLower)],
  }),
  weighed({
    id: 'thick-convolutions-no-better-held-out',
    statement: 'nor does c2 have more held-out rows right than c1 and c4, beyond what chance would make it',
    published: 'Thicker convolutional layer may not perform better (README); held-out rows were not plotted',
    effects: [aheadOf('c2', 'c1', noBetter), aheadOf('c2', 'c4', noBetter)],
  }),
  weighed({
    id: 'more-hidden-layers-no-better-in-training',
    statement:
      'more hidden layers are not beneficial: c3, with four dense layers, ends with no less than half the training loss of c2, with two behind the same convolutions, and of c4, with one',
    published: 'For such easy cases, more hidden layers seem not to be beneficial (README)',
    effects: [lossBeside('c3', 'c2', noLower), lossBeside('c3', 'c4', noLower)],
  }),
  weighed({
    id: 'more-hidden-layers-no-better-held-out',
    statement: 'nor does c3 have more held-out rows right than c2 and c4, beyond what chance would make it',
    published:
      'For such easy cases, more hidden layers seem not to be beneficial (README); held-out rows were not plotted',
    effects: [aheadOf('c3', 'c2', noBetter), aheadOf('c3', 'c4', noBetter)],
  }),
  weighed({
    id: 'best-in-training',
    statement: 'model 4 performs the best: c4 ends with a lower training loss than c1, c2 and c3',
    published: 'Model 4 performs the best (README); c4 is the lowest and smoothest (figure)',
    effects: [lossBeside('c4', 'c1', lower), lossBeside('c4', 'c2', lower), lossBeside('c4', 'c3', lower)],
  }),
  weighed({
    id: 'best-on-test',
    version: 2,
    statement: 'c4 is also the best of the four on held-out rows, by more rows than chance would make it',
    published: 'Model 4 performs the best (README); held-out rows were never plotted',
    fragile: true,
    effects: [aheadOf('c4', 'c1', better), aheadOf('c4', 'c2', better), aheadOf('c4', 'c3', better)],
  }),
]

const figures = [...lossAndAccuracy].reverse().map(({ what, title }) =>
  againstSteps({
    name: `${what}-by-epoch`,
    caption: `Training ${what} by epoch, logarithmic as in the original.`,
    title: `Training ${what} of four CNNs of equal size`,
    group: { title: 'net', of: (record) => String(record.trial.params['structure']) },
    panels: [{ title, scale: 'log', metrics: [{ metric: `train/${what}`, label: 'train' }] }],
    settings: settings('{dataset}, {trainRows} rows, batch {batch}, Adam {learningRate}'),
  }),
)

export const cnn = defineExperiment({
  name: 'cnn',
  version: 1,
  title: 'Four CNNs of equal size',
  question: 'At equal parameter count, are thick convolutions or many dense layers better for digits?',
  source: 'cnn.py of the 2018 course (HW1-1)',
  objective: { metric: 'train/loss', direction: 'minimize' },
  stages: [main],
  profiles: {
    smoke: {
      axes: { structure: ['c1', 'c2', 'c3', 'c4'], trainRows: [400], testRows: [400], epochs: [6] },
      seeds: [0],
    },
    // Batches of a fifth of the original's, so that five seeds take minutes and have its 25,000 updates. On fewer rows c3
    // fits them too, and does not lag.
    reduced: { axes: { structure: ['c1', 'c2', 'c3', 'c4'], batch: [40], epochs: [125] }, seeds: [0, 1, 2, 3, 4] },
    full: { axes: { structure: ['c1', 'c2', 'c3', 'c4'] }, seeds: [0, 1, 2] },
  },
  figures,
  claims,
})
