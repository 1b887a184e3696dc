import { rankStep } from '../../analysis/intervals.js'
import { mean, spearman } from '../../analysis/statistics.js'
import { norm } from '../../analysis/vectors.js'
import { maxOf, minOf } from '../../core/extremes.js'
import type { ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import { sampleFunction, targetFunctionNames, type TargetFunction } from '../../data/functions.js'
import type { Rows } from '../../engines/engine.js'
import { againstSteps } from '../../figures/against-steps.js'
import { defineNet, multiplyAdds, type Net } from '../../net/net.js'
import type { Loss } from '../../net/training-spec.js'
import { defineExperiment, defineStage, type Claim, type TrialContext } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne } from '../vocabulary/checks.js'
import { classes, crossEntropy, openSplit } from '../vocabulary/classify.js'
import { geometricMean, weighed, type Counted, type Effect, type Settings } from '../vocabulary/effects.js'
import { settings } from '../vocabulary/figures.js'
import { lossSurface } from '../vocabulary/loss-surface.js'
import { dense, digitShape, functionNet, hiddenActivations, torchDefault } from '../vocabulary/nets.js'
import { axisOf, seriesOf } from '../vocabulary/numbers.js'
import { finished, having, type Choose, type Records } from '../vocabulary/records.js'
import { firstRows, recipe, trainNet } from '../vocabulary/train-net.js'

/**
 * How does the gradient's norm move while the loss falls?
 *
 * 1-4-9-16-9-4-1, leaky ReLU, PyTorch's initial weights, 411 parameters, on 10,000 points of a function. The original:
 * min_ratio_grad.py (HW1-2); Adam at 0.001, batches of 200 in the same order each epoch, 1000 epochs.
 */
const space = {
  target: axes.target('sinc'),
  dataset: axes.oneOf(
    ['function', ...axes.setNames('digits')],
    'the function, or digits for a classifier with 64 and 32 hidden units',
  ),
  activation: axes.oneOf(['leaky', 'relu', 'tanh'], 'after each hidden layer'),
  rows: axes.heldOutRows(10_000, 'rows to train on'),
  batch: axes.batch(200, 'rows per update; as many as rows for the full batch'),
  epochs: axes.epochs(1000, { max: 1_000_000, doc: 'passes over the rows' }),
  optimizer: axes.optimizer('adam', 'adamax', 'sgd', 'momentum'),
  learningRate: axes.learningRate(0.001, "the optimiser's step size"),
}
type P = ParamsOf<typeof space>

const netOf = ({ dataset, activation }: Pick<P, 'dataset' | 'activation'>): Net => {
  const hidden = hiddenActivations[activation]
  if (dataset === 'function') return functionNet([4, 9, 16, 9, 4], hidden, torchDefault)
  return defineNet(digitShape, [
    { kind: 'flatten' },
    ...dense([64, 32], classes, { activation: hidden, ...torchDefault }),
  ])
}

async function openRows(params: P, context: TrialContext): Promise<{ rows: Rows; order: Int32Array; loss: Loss }> {
  if (params.dataset === 'function') {
    const rows = sampleFunction(params.target, params.rows, context.seeds.data, 'train')
    return { rows, order: firstRows(params.rows), loss: 'mean-squared-error' }
  }
  const { rows: known } = await context.data(params.dataset)
  const trainRows = Math.min(params.rows, known)
  const { rows, split } = await openSplit(context, { dataset: params.dataset, trainRows, testRows: 0 })
  return { rows, order: split.train, loss: crossEntropy }
}

const main = defineStage({
  name: 'main',
  space,
  data: ({ dataset }) => (dataset === 'function' ? [] : [dataset]),
  net: netOf,
  // Each epoch also takes the gradient over all rows.
  cost: (params) => 12 * multiplyAdds(netOf(params)) * params.rows * params.epochs,
  async run(params, context): Promise<Metrics> {
    const net = netOf(params)
    const { rows, order, loss } = await openRows(params, context)
    const { slopeAt } = lossSurface({ net, loss, rows, order }, context)
    let metrics: Metrics = {}
    const { updates } = await trainNet(context, {
      net,
      loss,
      rows,
      train: order,
      ...recipe(params, params.optimizer),
      // The original's loader keeps the order.
      shuffled: false,
      gradientNorms: true,
      memory: { read: () => metrics, write: (value) => (metrics = value as Metrics) },
      async onEpoch(epoch, { loss: trainLoss, losses, gradientNorms }, weights) {
        metrics = {
          'train/loss': trainLoss,
          'train/last-batch-loss': losses.at(-1)!,
          'gradient/last-batch': gradientNorms.at(-1)!,
          'gradient/epoch-mean': gradientNorms.reduce((sum, norm) => sum + norm, 0) / gradientNorms.length,
          'gradient/full-batch': norm((await slopeAt(weights())).gradient),
        }
        await context.report(epoch, metrics)
      },
    })
    return { ...metrics, parameters: net.parameterCount, updates }
  },
})

