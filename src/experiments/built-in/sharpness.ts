import { filterNormalised, randomDirection } from '../../analysis/directions.js'
import { lanczos } from '../../analysis/lanczos.js'
import { ballSharpness, boxSharpness, curvatureSharpness, sampledRise } from '../../analysis/loss-sharpness.js'
import { mean, standardDeviation } from '../../analysis/statistics.js'
import { maxOf } from '../../core/extremes.js'
import { Random } from '../../core/seed.js'
import { boolean, integer, number, type ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { blockFrobeniusNorm, blockFrobeniusNorms, type BlockNorm } from '../../engines/curvature.js'
import type { MeasurementOptions } from '../../engines/engine.js'
import { epochOrder } from '../../data/split.js'
import { scatter } from '../../figures/scatter.js'
import { defineNet, type Initializer, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim, type TrialContext } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { budgetAxes, budgetCost, budgetWords, trainToBudget } from '../vocabulary/budget.js'
import { crossEntropy, namedSet, openSplit } from '../vocabulary/classify.js'
import { weighed, type Counted, type Effect } from '../vocabulary/effects.js'
import { besideBatch, overBatch } from '../vocabulary/figures.js'
import { lossSurface, type LossSurface } from '../vocabulary/loss-surface.js'
import { digitShape } from '../vocabulary/nets.js'
import { axisOf, metric, metricOf } from '../vocabulary/numbers.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finishedWith, having, largestComparable, netParams, type Choose, type Records } from '../vocabulary/records.js'
import { besideMeasurement, leastBatches as minBatches, ofEachNet, openNet } from '../vocabulary/stored-net.js'
import { trendEffect } from '../vocabulary/trends.js'

/**
 * Do larger batches end in sharper minima?
 *
 * A small convolutional net on the first MNIST images, over batch sizes; afterwards how steeply the loss rises around
 * its weights. The original: bonus.py (HW1-3), which took ½‖H‖ε²/(1+L) of the last mini-batch with ‖H‖ the largest
 * Frobenius norm of a tensor's own Hessian block, dropout on; Adam at 0.001, 500 epochs, batches of 50 to 2000.
 */
const space = {
  ...axes.digitRows({ train: 8_000, test: 2_000 }),
  batch: axes.batch(100),
  ...budgetAxes({ epochs: 500, updates: 4000, targetLoss: 0.05 }),
  learningRate: axes.learningRate(0.001),
  dropout: boolean({ default: false, doc: 'dropout of one half while training, as in the original' }),
}
type P = ParamsOf<typeof space>

export function sharpnessNet({ dropout }: Pick<P, 'dropout'>): Net {
  const kernel: Initializer = { kind: 'truncated-normal', stddev: 0.1 }
  const drawn = { kernel, bias: { kind: 'constant', value: 0.1 }, activation: 'relu' } as const
  const drop = { kind: 'dropout', rate: dropout ? 0.5 : 0 } as const
  return defineNet(digitShape, [
    { kind: 'conv2d', filters: 22, size: 3, ...drawn },
    { kind: 'max-pool', size: 2 },
    { kind: 'conv2d', filters: 22, size: 2, ...drawn },
    { kind: 'max-pool', size: 3 },
    { kind: 'flatten' },
    drop,
    { kind: 'dense', units: 80, ...drawn },
    drop,
    { kind: 'dense', units: 10, kernel, bias: drawn.bias },
  ])
}

const checkpointName = 'end.safetensors'

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: rowsOfSplit,
  net: sharpnessNet,
  cost: (params) => budgetCost(sharpnessNet(params), params),
  async run(params, context): Promise<Metrics> {
    const net = sharpnessNet(params)
    const optimizer = { kind: 'adam', learningRate: params.learningRate } as const
    const { last, held, updates } = await trainToBudget(context, params, { net, optimizer, saveAs: checkpointName })
    return { ...last, ...held, updates, parameters: net.parameterCount }
  },
})

const metrics = [
  'spectral',
  'block-frobenius',
  'keskar-box',
  'ball',
  'filter-normalised',
  'block-frobenius-spread',
] as const
const measureSpace = {
  metric: axes.oneOf(metrics, 'how sharpness is measured'),
  epsilon: number({ above: 0, max: 10, default: 1e-4, doc: 'size of the neighbourhood' }),
  rows: axes.batch(60_000, 'training rows it is measured on, at most (the original: the last mini-batch)'),
  samples: axes.count(100_000, 20, 'random neighbours, or probes of a block'),
  products: integer({ min: 2, max: 1000, default: 40, doc: 'Hessian products for the largest eigenvalue, at most' }),
  subspace: axes.count(
    500,
    0,
    'random directions that the Keskar box lies in (Keskar et al. 2017 also take 100), or 0 for all of weight space',
    { min: 0, unit: 'directions' },
  ),
  measureWithDropout: boolean({
    default: false,
    doc: 'dropout of one half also while measuring, as the original left it; else off',
  }),
}
type MeasureParams = ParamsOf<typeof measureSpace>

