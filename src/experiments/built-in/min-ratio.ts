import { approachCriticalPoint } from '../../analysis/critical-point.js'
import { countEigenvalues, sampledRatio } from '../../analysis/minimal-ratio.js'
import { variance } from '../../analysis/statistics.js'
import { symmetricSpectrum } from '../../analysis/symmetric.js'
import { norm } from '../../analysis/vectors.js'
import { Random } from '../../core/seed.js'
import { number, type ParamsOf } from '../../core/space.js'
import type { Metrics, ParamValue, TrialRecord } from '../../core/trial.js'
import { gridOf, sampleFunction, type TargetFunction } from '../../data/functions.js'
import type { EpochResult } from '../../engines/engine.js'
import { againstSteps } from '../../figures/against-steps.js'
import { scatter } from '../../figures/scatter.js'
import { encodeCheckpoint } from '../../net/checkpoint.js'
import { initialize, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { geometricMean, ratioOf, weighed, type Effect } from '../vocabulary/effects.js'
import { settings } from '../vocabulary/figures.js'
import { lossSurface } from '../vocabulary/loss-surface.js'
import { functionNet, torchDefault } from '../vocabulary/nets.js'
import { axisOf, metric, metricOf, seriesOf, valuesOf } from '../vocabulary/numbers.js'
import { crossed } from '../vocabulary/profiles.js'
import { pointsOfFunction } from '../vocabulary/rows.js'
import { finishedWith, having, netParams, parentOf, type Choose, type Records } from '../vocabulary/records.js'
import { ofEachNet, openNet } from '../vocabulary/stored-net.js'
import { recipe, trainNet } from '../vocabulary/train-net.js'
import { trendEffect } from '../vocabulary/trends.js'

/**
 * Are nearly critical points with a low loss closer to minima than those with a high one?
 *
 * A net is trained on its loss, then on the norm of the loss's gradient until that almost vanishes; what share of the
 * directions around it leads upwards is its minimal ratio. The original: min_ratio.py (HW1-2); 1-4-9-16-9-4-1, Adam at
 * 0.001 for 200 epochs, then a new Adam at 0.00075 on the squared norm for 200, then 200 neighbours at a std of 10⁻⁴.
 */
const space = {
  net: axes.oneOf(['original', 'small'], '1-4-9-16-9-4-1 (411 parameters) or 1-8-8-1 (97)'),
  activation: axes.oneOf(['leaky', 'tanh'], 'leaky ReLU of slope 0.01, or tanh'),
  target: axes.target('sinc'),
  rows: axes.points(10_000, 2),
  batch: axes.batchOfPoints(200),
  epochs: axes.count(1_000_000, 200, 'epochs on the loss', { min: 0, unit: 'epochs' }),
  learningRate: axes.learningRate(0.001, "Adam's step size on the loss"),
  finder: axes.oneOf(
    ['gradient-norm', 'gauss-newton', 'none'],
    "how a critical point is sought: Adam on mini-batches' squared gradient norm (the original), damped Gauss-Newton on the full gradient, or not at all",
  ),
  finderSteps: axes.count(1_000_000, 200, "the finder's epochs or steps", { min: 0, unit: 'steps' }),
  finderRate: axes.learningRate(0.00075, "Adam's step size on the norm"),
  threshold: number({ above: 0, max: 1e9, default: 1e-3, doc: 'gradient norm at which a point counts as critical' }),
}
type P = ParamsOf<typeof space>

const loss = 'mean-squared-error'
const widths = { original: [4, 9, 16, 9, 4], small: [8, 8] } as const

export function minRatioNet({ net, activation }: Pick<P, 'net' | 'activation'>): Net {
  return functionNet(widths[net], activation === 'tanh' ? 'tanh' : { leakyRelu: 0.01 }, torchDefault)
}

const endName = 'end.safetensors'

const main = defineStage({
  name: 'main',
  space,
  rows: pointsOfFunction,
  net: minRatioNet,
  cost: (params) => {
    const weights = minRatioNet(params).parameterCount
    const pass = 6 * weights * params.rows
    const finder = params.finder === 'gauss-newton' ? 2 * weights * pass + 30 * weights ** 3 : 2 * pass
    return pass * params.epochs + (params.finder === 'none' ? 0 : finder * params.finderSteps)
  },
  async run(params, context): Promise<Metrics> {
    const { batch, epochs, finder, finderSteps, finderRate, threshold } = params
    const net = minRatioNet(params)
    const rows = sampleFunction(params.target, params.rows, context.seeds.data, 'train')
    const { exactSlopeAt, hessianAt } = lossSurface({ net, loss, rows }, context)
    const tell = (step: number, mean: number, gradientNorm: number): Promise<void> =>
      context.report(step, { 'train/loss': mean, 'train/gradient-norm': gradientNorm })
    const training = {
      net,
      loss,
      rows,
      gradientNorms: true,
      onEpoch: (epoch: number, { loss: mean, gradientNorms }: EpochResult) => tell(epoch, mean, gradientNorms.at(-1)!),
    } as const

    let parameters = initialize(net, context.seeds.init)
    if (epochs > 0) parameters = (await trainNet(context, { ...training, ...recipe(params), parameters })).parameters
    context.log(`after ${epochs} epochs on the loss the objective is now: ${finder}`)
    const switched = await exactSlopeAt(parameters)
    if (finder === 'gradient-norm' && finderSteps > 0) {
      const found = await trainNet(context, {
        ...training,
        ...recipe({ learningRate: finderRate, batch, epochs: epochs + finderSteps }),
        objective: 'squared-gradient-norm',
        epochsBefore: epochs,
        parameters,
      })
      parameters = found.parameters
    }
    if (finder === 'gauss-newton') {
      const { point } = await approachCriticalPoint(exactSlopeAt, hessianAt, parameters, {
        steps: finderSteps,
        threshold: threshold / 10,
        onStep: (step, slope) => tell(epochs + step, slope.loss, norm(slope.gradient)),
      })
      parameters = Float32Array.from(point)
    }
    await context.save(endName, encodeCheckpoint(net, parameters))
    const end = await exactSlopeAt(parameters)
    return {
      'train/loss': end.loss,
      'gradient-norm': norm(end.gradient),
      'switch/loss': switched.loss,
      'switch/gradient-norm': norm(switched.gradient),
      converged: norm(end.gradient) <= threshold ? 1 : 0,
      parameters: net.parameterCount,
    }
  },
})

const ratioSpace = {
  estimator: axes.oneOf(
    ['sampled', 'eigenvalues'],
    'share of random neighbours that lose more (the original), or of eigenvalues of the Hessian above zero',
  ),
  std: number({ above: 0, max: 1e6, default: 1e-4, doc: 'standard deviation of the neighbours' }),
  samples: axes.count(1_000_000, 200, 'neighbours'),
  split: axes.oneOf(['test', 'train'], 'which points the loss is taken over'),
  tolerance: axes.share(1e-6, 'eigenvalues within this share of the largest count as zero'),
}

/** A stored end point's ratio: another std or tolerance trains nothing again. */
const ratio = defineStage({
  name: 'ratio',
  space: ratioSpace,
  cost: ({ estimator, samples }) => (estimator === 'sampled' ? 2 * 411 * 10_000 * samples : 6 * 411 * 411 * 10_000),
  derive: ofEachNet,
  async run(params, context): Promise<Metrics> {
    const { trained, net, theta, origin } = await openNet<P>(context, minRatioNet, endName)
    const over = (part: 'train' | 'test') => {
      const rows = sampleFunction(trained.target, trained.rows, origin.seeds.data, part)
      return lossSurface({ net, loss, rows }, context)
    }
    const slope = await over('train').exactSlopeAt(theta)
    const common = {
      'train/loss': slope.loss,
      'test/loss': await over('test').lossAt(theta),
      'gradient-norm': norm(slope.gradient),
      converged: norm(slope.gradient) <= trained.threshold ? 1 : 0,
    }
    if (params.estimator === 'sampled') {
      const random = new Random(context.seeds.shuffle, 'neighbours')
      return { ...common, ratio: await sampledRatio(over(params.split).lossAt, theta, { ...params, random }) }
    }
    const { values } = symmetricSpectrum(await over('train').hessianAt(theta), theta.length)
    await context.save('eigenvalues.f64', new Uint8Array(values.slice().buffer))
    const counts = countEigenvalues(values, params.tolerance)
    return {
      ...common,
      ratio: counts.ofSigned,
      'ratio-of-all': counts.ofAll,
      'eigenvalues/positive': counts.positive,
      'eigenvalues/zero': counts.zero,
      'eigenvalues/negative': counts.negative,
      'eigenvalues/largest': values[0]!,
      'eigenvalues/least': values.at(-1)!,
    }
  },
})

const ratios = (estimator: string) => finishedWith({ estimator }, 'ratio')
/** Ratios by eigenvalues of tanh nets, whose Hessian is smooth. */
const smoothRatios: Choose = (records) =>
  ratios('eigenvalues')(records).filter((record) => netParams(record, records)['activation'] === 'tanh')
/** Lengths of training that a seed must have. */
const minLengths = 4
const lengths = {
  what: 'lengths of training',
  of: (record: TrialRecord, records: Records) => Number(netParams(record, records)['epochs']),
  needed: minLengths,
} as const

/** The original's recipe: its leaky net, then Adam on mini-batches' squared gradient norm. */
const original =
  (...targets: TargetFunction[]): Choose =>
  (records) =>
    finishedWith({ net: 'original', activation: 'leaky', finder: 'gradient-norm' })(records).filter(({ trial }) =>
      targets.includes(trial.params['target'] as TargetFunction),
    )

/** Nets that were trained to half the loss of the best constant before their gradient's norm became the objective. */
const hadLearnt = (record: TrialRecord): boolean => {
  const constant = variance(gridOf(record.trial.params['target'] as TargetFunction, 2001).targets)
  return metric(record, 'switch/loss') <= constant / 2
}

/** What descending on the norm made of the loss on a function: its end ÷ its beginning, over nets that had learnt. */
function lossGrowth(own: Records, target: TargetFunction): number {
  const nets = having(own, { target }).filter(hadLearnt)
  return ratioOf(valuesOf(nets, 'train/loss'), valuesOf(nets, 'switch/loss'))
}

const growsOn = (target: TargetFunction): Effect => ({
  quantity: `loss at the end ÷ loss at the switch, on ${target}`,
  scale: 'log',
  above: 1,
  why: 'no worse than at the switch',
  needs: `a net of the original’s recipe that had learnt ${target} before the switch`,
  trials: original(target),
  of: (own) => lossGrowth(own, target),
})

/** Epochs on each side of the switch that a jump is seen in: single ones are noisy. */
const besideSwitch = 10
/** How much higher a series is in the first epochs after the switch than in the last ones before. */
const jumpOf = (what: string, name: string): Effect => ({
  quantity: `${what} over the ${besideSwitch} epochs after the switch ÷ over the ${besideSwitch} before`,
  scale: 'log',
  above: 1,
  why: 'no jump; published for the norm: 6 times on sinc',
  needs: 'a net of the original’s recipe that had learnt sinc before the switch',
  trials: original('sinc'),
  of: (own) =>
    geometricMean(
      own.filter(hadLearnt).map((record) => {
        const values = seriesOf(record, name)
        const at = axisOf('epochs')(record)
        return ratioOf(values.slice(at, at + besideSwitch), values.slice(at - besideSwitch, at))
      }),
    ),
})

const claims: readonly Claim[] = [
  weighed({
    id: 'lower-loss-nearer-minimum',
    version: 2,
    statement:
      'with tanh and the Hessian’s signed eigenvalues, a lower loss goes with a higher minimal ratio (Spearman ≤ −0.3 over the lengths of training of a seed)',
    published: 'Spearman −0.93 over 100 runs by sampling, and the same sign by eigenvalues (course reports of 2018)',
    effects: [
      trendEffect(
        {
          ...{ settings: lengths, x: metricOf('train/loss'), y: metricOf('ratio') },
          counted: (own) => own.filter((record) => Number.isFinite(metric(record, 'ratio'))),
        },
        {
          quantity: 'Spearman’s correlation of loss and ratio within a seed',
          below: -0.3,
          why: 'less is hardly a trend',
          needs: `${minLengths} tanh nets with eigenvalues and losses of their own`,
          trials: smoothRatios,
        },
      ),
    ],
  }),
  weighed({
    id: 'coin-toss',
    version: 3,
    statement:
      'for the original’s leaky net once it has learnt, with neighbours at a std of 10⁻⁴ and the loss on test points, the sampled ratio is between 0.40 and 0.90 for nine nets in ten',
    published: '100 ratios between 0.455 and 0.865, most 0.50–0.60 (README figure)',
    fragile: true,
    effects: [
      {
        quantity: 'share of nets whose ratio is',
        scale: 'share',
        above: 0.9,
        why: 'nine in ten; 36 nets can show it if none falls out',
        needs: 'the original’s leaky net, having learnt, sampled at 10⁻⁴ on test points',
        trials: (records) =>
          having(ratios('sampled')(records), { std: 1e-4, split: 'test' }).filter((record) => {
            const { net, activation } = netParams(record, records)
            return net === 'original' && activation === 'leaky'
          }),
        of(own, records) {
          const learnt = own.filter((record) => hadLearnt(parentOf(record, records)!))
          if (learnt.length === 0) return NaN
          return learnt.every((record) => metric(record, 'ratio') >= 0.4 && metric(record, 'ratio') <= 0.9) ? 1 : 0
        },
      },
    ],
  }),
  weighed({
    id: 'switch-jumps',
    statement:
      'when training on the gradient norm starts, both loss and norm jump: each is higher in the ten epochs after the switch than in the ten before',
    published:
      'When we start training on gradient norm, there will be a jump on both loss and norm (README); norm 0.01 → 0.06 (figure)',
    effects: [jumpOf('loss', 'train/loss'), jumpOf('gradient norm', 'train/gradient-norm')],
  }),
  weighed({
    id: 'norm-descent-raises-loss',
    version: 3,
    statement: 'on sinc, Adam on mini-batches’ squared gradient norm ends with a higher loss than it began with',
    published: 'at the switch both loss and norm jump (README figure)',
    fragile: true,
    effects: [growsOn('sinc')],
  }),
  weighed({
    id: 'norm-descent-worse-on-f2',
    statement:
      'with a complicated function the result gets worse: on f2, Adam on the squared gradient norm ends with a higher loss than it began with, and with more of a rise than on sinc',
    published: 'When train with complicate function, result can get worse when minimizing gradient norm (README)',
    effects: [
      growsOn('f2'),
      {
        quantity: 'that ratio on f2 ÷ on sinc',
        scale: 'log',
        above: 1,
        why: 'no worse than on the simple function',
        needs: 'nets of the original’s recipe that had learnt f2 and sinc before the switch',
        trials: original('f2', 'sinc'),
        settings: { what: 'functions', of: ({ trial }) => trial.params['target'], needed: ['f2', 'sinc'] },
        of: (own) => lossGrowth(own, 'f2') / lossGrowth(own, 'sinc'),
      },
    ],
  }),
]

/** Which net a ratio is of, and whether its gradient did vanish, which it does on the training points alone. */
function kindOf(record: TrialRecord, all: Records): string {
  const { net, activation } = netParams(record, all)
  const { estimator, split } = record.trial.params
  const where = estimator === 'sampled' && split === 'test' ? 'critical in training, not here' : 'critical'
  return `${String(net)} ${String(activation)} net, ${metric(record, 'converged') === 1 ? where : 'not converged'}`
}

/** The loss over the points that the neighbours' losses were taken over. */
const lossThere = (record: TrialRecord): number => metric(record, `${String(record.trial.params['split'])}/loss`)
/** Of a share of so many neighbours (binomial). */
const shareError = (record: TrialRecord): number =>
  Math.sqrt((metric(record, 'ratio') * (1 - metric(record, 'ratio'))) / axisOf('samples')(record))

const finders = {
  'gradient-norm': { words: 'Adam on the squared norm of mini-batches', x: 'epoch', xScale: 'linear' },
  'gauss-newton': { words: 'Gauss-Newton on the full gradient', x: 'epoch, then step of the finder', xScale: 'log' },
} as const

const phases = (['gradient-norm', 'gauss-newton'] as const).map((finder) =>
  againstSteps({
    name: `loss-and-gradient-norm-${finder}`,
    caption: `Loss and gradient norm over both phases: on the loss, then on the norm by ${finders[finder].words}.`,
    title: `Loss and gradient norm, then ${finders[finder].words}`,
    select: finishedWith({ finder }),
    group: { title: 'epochs on the loss', of: axisOf('epochs') },
    x: finders[finder].x,
    xScale: finders[finder].xScale,
    rule: { title: 'the norm becomes the objective', of: axisOf('epochs') },
    panels: [
      { title: 'mean squared error', scale: 'log', metrics: [{ metric: 'train/loss', label: 'loss' }] },
      { title: 'gradient norm', scale: 'log', metrics: [{ metric: 'train/gradient-norm', label: 'gradient norm' }] },
    ],
    settings: settings('{target}, {net} {activation} net'),
  }),
)

export const minRatio = defineExperiment({
  name: 'min-ratio',
  version: 1,
  title: 'Minimal ratio against loss where the gradient nearly vanishes',
  question: 'Are nearly critical points with a low loss closer to minima than those with a high loss?',
  source: 'min_ratio.py of the 2018 course (HW1-2)',
  objective: { metric: 'train/loss', direction: 'minimize' },
  stages: [main, ratio],
  profiles: {
    smoke: {
      axes: {},
      points: [...critical([30, 300], 10), { rows: 400, epochs: 10, finderSteps: 5 }],
      seeds: [0, 1],
      stages: { ratio: { estimator: ['sampled', 'eigenvalues'], samples: [50] } },
    },
    reduced: {
      axes: {},
      // Beside them the original's own recipe, longer on the loss: f2 is not learnt in its 200 epochs.
      points: [
        ...critical([30, 100, 300, 1000, 3000], 150),
        ...crossed({ net: ['original'], target: ['sinc', 'f2'], epochs: [600] }),
      ],
      seeds: [0, 1, 2, 3, 4, 5, 6, 7],
      // Neighbours on the points where the gradient vanished: elsewhere its slope decides.
      stages: { ratio: { estimator: ['sampled', 'eigenvalues'], split: ['train'] } },
    },
    full: {
      axes: {},
      seeds: Array.from({ length: 100 }, (_, i) => i),
      stages: { ratio: { estimator: ['sampled'], std: [1e-4, 1e-3, 1e-2] } },
    },
  },
  figures: [
    ...phases,
    scatter({
      name: 'loss-against-sampled-ratio',
      caption:
        'Loss against the share of random neighbours that lose more, both over the same points, one point a net; bars: a standard error of the share.',
      title: (records) =>
        `Loss against minimal ratio, noise std ${[...new Set(records.map((r) => r.trial.params['std']))].join(', ')}`,
      select: ratios('sampled'),
      x: { title: 'minimal ratio (share of neighbours with a higher loss)', of: metricOf('ratio'), error: shareError },
      y: { title: 'mean squared error', of: lossThere },
      group: kindOf,
    }),
    scatter({
      name: 'loss-against-eigenvalue-ratio',
      caption: 'Loss against the share of positive among the non-zero eigenvalues of the Hessian, one point a net.',
      title: () => 'Loss against minimal ratio by eigenvalues',
      select: ratios('eigenvalues'),
      x: { title: 'minimal ratio (positive / (positive + negative))', of: metricOf('ratio') },
      y: { title: 'mean squared error (train)', of: metricOf('train/loss') },
      group: kindOf,
    }),
  ],
  claims,
})

/** The setting in which points do become critical: smooth, small, and with the whole gradient. */
function critical(epochs: readonly number[], finderSteps: number): Readonly<Record<string, ParamValue>>[] {
  return epochs.map((count) => ({
    net: 'small',
    activation: 'tanh',
    target: 'sine',
    rows: 128,
    batch: 128,
    learningRate: 0.005,
    finder: 'gauss-newton',
    epochs: count,
    finderSteps,
  }))
}