const minEpochs = 200
/** Nets trained as the original's on a function, and long enough. */
const original =
  (target: TargetFunction): Choose =>
  (records) =>
    having(finished(records), { dataset: 'function', target, optimizer: 'adam' }).filter(
      (record) => axisOf('epochs')(record) >= minEpochs,
    )
/** Those that learnt: they end with half the loss of their first epoch. */
const learnt: Counted = (own) =>
  own.filter((record) => {
    const losses = seriesOf(record, 'train/loss', [NaN])
    return losses.at(-1)! <= losses[0]! / 2
  })
const ofLearnt = (target: TargetFunction): Pick<Effect, 'needs' | 'trials'> => ({
  needs: `a net that learnt ${target} in ${minEpochs} epochs or more`,
  trials: original(target),
})

/** The first epochs bring the outputs to the function's mean, which is no feature of the function. */
const settling = 5

/** Epochs between the steepest fall of the loss (over five epochs) and the largest full-batch norm, once settled. */
function peakDistance(record: TrialRecord): number {
  const losses = seriesOf(record, 'train/loss').slice(settling)
  const norms = seriesOf(record, 'gradient/full-batch').slice(settling)
  const falls = losses.slice(0, -5).map((value, i) => value - losses[i + 5]!)
  return Math.abs(falls.indexOf(maxOf(falls)) + 2.5 - norms.indexOf(maxOf(norms)))
}

/** Half an exchange of two epochs is all that ranks can show. */
const epochStep =
  (target: TargetFunction) =>
  (records: Records): number =>
    rankStep(minOf(original(target)(records).map(axisOf('epochs'))))

/** Does a norm fall over the epochs of each training? */
const normFalls = (name: string, target: TargetFunction): Effect => ({
  quantity: 'Spearman’s correlation of epoch and norm',
  scale: 'rank',
  below: 0,
  why: 'no trend',
  ...ofLearnt(target),
  of: (own) =>
    mean(learnt(own, own).map((record) => spearman([...seriesOf(record, name).keys()], seriesOf(record, name)))),
  step: epochStep(target),
})

/** The original recorded the last mini-batch's; averaged over an epoch it is less noisy. */
const epochMean = 'gradient/epoch-mean'

/** How the norm goes with the loss over the epochs of a seed's trainings. */
const togetherness = (own: Records, target: TargetFunction): number =>
  mean(
    learnt(having(own, { target }), own).map((record) =>
      spearman(seriesOf(record, 'train/loss'), seriesOf(record, epochMean)),
    ),
  )

const targetsOf = (...needed: TargetFunction[]): Settings => ({
  what: 'functions',
  of: ({ trial }) => trial.params['target'],
  needed,
})

