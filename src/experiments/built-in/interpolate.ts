import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { lookUp } from '../../core/names.js'
import { Random } from '../../core/seed.js'
import { number, type ParamsOf } from '../../core/space.js'
import type { Metrics, Trial } from '../../core/trial.js'
import { reportsAgainst, twinAxes } from '../../figures/twin-axes.js'
import { initialize, multiplyAdds, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { budgetAxes, budgetCost, epochsOf, trainToBudget } from '../vocabulary/budget.js'
import { everyOne } from '../vocabulary/checks.js'
import { byClass, classes, crossEntropy, named, namedSet, openSplit } from '../vocabulary/classify.js'
import { inRows, meanEffect, tellingRows, weighed, type Counted } from '../vocabulary/effects.js'
import { lossAndAccuracy, trainAndTest } from '../vocabulary/figures.js'
import { twoLayerNet } from '../vocabulary/nets.js'
import { axisOf, leastOf, metric } from '../vocabulary/numbers.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finished, finishedWith, having, netParams, type Choose } from '../vocabulary/records.js'
import { openNet } from '../vocabulary/stored-net.js'

/**
 * What lies between two trained nets, and is the valley of the small batch wider?
 *
 * 784-256-256-10, leaky ReLU of slope 0.2, N(0, 1) weights and biases, trained with batches of 100 (A) and 1000 (B);
 * then loss and accuracy at θ(α) = α·A + (1−α)·B. The original: inter_model.py (HW1-3), where α = 1 is the small batch
 * (Keskar et al. 2017 have it the other way round); Adam at 0.001, 200 epochs.
 */
const space = {
  batch: axes.batch(100),
  learningRate: axes.learningRate(0.001, "the optimiser's step size"),
  optimizer: axes.optimizer('adam', 'adagrad', 'momentum', 'sgd'),
  init: axes.oneOf(
    ['independent', 'shared'],
    'whether the two nets of a pair start from weights of their own or from the same',
  ),
  initScale: axes.initScale(1),
  ...axes.digitRows({ train: 8_000, test: 2_000 }),
  ...budgetAxes({ epochs: 200, updates: 4000, targetLoss: 0.01 }),
}
type P = ParamsOf<typeof space>

const checkpointName = 'weights.safetensors'

/** A seed for each text: streams of different pairs' nets must not meet. */
const hashSeed = (seed: number, text: string): number => new Random(seed, 'pair', text).uint32()

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: rowsOfSplit,
  net: ({ initScale }) => twoLayerNet(initScale),
  cost: (params) => budgetCost(twoLayerNet(1), params),
  async run(params, context): Promise<Metrics> {
    const net = twoLayerNet(params.initScale)
    // Independent nets of one seed differ by what makes them a pair; shared ones do not.
    const apart = `${params.batch}/${params.learningRate}/${params.optimizer}`
    const { init } = context.seeds
    const { last, held, updates } = await trainToBudget(context, params, {
      net,
      optimizer: { kind: params.optimizer, learningRate: params.learningRate },
      parameters: initialize(net, params.init === 'shared' ? init : hashSeed(init, apart)),
      saveAs: checkpointName,
    })
    return { ...last, ...held, parameters: net.parameterCount, updates }
  },
})

const lineSpace = {
  path: axes.oneOf(['linear', 'curved'], 'α·A + (1−α)·B, or sin(απ/2)·A + cos(απ/2)·B as Keskar et al. also drew it'),
  alphaFrom: number({ min: -10, max: 10, default: -1, doc: 'the first α' }),
  alphaTo: number({ min: -10, max: 10, default: 2, doc: 'the last α' }),
  alphaStep: number({ above: 0, max: 10, default: 0.05, doc: 'distance between neighbouring α' }),
}
type LineParams = ParamsOf<typeof lineSpace>

/** The grid of α, rounded so that 0 and 1 are exact, and holding both whatever the step when they lie inside. */
export function alphaGrid({ alphaFrom, alphaTo, alphaStep }: Omit<LineParams, 'path'>): number[] {
  const count = Math.floor((alphaTo - alphaFrom) / alphaStep + 1e-9) + 1
  const even = Array.from({ length: Math.max(1, count) }, (_, i) => Number((alphaFrom + i * alphaStep).toFixed(9)))
  const ends = [0, 1].filter((end) => end >= alphaFrom && end <= alphaTo)
  return [...new Set([...even, ...ends])].sort((a, b) => a - b)
}

/** Coefficients of A and B at α; exact at both ends on either path. */
export function pathCoefficients(path: LineParams['path'], alpha: number): [number, number] {
  if (path === 'linear' || alpha === 0 || alpha === 1) return [alpha, 1 - alpha]
  return [Math.sin((alpha * Math.PI) / 2), Math.cos((alpha * Math.PI) / 2)]
}

/** What a loss may add before it counts as having left the valley, in nats. */
const widthOffset = 0.1

