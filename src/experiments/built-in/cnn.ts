import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { againstSteps } from '../../figures/against-steps.js'
import { defineNet, initialize, type Activation, type Layer, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne, given, verdict } from '../vocabulary/checks.js'
import { byClass, classes, named, namedSet, openSplit, trainClassifier, trainingCost } from '../vocabulary/classify.js'
import { bySeed, geometricMean, inRows, ratioOf, tellingRows, weighed, type Effect } from '../vocabulary/effects.js'
import { lossAndAccuracy, settings } from '../vocabulary/figures.js'
import { dense } from '../vocabulary/nets.js'
import { axisOf, medianUntil, metric, seriesOf, valuesOf } from '../vocabulary/numbers.js'
import { finished, having, type Records } from '../vocabulary/records.js'
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

const ofStructure = (records: Records, structure: Structure): TrialRecord[] =>
  having(records, { structure, convActivation: 'linear' })
/** Single epochs spike, so where a training ends is a median over its last ones. */
const lateEpochs = 20
const endOf = (record: TrialRecord): number => medianUntil(record, 'train/loss', axisOf('epochs')(record), lateEpochs)
/** Updates after which the nets have fitted what they can; the original has 25,000, and 5000 are too few for c4. */
const enoughUpdates = 20_000
const longEnough = (records: Records): TrialRecord[] =>
  finished(records).filter((record) => metric(record, 'updates') >= enoughUpdates)

/** Passes over the rows that the original's nets needed to fit them. */
const fittingEpochs = 500

/** The numbers of two structures. */
const inPair = (
  own: Records,
  first: Structure,
  second: Structure,
  of: (record: TrialRecord) => number,
): [number[], number[]] => [ofStructure(own, first).map(of), ofStructure(own, second).map(of)]

/** The lowest epoch counts: all nets spike now and then, the original's too. */
const fittedLoss = (structure: Structure): Effect => ({
  quantity: `${structure}’s lowest training loss`,
  scale: 'log',
  below: 1e-5,
  why: 'one wrong row in 8,000 adds ln 2 / 8,000 = 8.7e-5',
  needs: `${structure} after ${enoughUpdates} updates and ${fittingEpochs} epochs`,
  of: (records) =>
    bySeed(
      longEnough(records).filter((record) => axisOf('epochs')(record) >= fittingEpochs),
      (own) => geometricMean(ofStructure(own, structure).map((record) => minOf(seriesOf(record, 'train/loss', [NaN])))),
    ),
})

const aheadOf = (other: Structure): Effect => ({
  quantity: `held-out rows that c4 has right beyond ${other}`,
  scale: 'linear',
  above: tellingRows,
  why: 'fewer rows cannot tell two nets apart',
  needs: `c4 and ${other} after ${enoughUpdates} updates`,
  of: (records) =>
    bySeed(longEnough(records), (own) => {
      const [c4, others] = inPair(own, 'c4', other, (record) =>
        inRows(metric(record, 'test/accuracy'), axisOf('testRows')(record)),
      )
      return mean(c4) - mean(others)
    }),
  step: () => 1,
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
      {
        quantity: 'c3’s training loss ÷ c4’s',
        scale: 'log',
        above: 100,
        why: 'published: 3e4 to 3e5 times, c4’s loss being cut off at 1.5e-7',
        needs: `c3 and c4 after ${enoughUpdates} updates`,
        of: (records) => bySeed(longEnough(records), (own) => ratioOf(...inPair(own, 'c3', 'c4', endOf))),
      },
    ],
  }),
  weighed({
    id: 'best-on-test',
    version: 2,
    statement: 'c4 is also the best of the four on held-out rows, by more rows than chance would make it',
    published: 'never plotted; "c4 is best" rests on training loss (README)',
    fragile: true,
    effects: [aheadOf('c1'), aheadOf('c2'), aheadOf('c3')],
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
    // Batches of a fifth of the original's, so that three seeds take minutes and have its 25,000 updates. On fewer rows c3
    // fits them too, and does not lag.
    reduced: { axes: { structure: ['c1', 'c2', 'c3', 'c4'], batch: [40], epochs: [125] }, seeds: [0, 1, 2] },
    full: { axes: { structure: ['c1', 'c2', 'c3', 'c4'] }, seeds: [0] },
  },
  figures,
  claims,
})
