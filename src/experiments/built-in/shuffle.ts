import { minOf } from '../../core/extremes.js'
import { choice, type ParamsOf } from '../../core/space.js'
import type { Metrics, Trial, TrialRecord } from '../../core/trial.js'
import { corruptions, corruptLabels, corruptPixels, standardizeRows } from '../../data/corrupt.js'
import type { Dataset } from '../../data/dataset.js'
import { againstAxis } from '../../figures/against-axis.js'
import { againstSteps } from '../../figures/against-steps.js'
import { defineNet, multiplyAdds, type Initializer, type Layer, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { byClass, classes, named, namedSet, openSplit, trainClassifier } from '../vocabulary/classify.js'
import { geometricMean, meanEffect, ratioOf, weighed, type Counted, type Effect } from '../vocabulary/effects.js'
import { lossAndAccuracy, settings } from '../vocabulary/figures.js'
import { axisOf, metric, metricOf, seriesOf, valuesOf } from '../vocabulary/numbers.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finished, having, type Choose, type Records } from '../vocabulary/records.js'
import { recipe } from '../vocabulary/train-net.js'
import { trendEffect } from '../vocabulary/trends.js'
import { round } from '../vocabulary/wording.js'

/**
 * Can a net memorise labels that carry no information?
 *
 * 784-256-10 with ReLU and N(0, 0.05²) weights; a share of the training labels is shuffled. The original:
 * shuffled_label_keras.py (HW1-3); per-image standardisation, Adam at 0.001, batch 100. Zhang et al. 2017 asked first.
 */
const space = {
  share: axes.share(1, 'share of the training rows that is corrupted'),
  corruption: choice({ choices: corruptions, default: 'permute', doc: 'what becomes of them' }),
  width: axes.units(8192, 256, 'units in each hidden layer'),
  depth: axes.layers(16, 1),
  dropout: axes.share(0, 'share of hidden units dropped while training, a regulariser', 0.9),
  dataset: axes.dataset(),
  trainRows: axes.trainRows(6_400),
  validationRows: axes.heldOutRows(1_600, 'rows held out and corrupted like the training rows, as the original did'),
  testRows: axes.heldOutRows(2_000, 'rows held out and left clean'),
  batch: axes.batch(100),
  epochs: axes.epochs(100),
  learningRate: axes.learningRate(0.001),
}
type P = ParamsOf<typeof space>

const kernel: Initializer = { kind: 'normal', stddev: 0.05 }

function shuffleNet(
  inputShape: readonly number[],
  { width, depth, dropout }: Pick<P, 'width' | 'depth' | 'dropout'>,
): Net {
  const hidden: readonly Layer[] = [
    { kind: 'dense', units: width, activation: 'relu', kernel },
    ...(dropout > 0 ? [{ kind: 'dropout', rate: dropout } as const] : []),
  ]
  return defineNet(inputShape, [
    { kind: 'flatten' },
    ...Array.from({ length: depth }, () => hidden).flat(),
    { kind: 'dense', units: classes, kernel },
  ])
}

type Labelled = Pick<Dataset, 'labels' | 'features' | 'classes' | 'rows'>

/** Labels and pixels with those of the chosen rows corrupted, by a seed of their own. */
function corrupt({ corruption: kind, share }: P, seed: number, data: Labelled, chosen: Int32Array): Labelled {
  const { labels, features, classes, rows } = data
  return kind === 'permute' || kind === 'resample'
    ? { ...data, labels: corruptLabels(labels, chosen, { kind, share, classes, seed }) }
    : { ...data, features: corruptPixels(features, chosen, { kind, share, rowSize: features.length / rows, seed }) }
}

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: (params, ...rest) => rowsOfSplit({ ...params, testRows: params.validationRows + params.testRows }, ...rest),
  net: (params) => shuffleNet(axes.shapeOf(params.dataset), params),
  cost: (params) =>
    multiplyAdds(shuffleNet(axes.shapeOf(params.dataset), params)) *
    (6 * params.trainRows + 2 * (params.validationRows + params.testRows)) *
    params.epochs,
  async run(params, context): Promise<Metrics> {
    const heldOut = params.validationRows + params.testRows
    const { data, split } = await openSplit(context, { ...params, testRows: heldOut })
    const [validation, test] = [split.test.subarray(params.testRows), split.test.subarray(0, params.testRows)]
    const corrupted = Int32Array.from([...split.train, ...validation])
    const { labels, features } = corrupt(params, context.seeds.corruption, data, corrupted)
    const rows = { features: standardizeRows(features, features.length / data.rows), targets: labels }
    const net = shuffleNet(data.shape, params)
    const changed = split.train.filter((row) => labels[row] !== data.labels[row]).length / split.train.length
    context.log(`${net.parameterCount} parameters; ${round(100 * changed, 1)} % of the training labels are wrong`)

    const evaluate = byClass(net, rows, context)
    let epochsToFit = NaN
    const { last, updates } = await trainClassifier(context, {
      net,
      rows,
      train: split.train,
      ...recipe(params),
      memory: { read: () => epochsToFit, write: (value) => (epochsToFit = value as number) },
      async beside(epoch, trained, weights) {
        if (Number.isNaN(epochsToFit) && trained.accuracy >= 0.99) epochsToFit = epoch
        const at = weights()
        const [shuffled, clean] = [await evaluate(validation, at), await evaluate(test, at)]
        return { ...named('validation', shuffled), ...named('test', clean) }
      },
    })
    const told = { parameters: net.parameterCount, 'train/changed-labels': changed }
    return { ...told, ...last, updates, 'train/epochs-to-99': epochsToFit }
  },
})