/** The length in α of the stretch around an end where the loss stays below twice the end's plus 0.1 nats. */
export function widthAround(alphas: readonly number[], losses: readonly number[], end: number): number {
  if (end < 0) return NaN
  const limit = 2 * losses[end]! + widthOffset
  let [low, high] = [end, end]
  while (low > 0 && losses[low - 1]! < limit) low--
  while (high < losses.length - 1 && losses[high + 1]! < limit) high++
  return alphas[high]! - alphas[low]!
}

/** Axes that can make two nets a pair. */
const pairing = ['batch', 'learningRate', 'optimizer'] as const

/** Every two nets with the same seeds that differ in exactly one of batch, learning rate, optimiser; A has the smaller batch. */
export function pairs(trials: readonly Trial[]): Trial[][] {
  const found: Trial[][] = []
  trials.forEach((a, i) => {
    for (const b of trials.slice(i + 1)) {
      const differing = Object.keys(a.params).filter((name) => lookUp(a.params, name) !== lookUp(b.params, name))
      const alike = JSON.stringify(a.seeds) === JSON.stringify(b.seeds)
      if (!alike || differing.length !== 1 || !(pairing as readonly string[]).includes(differing[0]!)) continue
      found.push(Number(a.params['batch']) <= Number(b.params['batch']) ? [a, b] : [b, a])
    }
  })
  return found
}

const interpolation = defineStage({
  name: 'interpolate',
  space: lineSpace,
  cost: (params) => alphaGrid(params).length * 2 * multiplyAdds(twoLayerNet(1)) * 10_000 * 0.3,
  derive: { from: 'main', groups: pairs },
  async run(params, context): Promise<Metrics> {
    const { engine, parents, signal } = context
    const netOf = ({ initScale }: P): Net => twoLayerNet(initScale)
    const ends = await Promise.all(parents.map((parent) => openNet(context, netOf, checkpointName, parent)))
    const { net, trained, origin } = ends[0]!
    const { split, rows } = await openSplit(origin, trained)
    const thetas = ends.map(({ theta }) => theta)
    const alphas = alphaGrid(params)
    const path = alphas.map((alpha) => pathCoefficients(params.path, alpha))
    const along = (order: Int32Array) =>
      engine.evaluateCombinations({ net, loss: crossEntropy, rows, order }, thetas, path, signal)
    const [train, test] = [await along(split.train), await along(split.test)]
    for (const [i, alpha] of alphas.entries()) {
      await context.report(i, { alpha, ...named('train', train[i]!), ...named('test', test[i]!) })
    }

    const evaluate = byClass(net, rows, context)
    const [a, b] = [await evaluate(split.train, thetas[0]!), await evaluate(split.train, thetas[1]!)]
    const losses = train.map((point) => point.loss)
    const [atA, atB] = [alphas.indexOf(1), alphas.indexOf(0)]
    const between = losses.filter((_, i) => alphas[i]! >= 0 && alphas[i]! <= 1)
    return {
      'a/loss': a.loss,
      'b/loss': b.loss,
      'a/accuracy': a.accuracy,
      'b/accuracy': b.accuracy,
      'a/test-accuracy': test[atA]?.accuracy ?? NaN,
      'b/test-accuracy': test[atB]?.accuracy ?? NaN,
      // 0 means equal to the last bit.
      'ends/mismatch': Math.abs((losses[atA] ?? NaN) - a.loss) + Math.abs((losses[atB] ?? NaN) - b.loss),
      'path/barrier': maxOf(between) - Math.max(a.loss, b.loss),
      'a/width': widthAround(alphas, losses, atA),
      'b/width': widthAround(alphas, losses, atB),
    }
  },
})

const lines = finishedWith({ path: 'linear' }, 'interpolate')
/** Paths between nets of shared or of independent initial weights, found through their parents. */
const pathsBetween =
  (init: P['init']): Choose =>
  (records) => {
    const ids = new Set(finishedWith({ init })(records).map(({ trial }) => trial.id))
    return finished(records, 'interpolate').filter(({ trial }) => trial.parents.every((parent) => ids.has(parent)))
  }
const linesApart: Choose = (records) => lines(pathsBetween('independent')(records))

/** Fewer leave N(0, 1) weights half trained. */
const enoughUpdates = 1500
/** At most: a loss may be reached before. */
const updatesOf = ({ params }: Trial): number =>
  epochsOf(params as unknown as P) * Math.ceil(Number(params['trainRows']) / Number(params['batch']))
const fitted = 0.99

/** Of those, lines at both ends of which the training rows are fitted. */
const fittedLines: Counted = (own) =>
  own.filter((record) => metric(record, 'a/accuracy') >= fitted && metric(record, 'b/accuracy') >= fitted)
/** Lines between nets of two batch sizes that started apart: `a` has the smaller. */
const batchLines: Choose = (records) => {
  const batches = new Map(finished(records).map(({ trial }) => [trial.id, trial.params['batch']]))
  return linesApart(records).filter(({ trial: { parents } }) => batches.get(parents[0]!) !== batches.get(parents[1]!))
}
const needs = `two fitted nets (${fitted} of the training rows) that started apart`