/** A stored net, and the loss around it. */
interface Valley extends LossSurface {
  readonly theta: Float32Array
  /** Loss at the net itself. */
  readonly centre: number
  readonly options: MeasurementOptions
  /** All rows that the net was trained on, and how many of them an update took. */
  readonly trainedRows: Int32Array
  readonly batch: number
  readonly random: Random
}
type Measure = (valley: Valley, params: MeasureParams, context: TrialContext) => Promise<Metrics>

/** A norm of the Hessian as sharpness, with what is known of its error. */
const ofCurvature = (norm: number, error: number, { centre }: Valley, { epsilon }: MeasureParams): Metrics => ({
  sharpness: curvatureSharpness(norm, epsilon, centre),
  'sharpness-error': curvatureSharpness(error, epsilon, centre),
})

/** Mini-batches of the net's own size that a measure's spread is taken over. */
const miniBatches = 5

/** How sharp a valley is, by each metric; what else is told belongs to that metric. */
const measures: Readonly<Record<MeasureParams['metric'], Measure>> = {
  async spectral(valley, params) {
    const { hessianTimes, theta, random } = valley
    const product = (v: Float64Array): Promise<Float64Array> => hessianTimes(theta, v)
    const bounds = { tolerance: 1e-3, maxProducts: params.products }
    const { values, residual, products } = await lanczos(product, theta.length, random, bounds)
    const largest = values[0]!
    return { ...ofCurvature(largest, residual, valley, params), 'largest-eigenvalue': largest, products }
  },
  async 'block-frobenius'(valley, params, { engine, signal }) {
    const { options, theta, random } = valley
    const norms = await blockFrobeniusNorms(engine, options, theta, { probes: params.samples, random, signal })
    const [, { norm, standardError }] = largestOf(norms)
    return { ...ofCurvature(norm, standardError, valley, params), 'block-norm': norm }
  },
  async 'keskar-box'({ slopeAt, theta, random }, { epsilon, subspace }) {
    const directions = Array.from({ length: subspace }, () => randomDirection(theta.length, random))
    return { sharpness: await boxSharpness(slopeAt, theta, { epsilon, ...(subspace > 0 ? { directions } : {}) }) }
  },
  async ball({ slopeAt, theta, random }, { epsilon, samples }) {
    return { sharpness: await ballSharpness(slopeAt, theta, { epsilon, samples, random }) }
  },
  async 'filter-normalised'({ options, slopeAt, theta, random }, { epsilon, samples }) {
    const draw = () => filterNormalised(randomDirection(theta.length, random), theta, options.net.parameters)
    return { sharpness: await sampledRise(slopeAt, theta, epsilon, samples, draw) }
  },
  /** How far the original's measure, of the block that is largest on one mini-batch, differs between mini-batches. */
  async 'block-frobenius-spread'(valley, params, { engine, seeds, signal }) {
    const { options, theta, trainedRows, batch } = valley
    // The same probes for all: what they err by is then not taken for the mini-batches' spread.
    const how = () => ({ probes: params.samples, random: new Random(seeds.shuffle, 'probes'), signal })
    const miniBatch = (epoch: number) => ({
      ...options,
      order: epochOrder(trainedRows, epoch, seeds.shuffle).subarray(0, batch),
    })
    // Estimates tell which block is the largest: exact norms of the small ones take two and a half times as many products.
    const estimates = await blockFrobeniusNorms(engine, miniBatch(0), theta, { ...how(), exactColumns: 0 })
    const [name] = largestOf(estimates)
    const tensor = options.net.parameters.find((one) => one.name === name)!
    const norms: number[] = []
    for (let epoch = 1; epoch <= miniBatches; epoch++)
      norms.push((await blockFrobeniusNorm(engine, miniBatch(epoch), theta, tensor, how())).norm)
    const [norm, spread] = [mean(norms), standardDeviation(norms)]
    return { ...ofCurvature(norm, spread, valley, params), 'block-norm': norm, 'relative-spread': spread / norm }
  },
}

const largestOf = (norms: Readonly<Record<string, BlockNorm>>): [name: string, norm: BlockNorm] =>
  Object.entries(norms).reduce((largest, one) => (one[1].norm > largest[1].norm ? one : largest))