const parametersOf = ({ params }: Trial): number =>
  shuffleNet(axes.shapeOf(String(params['dataset'])), params as unknown as P).parameterCount

/** Shuffled labels and no regulariser. */
const shuffled: Choose = (records) =>
  having(finished(records), { corruption: 'permute' }).filter(({ trial }) => (trial.params['dropout'] ?? 0) === 0)
/** With enough weights to hold its labels: six a row, says the check; Zhang's construction needs 2n + d. */
const isLarge = (record: TrialRecord): boolean => parametersOf(record.trial) >= 6 * rowsOf(record)
const withLabels =
  (share: number): Choose =>
  (records) =>
    having(shuffled(records), { share }).filter(isLarge)
const rowsOf = axisOf('trainRows')
/** Fewer rows make an epoch of a few updates, and a poor classifier even of true labels. */
const enoughRows = 2000
/** The original's. */
const manyRows = 48_000
/** Trials with this share of their labels shuffled, on enough rows. */
const onEnoughRows =
  (share: number): Choose =>
  (records) =>
    having(shuffled(records), { share }).filter((record) => rowsOf(record) >= enoughRows)
/** Nets that fit their training rows, whatever the labels. */
const fitted = 0.99
const memorised: Counted = (own) => own.filter((record) => metric(record, 'train/accuracy') >= fitted)
const ofMemorised = {
  needs: 'a net of six weights a row that memorised shuffled labels',
  trials: withLabels(1),
} as const
const oneRow =
  (choose: Choose, rows: string) =>
  (records: Records): number =>
    1 / minOf(choose(records).map(axisOf(rows)))