const claims: readonly Claim[] = [
  {
    id: 'exact-ends',
    kind: 'check',
    statement: 'at α = 0 and α = 1 the path has the stored nets’ losses, bit for bit',
    published: 'a path must begin and end where its nets are',
    check: everyOne(
      (records) => lines(records).filter((record) => !Number.isNaN(metric(record, 'ends/mismatch'))),
      'line',
      (record) => metric(record, 'ends/mismatch') === 0,
      { none: 'no finished line that holds both ends' },
    ),
  },
  weighed({
    id: 'ends-fit',
    version: 2,
    statement: `both nets have a training accuracy of at least ${fitted}`,
    published: 'training loss about 2e-10 and 0 at the ends (README figure; divided by 10,000)',
    effects: [
      {
        quantity: 'the least training accuracy of a seed’s nets',
        scale: 'linear',
        above: fitted,
        why: 'one row in a hundred is left',
        needs: `a net of ${enoughUpdates} updates`,
        trials: (records) => finished(records).filter(({ trial }) => updatesOf(trial) >= enoughUpdates),
        of: (own) => leastOf(own, 'train/accuracy'),
        step: (records) => 1 / minOf(finished(records).map(axisOf('trainRows'))),
      },
    ],
  }),
  weighed({
    id: 'barrier',
    version: 2,
    statement:
      'between fitted nets that started apart lies a barrier: the loss rises above both ends by more than a guess loses',
    published: 'a barrier about α = 0.5 of 2.5e-2 (times 10,000), training accuracy 0.33 (README figure)',
    effects: [
      meanEffect('path/barrier', {
        ...{ quantity: 'height of the barrier in nats', above: Math.log(classes), needs },
        ...{ trials: linesApart, counted: fittedLines },
        why: 'ln 10, what a guess among ten classes loses; a height is never below 0, so 0 would show nothing',
      }),
    ],
  }),
  weighed({
    id: 'small-batch-wider',
    version: 2,
    statement: "the small batch's valley is wider than the large batch's by more than a step of the grid of α",
    published:
      'the batch-100 valley is visibly wider (README figure); sibling reports saw no difference, or the opposite',
    fragile: true,
    effects: [
      {
        quantity: 'how much wider, in steps of α',
        scale: 'linear',
        above: 1,
        why: 'a step of the grid of α is all that a width can show',
        needs: `${needs}, of two batch sizes`,
        trials: batchLines,
        of: (own) =>
          mean(
            fittedLines(own, own).map(
              (record) => (metric(record, 'a/width') - metric(record, 'b/width')) / axisOf('alphaStep')(record),
            ),
          ),
        step: () => 1,
      },
    ],
  }),
  weighed({
    id: 'small-batch-better',
    version: 2,
    statement: 'the small batch generalises better, by more held-out rows than chance would make it',
    published: 'test accuracy 0.925 (batch 100) against 0.873 (batch 1000) (README figure)',
    fragile: true,
    effects: [
      {
        quantity: 'held-out rows that the small batch has right beyond the large one',
        scale: 'linear',
        above: tellingRows,
        why: 'fewer rows cannot tell two nets apart',
        needs: `${needs}, of two batch sizes`,
        trials: batchLines,
        of: (own, records) =>
          mean(
            fittedLines(own, records).map((record) =>
              inRows(
                metric(record, 'a/test-accuracy') - metric(record, 'b/test-accuracy'),
                Number(netParams(record, records)['testRows']),
              ),
            ),
          ),
        step: () => 1,
      },
    ],
  }),
]

const [loss, accuracy] = lossAndAccuracy
const figures = (['linear', 'curved'] as const).flatMap((path) =>
  (['independent', 'shared'] as const).map((init) =>
    twinAxes({
      name: `${path}-path-${init}`,
      caption: `Loss (left, logarithmic) and accuracy (right) on the ${path} path between nets of ${init} initial weights; α = 1 is the small batch.`,
      title: `Between two nets: ${path} path, ${init} initial weights`,
      select: (records) => having(pathsBetween(init)(records), { path }),
      x: { title: 'α (0: large batch, 1: small batch)', scale: 'linear' },
      points: (record) => reportsAgainst(record, 'alpha'),
      left: { title: loss.title, scale: loss.scale, lines: trainAndTest('loss') },
      right: { title: accuracy.title, scale: accuracy.scale, domain: [0, 1], lines: trainAndTest('accuracy') },
    }),
  ),
)

export const interpolate = defineExperiment({
  name: 'interpolate',
  version: 1,
  title: 'Interpolation between two nets',
  question: 'What lies between two trained nets, and is the valley of the small batch wider?',
  source: 'inter_model.py of the 2018 course (HW1-3); Keskar et al. 2017; Goodfellow et al. 2015',
  objective: { metric: 'test/accuracy', direction: 'maximize' },
  stages: [main, interpolation],
  profiles: {
    smoke: {
      axes: { batch: [50, 250], epochs: [20], trainRows: [1000], testRows: [500] },
      seeds: [0],
      stages: { interpolate: { alphaStep: [0.25] } },
    },
    reduced: { axes: { batch: [100, 1000], init: ['independent', 'shared'] }, seeds: [0, 1, 2, 3, 4] },
    full: { axes: { batch: [100, 1000] }, seeds: [0, 1, 2, 3, 4] },
  },
  figures,
  claims,
})