/** Sharpness of a stored net: another ε or metric trains nothing again. */
const measure = defineStage({
  name: 'measure',
  space: measureSpace,
  cost: ({ rows, products }) => 20 * 1e6 * Math.min(rows, 8000) * products,
  derive: ofEachNet,
  async run(params, context): Promise<Metrics> {
    const netOf = (): Net => sharpnessNet({ dropout: params.measureWithDropout })
    const stored = await openNet<P>(context, netOf, checkpointName)
    const { net, theta, trained, origin } = stored
    const { rows, split } = await openSplit(origin, trained)
    const { shuffle } = context.seeds
    const batch = Math.min(params.rows, trained.batch)
    const isOfMiniBatch = params.metric === 'block-frobenius' || params.metric === 'block-frobenius-spread'
    const order = split.train.subarray(0, isOfMiniBatch ? batch : params.rows)
    const dropout = params.measureWithDropout ? { dropoutSeed: shuffle } : {}
    const options = { net, loss: crossEntropy, rows, order, ...dropout } as const
    const surface = lossSurface(options, context)
    const centre = await surface.lossAt(theta)
    const random = new Random(shuffle, 'sharpness')
    const valley: Valley = { ...surface, theta, centre, options, trainedRows: split.train, batch, random }
    return {
      'measured/loss': centre,
      ...besideMeasurement(stored),
      ...(await measures[params.metric](valley, params, context)),
    }
  },
})

const hasReached = (record: TrialRecord): boolean => metric(record, 'budget/reached') === 1

/**
 * Measurements by one metric at its largest ε, of nets that differ in nothing but batch and seeds: the largest such set,
 * under one budget if that is given.
 */
const comparable =
  (name: (typeof metrics)[number], budget?: P['budget']): Choose =>
  (records) => {
    const measured = finishedWith(
      { metric: name },
      'measure',
    )(records).filter((record) => budget === undefined || netParams(record, records)['budget'] === budget)
    const epsilon = maxOf(measured.map(axisOf('epsilon')))
    return largestComparable(having(measured, { epsilon }), (record) => ({
      ...record.trial.params,
      ...netParams(record, records),
      batch: 0,
    }))
  }

/** Nets that kept to their budget and fit their training rows: around others, no minimum is measured. */
const learntAccuracy = 0.9
const learnt: Counted = (own) =>
  own.filter((record) => hasReached(record) && metric(record, 'train/accuracy') >= learntAccuracy)

/** A batch of all rows has nothing to spread over: it would bear out by itself that larger ones spread less. */
const learntFromMiniBatches: Counted = (own, records) =>
  learnt(own, records).filter((record) => {
    const { batch, trainRows } = netParams(record, records)
    return !(Number(batch) >= Number(trainRows))
  })

const batchSizes = {
  what: 'batch sizes',
  of: (record: TrialRecord, records: Records) => Number(netParams(record, records)['batch']),
} as const

/** How a measure moves with the batch over the nets of each seed, trained under one budget. */
const withBatch = (
  name: (typeof metrics)[number],
  budget: P['budget'],
  bound: Pick<Effect, 'above' | 'below' | 'why'>,
  { what = 'sharpness', measured = 'sharpness', sizes = minBatches, counted = learnt } = {},
): Effect =>
  trendEffect(
    { settings: { ...batchSizes, needed: sizes }, y: metricOf(measured), counted },
    {
      ...{ quantity: `Spearman’s correlation of batch and ${what} within a seed`, ...bound },
      needs: `${sizes} batch sizes measured by ${name} that kept to a budget of equal ${budget}, and learnt`,
      trials: comparable(name, budget),
    },
  )
/** Over fewer a trend of nothing but chance is too often large for its absence to show. */
const sizesOfNoTrend = 8
const rises = { above: 0.3, why: 'less is hardly a trend' } as const
const flatter = 'Smaller batch size leads to flatter minima, which indicates lower sharpness (README)'

const claims: readonly Claim[] = [
  weighed({
    id: 'spectral-rises-with-batch',
    version: 3,
    statement:
      'smaller batches end in flatter minima: trained to the same loss, the largest eigenvalue’s sharpness rises with the batch size (Spearman ≥ 0.3)',
    published: `${flatter}; Keskar et al. 2017: 1.2 → 205 (F1) by the box measure at equal loss`,
    fragile: true,
    effects: [withBatch('spectral', 'loss', rises)],
  }),
  weighed({
    id: 'spectral-rises-with-batch-at-equal-epochs',
    statement: 'so it does with equal epochs',
    published: flatter,
    fragile: true,
    effects: [withBatch('spectral', 'epochs', rises)],
  }),
  weighed({
    id: 'box-rises-with-batch',
    version: 3,
    statement: "trained to the same loss, Keskar's box sharpness rises with the batch size (Spearman ≥ 0.3)",
    published: `${flatter}; Keskar et al. 2017: C1 28.6 → 707 at ε = 10⁻³`,
    fragile: true,
    effects: [withBatch('keskar-box', 'loss', rises)],
  }),
  weighed({
    id: 'box-rises-with-batch-at-equal-epochs',
    statement: 'so it does with equal epochs',
    published: flatter,
    fragile: true,
    effects: [withBatch('keskar-box', 'epochs', rises)],
  }),
  weighed({
    id: 'original-measure-has-no-trend',
    version: 3,
    statement:
      'with equal epochs, the original’s measure of the last mini-batch has no trend with the batch size (|Spearman| < 0.5)',
    published:
      'our result is slightly different from what we expected (README); 2e-8 to 7e-8 over 40 batch sizes, without a trend (figure)',
    fragile: true,
    effects: [
      withBatch(
        'block-frobenius',
        'epochs',
        { above: -0.5, below: 0.5, why: 'a trend that explains less than a quarter' },
        { sizes: sizesOfNoTrend },
      ),
    ],
  }),
  weighed({
    id: 'small-batch-hessian-less-accurate',
    version: 2,
    statement:
      'the Hessian of a small mini-batch is less accurate: over mini-batches of the net’s own size, the original’s measure spreads less, relative to its mean, the larger the batch (Spearman ≤ −0.3)',
    published:
      'Perhaps the small batch size leads to less accurate result (README, a guess why sharpness showed nothing)',
    effects: [
      withBatch(
        'block-frobenius-spread',
        'epochs',
        { below: -0.3, why: 'less is hardly a trend' },
        { what: 'the measure’s relative spread', measured: 'relative-spread', counted: learntFromMiniBatches },
      ),
    ],
  }),
]