/** The growth of a curve between two of its points, of which the last is 1. */
const growth = (from: number, to: number, told: string): Effect => ({
  quantity: `test loss ${told}`,
  scale: 'log',
  above: 1,
  why: 'no rise',
  ...ofMemorised,
  of(own) {
    const at = (share: number): number[] =>
      memorised(own, own).map((record) => {
        const losses = seriesOf(record, 'test/loss', [NaN])
        return losses[Math.floor(share * (losses.length - 1))]!
      })
    return ratioOf(at(to), at(from))
  },
})
const minShares = 3
const shares = { what: 'shares', of: axisOf('share'), needed: minShares } as const
/** How something goes with the share of shuffled labels, over nets large enough to hold them. */
const withShare = (
  quantity: string,
  y: (record: TrialRecord) => number,
  bound: Pick<Effect, 'above' | 'below' | 'why'>,
): Effect =>
  trendEffect(
    { settings: shares, y },
    {
      quantity: `Spearman’s correlation of share and ${quantity} within a seed`,
      ...bound,
      needs: `${minShares} shares`,
      trials: (records) => shuffled(records).filter(isLarge),
    },
  )
/** Never, where a net has not come so far. */
const epochsToFit = (record: TrialRecord): number => {
  const epochs = metric(record, 'train/epochs-to-99')
  return Number.isNaN(epochs) ? Infinity : epochs
}
const whySmooth = 'hardly an exchange of neighbouring shares'

const claims: readonly Claim[] = [
  weighed({
    id: 'starts-ignorant',
    version: 3,
    statement: 'with all labels shuffled, the first epoch’s training loss is ln 10 = 2.303 to within 0.1',
    published: 'both curves start at 2.30 (README figure)',
    effects: [
      {
        quantity: 'training loss of the first epoch',
        scale: 'log',
        above: Math.log(classes) - 0.1,
        below: Math.log(classes) + 0.1,
        why: 'as first set, before any run; 2.2 to 2.5 was chosen after one',
        needs: `${enoughRows} shuffled labels`,
        trials: onEnoughRows(1),
        of: (own) => geometricMean(own.map((record) => seriesOf(record, 'train/loss')[0] ?? NaN)),
      },
    ],
  }),
  weighed({
    id: 'memorises',
    version: 2,
    statement: 'with all labels shuffled, training accuracy still reaches 0.99',
    published: 'training accuracy about 1.0 after 500 epochs (sibling reports); 100 % (Zhang et al. 2017)',
    effects: [
      meanEffect('train/accuracy', {
        ...{ quantity: 'training accuracy', above: fitted, why: 'one row in a hundred is left' },
        ...{ needs: 'a net of six weights a row and shuffled labels', trials: withLabels(1) },
        step: oneRow(withLabels(1), 'trainRows'),
      }),
    ],
  }),
  weighed({
    id: 'learns-nothing',
    version: 2,
    statement:
      'and of nets that do, clean test accuracy stays that of a guess (0.08 to 0.12), with a test loss above ln 10 that rises',
    published: 'test accuracy about 0.10; loss 8 at 250 epochs, 11.1 at 3000 (README figure)',
    effects: [
      meanEffect('test/accuracy', {
        ...{ quantity: 'clean test accuracy', above: 0.08, below: 0.12, why: 'a guess among ten has 0.1' },
        ...{ ...ofMemorised, counted: memorised, step: oneRow(withLabels(1), 'testRows') },
      }),
      {
        quantity: 'test loss at the end',
        scale: 'log',
        above: Math.log(classes),
        why: 'ln 10, what a guess loses',
        ...ofMemorised,
        of: (own) => geometricMean(valuesOf(memorised(own, own), 'test/loss')),
      },
      growth(0, 0.5, 'halfway ÷ at first'),
      growth(0.5, 1, 'at last ÷ halfway'),
    ],
  }),
  ...(
    [
      ['learns-true-labels', enoughRows, 0.9],
      ['learns-many-true-labels', manyRows, 0.97],
    ] as const
  ).map(([id, rows, bound]) => {
    const choose: Choose = (records) => onEnoughRows(0)(records).filter((record) => rowsOf(record) >= rows)
    return weighed({
      id,
      ...(rows === manyRows
        ? { concerns: (records) => records.some((record) => rowsOf(record) >= manyRows) }
        : { version: 2 }),
      statement: `with ${rows} true labels or more, the same net generalises: test accuracy of ${bound} or more`,
      published: '85.75 % against 9.78 % for Inception on CIFAR-10 (Zhang et al. 2017)',
      effects: [
        meanEffect('test/accuracy', {
          ...{ quantity: 'test accuracy', above: bound, why: 'as first set, before any run' },
          ...{ needs: `${rows} true labels`, trials: choose, step: oneRow(choose, 'testRows') },
        }),
      ],
    })
  }),
  weighed({
    id: 'interpolates',
    version: 3,
    statement:
      'with a growing share of shuffled labels, test accuracy falls and the epochs to fit grow (Spearman ≤ −0.8 and ≥ 0.8)',
    published: 'partial corruption interpolates smoothly; time to fit grows by a small factor (Zhang et al. 2017)',
    effects: [
      withShare('test accuracy', metricOf('test/accuracy'), { below: -0.8, why: whySmooth }),
      withShare('epochs to fit', epochsToFit, { above: 0.8, why: whySmooth }),
    ],
  }),
]