const claims: readonly Claim[] = [
  {
    id: 'one-record-an-epoch',
    kind: 'check',
    statement: 'loss and norm are recorded once an epoch',
    published: 'the last mini-batch of each epoch (min_ratio_grad.py)',
    check: everyOne(
      finished,
      'trial',
      (record) => seriesOf(record, 'gradient/last-batch').length === axisOf('epochs')(record),
    ),
  },
  weighed({
    id: 'norm-falls-on-sinc',
    version: 3,
    statement: 'on sinc, the gradient norm, averaged over each epoch’s steps, falls over the epochs (Spearman < 0)',
    published: 'norm 0.36 falling to 0.005, with a bump where the loss leaves its plateau (README figure)',
    effects: [normFalls(epochMean, 'sinc')],
  }),
  weighed({
    id: 'last-batch-norm-falls-on-sinc',
    version: 2,
    statement: 'so does the norm of each epoch’s last mini-batch, the one that the original recorded',
    published: 'the same figure; one batch of fifty is a noisy measure of the epoch',
    fragile: true,
    effects: [normFalls('gradient/last-batch', 'sinc')],
  }),
  weighed({
    id: 'norm-peaks-where-loss-falls',
    version: 3,
    statement: 'on f1, the full-batch norm peaks within 5 epochs of the steepest fall of the loss',
    published: 'norm peaks while the loss drops (README figure, sum of sines)',
    fragile: true,
    effects: [
      {
        quantity: 'epochs between the two',
        // Never 0: the steepest fall lies between two epochs.
        scale: 'log',
        below: 5,
        why: 'as first set, before any run',
        ...ofLearnt('f1'),
        of: (own) => geometricMean(learnt(own, own).map(peakDistance)),
      },
    ],
  }),
  weighed({
    id: 'norm-lowers-with-loss',
    statement:
      'the norm of the gradient lowers together with the loss: within a run on sinc, epochs of lower loss have a lower norm (Spearman > 0.5)',
    published: 'Norm of gradient lowers together obviously (README)',
    effects: [
      {
        quantity: 'Spearman’s correlation of loss and norm within a run',
        scale: 'rank',
        above: 0.5,
        why: '“obviously”: loss and norm agree on the order of three in four pairs of epochs',
        ...ofLearnt('sinc'),
        of: (own) => togetherness(own, 'sinc'),
        step: epochStep('sinc'),
      },
    ],
  }),
  weighed({
    id: 'norm-hard-to-master-on-f2',
    statement: 'on a complicated function, f2, the norm is hard to master: it goes less with the loss than on sinc',
    published: 'when it comes to complicated functions … it is hard to master gradient norm’s behavior (README)',
    effects: [
      {
        quantity: 'Spearman’s correlation of loss and norm on f2 − on sinc',
        scale: 'linear',
        below: 0,
        why: 'as little as on sinc',
        needs: `nets that learnt f2 and sinc in ${minEpochs} epochs or more`,
        trials: (records) => [...original('f2')(records), ...original('sinc')(records)],
        settings: targetsOf('f2', 'sinc'),
        of: (own) => togetherness(own, 'f2') - togetherness(own, 'sinc'),
      },
    ],
  }),
  weighed({
    id: 'norm-still-tends-down-on-f2',
    statement: 'but on f2 too it still tends to decrease over the epochs (Spearman < 0)',
    published: '… but it still tends to decrease (README)',
    effects: [normFalls(epochMean, 'f2')],
  }),
]

const figures = [
  ...targetFunctionNames.map((target) => ({ name: target, params: { dataset: 'function', target } })),
  { name: 'digits', params: { dataset: 'mnist-10k' } },
].map(({ name, params }) =>
  againstSteps({
    name: `norm-${name}`,
    caption: `Loss above, gradient norm below, by epoch (${name}).`,
    title: `Loss and gradient norm: ${name}`,
    select: (records) => having(records, params),
    panels: [
      { title: 'training loss', metrics: [{ metric: 'train/loss', label: 'epoch mean' }], zero: true },
      {
        title: 'gradient norm',
        zero: true,
        metrics: [
          { metric: 'gradient/last-batch', label: 'last batch' },
          { metric: 'gradient/epoch-mean', label: 'mean over the epoch' },
          { metric: 'gradient/full-batch', label: 'full batch' },
        ],
      },
    ],
    settings: settings('{optimizer} {learningRate}, batch {batch}'),
  }),
)

export const gradNorm = defineExperiment({
  name: 'grad-norm',
  version: 1,
  title: 'Gradient norm along training',
  question: 'How does the norm of the gradient move while the loss falls?',
  source: 'min_ratio_grad.py of the 2018 course (HW1-2)',
  objective: { metric: 'train/loss', direction: 'minimize' },
  stages: [main],
  profiles: {
    smoke: { axes: { target: ['sinc', 'f1'], epochs: [30], rows: [2000] }, seeds: [0] },
    reduced: { axes: { target: ['sinc', 'sines', 'f1', 'f2'] }, seeds: [0, 1, 2, 3, 4, 5, 6, 7] },
    full: { axes: { target: ['sinc', 'sines', 'f1', 'f2'] }, seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
  },
  figures,
  claims,
})