/** What a measurement was taken with: its ε, and what its net has alike with those of other batch sizes. */
const settingOf = (record: TrialRecord, records: Records): string =>
  `ε = ${String(record.trial.params['epsilon'])}, ${budgetWords[netParams(record, records)['budget'] as P['budget']]}`

/** The original's two figures, for each metric. */
const twins = metrics.flatMap((name) =>
  besideBatch({
    measure: 'sharpness',
    name: `sharpness-${name}`,
    title: `sharpness (${name})`,
    caption: `sharpness (${name}, right) against batch size.`,
    axis: `sharpness (${name})`,
    select: (records) => comparable(name)(records).filter(hasReached),
    settings: ([first], records) => settingOf(first!, records),
  }),
)

/** What a point's bar says: how far off its measure may be. */
const withErrors: Readonly<Partial<Record<(typeof metrics)[number], string>>> = {
  spectral: '; bars: the residual of the eigenvalue',
  'block-frobenius': '; bars: a standard error',
  'block-frobenius-spread': '; bars: the deviation over mini-batches',
}

const scatters = metrics.map((name) =>
  scatter({
    name: `sharpness-${name}-against-batch`,
    caption: `Sharpness (${name}) of the trained net against its batch size, one point a net${withErrors[name] ?? ''}.`,
    title: () => `Sharpness (${name}) against batch size`,
    select: (records) => records.filter(({ trial }) => trial.stage === 'measure' && trial.params['metric'] === name),
    x: overBatch,
    y: { title: 'sharpness', scale: 'log', of: metricOf('sharpness'), error: metricOf('sharpness-error') },
    group: settingOf,
  }),
)

export const sharpness = defineExperiment({
  name: 'sharpness',
  version: 5,
  title: 'Sharpness of minima against batch size',
  question: 'Do larger batches end in sharper minima?',
  source: 'bonus.py of the 2018 course (HW1-3); Keskar et al. 2017, Dinh et al. 2017, Li et al. 2018',
  objective: { metric: 'test/accuracy', direction: 'maximize' },
  stages: [main, measure],
  profiles: {
    smoke: {
      axes: { trainRows: [200], testRows: [200], batch: [20, 200], epochs: [2] },
      seeds: [0],
      stages: { measure: { metric: [...metrics], epsilon: [1e-3], rows: [20], samples: [2], products: [4] } },
    },
    reduced: {
      axes: { trainRows: [500], testRows: [1000], batch: [8, 25, 80, 250] },
      points: [
        { budget: 'loss', epochs: 200 },
        { budget: 'epochs', epochs: 60 },
      ],
      seeds: [0, 1, 2, 3, 4],
      // The original's measure of one mini-batch takes eight batch sizes to decide its claim: that is for `full`.
      stages: { measure: { metric: metrics.filter((name) => name !== 'block-frobenius'), epsilon: [1e-3] } },
    },
    full: {
      axes: { batch: [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8000] },
      seeds: [0, 1, 2],
      stages: { measure: { metric: [...metrics], epsilon: [1e-5, 1e-4, 1e-3, 1e-2] } },
    },
    // As bonus.py did it: 40 batch sizes, its own measure of the last mini-batch, dropout on throughout.
    original: {
      axes: { dropout: [true], batch: Array.from({ length: 40 }, (_, i) => 50 * (i + 1)) },
      seeds: [0],
      stages: { measure: { metric: ['block-frobenius'], measureWithDropout: [true] } },
    },
  },
  figures: [...twins, ...scatters],
  claims,
})