const curvesOf = (what: string) => [
  { metric: `train/${what}`, label: 'train' },
  { metric: `validation/${what}`, label: 'validation, corrupted alike' },
  { metric: `test/${what}`, label: 'test, clean' },
]
const shared = settings('{dataset}, {trainRows} rows, width {width}, batch {batch}')

const figures = [
  ...lossAndAccuracy.map(({ what, title }) =>
    againstSteps({
      name: `${what}-shuffled`,
      caption: `Training, corrupted validation and clean test ${what} by epoch with all labels shuffled.`,
      title: `Shuffled labels: ${what}`,
      select: withLabels(1),
      panels: [{ title, zero: true, metrics: curvesOf(what) }],
      settings: shared,
    }),
  ),
  ...lossAndAccuracy.map(({ what, word, title }) =>
    againstAxis({
      name: `${what}-against-share`,
      caption: `Final ${what} against the share of corrupted rows.`,
      title: `${word} against the share of shuffled labels`,
      x: { title: 'share of rows corrupted', scale: 'linear', of: axisOf('share') },
      y: { title },
      series: curvesOf(what),
      settings: shared,
    }),
  ),
  againstSteps({
    name: 'train-loss-by-share',
    caption: 'Training loss by epoch for each share of corrupted rows: fitting noise takes longer.',
    title: 'Training loss by share of shuffled labels',
    group: { title: 'share', of: axisOf('share') },
    panels: [{ title: 'cross-entropy (nats)', zero: true, metrics: [{ metric: 'train/loss', label: 'train' }] }],
    settings: shared,
  }),
]

export const shuffle = defineExperiment({
  name: 'shuffle',
  version: 1,
  title: 'Shuffled labels',
  question: 'Can a net memorise labels that carry no information?',
  source: 'shuffled_label_keras.py of the 2018 course (HW1-3); Zhang et al. 2017',
  objective: { metric: 'train/accuracy', direction: 'maximize' },
  stages: [main],
  profiles: {
    smoke: {
      axes: { share: [0, 0.5, 1], trainRows: [500], validationRows: [200], testRows: [500], epochs: [40] },
      seeds: [0],
    },
    reduced: {
      axes: { share: [0, 0.1, 0.25, 0.5, 0.75, 1], trainRows: [2000], validationRows: [500], epochs: [100] },
      seeds: [0, 1, 2, 3, 4],
    },
    full: {
      axes: {
        share: [0, 1],
        epochs: [3000],
        dataset: ['mnist'],
        trainRows: [manyRows],
        validationRows: [5000],
        testRows: [5000],
      },
      seeds: [0, 1, 2],
    },
    kinds: {
      axes: { corruption: [...corruptions], trainRows: [2000], validationRows: [500], epochs: [100] },
      seeds: [0, 1, 2],
    },
  },
  figures,
  claims,
})
