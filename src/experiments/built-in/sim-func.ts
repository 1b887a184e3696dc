import { median, variance } from '../../analysis/statistics.js'
import { maxOf } from '../../core/extremes.js'
import { integer, type ParamsOf } from '../../core/space.js'
import type { Metrics, TrialRecord } from '../../core/trial.js'
import {
  gridOf,
  sampleFunction,
  targetFunctionNames,
  targetFunctions,
  type TargetFunction,
} from '../../data/functions.js'
import { againstSteps } from '../../figures/against-steps.js'
import { curves } from '../../figures/curves.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne } from '../vocabulary/checks.js'
import { bySeed, geometricMean, ratioOf, weighed, type Effect } from '../vocabulary/effects.js'
import { settings } from '../vocabulary/figures.js'
import { lossSurface } from '../vocabulary/loss-surface.js'
import { functionNet, hiddenActivations } from '../vocabulary/nets.js'
import { axisOf, medianUntil, metric } from '../vocabulary/numbers.js'
import { finished, having, type Choose, type Records } from '../vocabulary/records.js'
import { recipe, trainNet } from '../vocabulary/train-net.js'

/**
 * At an equal number of parameters, do deeper nets fit a wiggly function better?
 *
 * Four nets of about 1250 parameters, 14, 7, 3 and 1 hidden layers, on 10,000 points of x ∈ [0, 1]. The original:
 * sim_func.py (HW1-1); Keras's Adam at 0.001, batch 300, leaky ReLU of slope 0.1, mean squared error.
 */
const originals = {
  m1: [5, ...Array<number>(11).fill(10), 5, 4],
  m2: [4, 9, 16, 25, 16, 9, 4],
  m3: [18, 32, 18],
  m4: [417],
} as const satisfies Record<string, readonly number[]>
type Original = keyof typeof originals
const publishedCounts = { m1: 1254, m2: 1252, m3: 1257, m4: 1252 } as const

const space = {
  target: axes.target('f1'),
  model: axes.oneOf(
    ['m1', 'm2', 'm3', 'm4', 'even'],
    'one of the original four (14, 7, 3 and 1 hidden layers), or even widths of the given depth and budget',
  ),
  depth: axes.layers(14, 3, 'hidden layers of the model `even`'),
  budget: integer({ min: 50, max: 1_000_000, default: 1252, doc: 'parameters of the model `even`, to within 1 %' }),
  activation: axes.oneOf(['leaky', 'relu', 'tanh'], 'after each hidden layer'),
  rows: axes.points(10_000, 10),
  batch: axes.batchOfPoints(300),
  epochs: axes.epochs(1000, { max: 1_000_000, doc: 'passes over the points' }),
  learningRate: axes.learningRate(0.001),
}
type P = ParamsOf<typeof space>

const countOf = (widths: readonly number[]): number =>
  [...widths, 1].reduce((sum, units, i) => sum + units * ((widths[i - 1] ?? 1) + 1), 0)

/** Widths as even as can be whose net comes nearest to the budget: some layers are one unit wider than the others. */
export function evenWidths(depth: number, budget: number): number[] {
  let best: number[] = []
  let nearest = Infinity
  for (let width = 1; ; width++) {
    const even = Array<number>(depth).fill(width)
    if (countOf(even) - budget > nearest) return best
    for (let wider = 0; wider < depth; wider++) {
      const widths = even.map((units, i) => (i < wider ? units + 1 : units))
      const distance = Math.abs(countOf(widths) - budget)
      if (distance < nearest) [best, nearest] = [widths, distance]
    }
  }
}

const widthsOf = ({ model, depth, budget }: Pick<P, 'model' | 'depth' | 'budget'>): readonly number[] =>
  model === 'even' ? evenWidths(depth, budget) : originals[model]

/** Single epochs spike, so what a net has learnt is a median over its last epochs. */
const lateEpochs = 20
const curvePoints = 501

const main = defineStage({
  name: 'main',
  space,
  cost: (params) => 6 * countOf(widthsOf(params)) * params.rows * params.epochs,
  async run(params, context): Promise<Metrics> {
    const { engine, seeds, signal } = context
    const net = functionNet(widthsOf(params), hiddenActivations[params.activation])
    const rows = sampleFunction(params.target, params.rows, seeds.data, 'train')
    const test = sampleFunction(params.target, params.rows, seeds.data, 'test')
    const loss = 'mean-squared-error'
    const { lossAt } = lossSurface({ net, loss, rows: test }, context)
    context.log(`${net.parameterCount} parameters in ${widthsOf(params).length} hidden layers`)

    const late: { train: number[]; test: number[] } = { train: [], test: [] }
    const { parameters, updates } = await trainNet(context, {
      net,
      loss,
      rows,
      ...recipe(params),
      async onEpoch(epoch, trained, weights) {
        if (epoch <= params.epochs - lateEpochs) return context.report(epoch, { 'train/loss': trained.loss })
        const held = await lossAt(weights())
        late.train.push(trained.loss)
        late.test.push(held)
        await context.report(epoch, { 'train/loss': trained.loss, 'test/loss': held })
      },
    })
    const { features } = gridOf(params.target, curvePoints)
    const curve = await engine.outputs(net, features, parameters, signal)
    await context.save('curve.f32', new Uint8Array(curve.buffer))
    return {
      'train/loss': late.train.at(-1)!,
      'test/loss': late.test.at(-1)!,
      'train/late-loss': median(late.train),
      'test/late-loss': median(late.test),
      parameters: net.parameterCount,
      updates,
    }
  },
})

/** When the original judged a function. */
const judgedAt: Partial<Record<TargetFunction, number>> = { f1: 500, f2: 1000 }

/** Trials as the original had them, of one function, that came as far as the epoch it is judged at. */
function original(records: Records, target: TargetFunction): TrialRecord[] {
  return having(finished(records), { target, activation: 'leaky', batch: 300, learningRate: 0.001 }).filter(
    (record) => axisOf('epochs')(record) >= judgedAt[target]! && record.trial.params['model'] !== 'even',
  )
}

/** The training loss around the epoch that a function is judged at. */
const lossAt =
  (target: TargetFunction) =>
  (record: TrialRecord): number =>
    medianUntil(record, 'train/loss', judgedAt[target]!, lateEpochs)

/** How one net's loss compares with another's on a function. */
const against = (target: TargetFunction, model: Original, other: Original, below = 1): Effect => ({
  quantity: `${model}’s loss ÷ ${other}’s`,
  scale: 'log',
  below,
  needs: `${model} and ${other} on ${target} for ${judgedAt[target]} epochs`,
  of: (records) =>
    bySeed(original(records, target), (own) =>
      ratioOf(having(own, { model }).map(lossAt(target)), having(own, { model: other }).map(lossAt(target))),
    ),
})

/** A net's loss on a function, held to a bound. */
const lossOf = (target: TargetFunction, model: Original, bound: Pick<Effect, 'above' | 'below'>): Effect => ({
  quantity: `${model}’s loss`,
  scale: 'log',
  ...bound,
  needs: `${model} on ${target} for ${judgedAt[target]} epochs`,
  of: (records) =>
    bySeed(original(records, target), (own) => geometricMean(having(own, { model }).map(lossAt(target)))),
})

/** What the best constant loses. */
const constantLoss = (target: TargetFunction): number => variance(gridOf(target, 2001).targets)
/** Nets that fit their function better than a constant does: others would show nothing of training. */
const learnt: Choose = (records) =>
  finished(records).filter(
    (record) => metric(record, 'train/late-loss') <= constantLoss(record.trial.params['target'] as TargetFunction) / 2,
  )

const claims: readonly Claim[] = [
  {
    id: 'parameter-counts',
    kind: 'check',
    statement: 'the four nets have 1254, 1252, 1257 and 1252 parameters',
    published: '1254, 1252, 1257, 1252 (sim_func.py)',
    check: everyOne(
      (records) => finished(records).filter(({ trial }) => trial.params['model'] !== 'even'),
      'trial',
      (record) => metric(record, 'parameters') === publishedCounts[record.trial.params['model'] as Original],
      { none: 'none of the four has finished', told: ' have exactly that many' },
    ),
  },
  weighed({
    id: 'plateau',
    version: 2,
    statement:
      "on f1, training begins on a plateau and leaves it: the deepest net's first three epochs lose as much as the best constant (to within 5 %), epoch 500 less than half",
    published: 'the plateau is the target’s variance, 0.250 (calibration runs)',
    effects: [
      {
        quantity: 'm1’s loss over epochs 1 to 3 ÷ the target’s variance',
        scale: 'log',
        above: 0.95,
        below: 1.05,
        needs: 'm1 on f1 for 500 epochs',
        of: (records) =>
          bySeed(having(original(records, 'f1'), { model: 'm1' }), (own) =>
            ratioOf(
              own.map((record) => medianUntil(record, 'train/loss', 3, 3)),
              [constantLoss('f1')],
            ),
          ),
      },
      lossOf('f1', 'm1', { below: constantLoss('f1') / 2 }),
    ],
  }),
  ...(['f1', 'f2'] as const).map((target) =>
    weighed({
      id: `deep-beats-shallow-${target}`,
      version: 2,
      statement: `on ${target}, m1 and m2 end at most at a twentieth of m4's loss, with m3 between (below m4, above m1 and m2)`,
      published:
        target === 'f1'
          ? 'm1 about 1e-4, m2 3e-4, m3 1.1e-3, m4 0.12 after 500 epochs (README figure)'
          : 'm1 about 3e-4, m2 2.7e-3, m3 3.7e-3, m4 0.075 after 1000 epochs (README figure)',
      effects: [
        against(target, 'm1', 'm4', 1 / 20),
        against(target, 'm2', 'm4', 1 / 20),
        against(target, 'm3', 'm4'),
        against(target, 'm1', 'm3'),
        against(target, 'm2', 'm3'),
      ],
    }),
  ),
  ...(
    [
      ['f1', 1e-2],
      ['f2', 5e-2],
    ] as const
  ).map(([target, bound]) =>
    weighed({
      id: `shallow-fails-${target}`,
      version: 2,
      statement: `on ${target}, the one-layer net stays above ${bound}, below which the deepest one comes`,
      published: target === 'f1' ? 'm4 about 0.12; it misses the right half of f1' : 'm4 about 0.075',
      effects: [lossOf(target, 'm4', { above: bound }), lossOf(target, 'm1', { below: bound })],
    }),
  ),
  weighed({
    id: 'deepest-first-f2',
    version: 2,
    statement: 'on f2, the deepest net ends below the second deepest',
    published: 'm1 about 3e-4, m2 2.7e-3 (README figure); on f1 their order depends on the seed',
    effects: [against('f2', 'm1', 'm2')],
  }),
  weighed({
    id: 'no-overfitting',
    version: 2,
    statement:
      'of nets that have learnt (half the loss of a constant), the test loss is at most three times the training loss (medians over the last 20 epochs)',
    published: 'train and test loss are printed alike (sim_func.py)',
    effects: [
      {
        quantity: 'the greatest test loss ÷ training loss of a seed’s nets',
        scale: 'log',
        below: 3,
        needs: 'a net that has learnt',
        of: (records) =>
          bySeed(learnt(records), (own) =>
            maxOf(own.map((record) => metric(record, 'test/late-loss') / metric(record, 'train/late-loss'))),
          ),
      },
    ],
  }),
]

const depths: Readonly<Record<string, string>> = {
  m1: 'm1 (14 hidden layers)',
  m2: 'm2 (7)',
  m3: 'm3 (3)',
  m4: 'm4 (1)',
}
const modelOf = ({ trial: { params } }: TrialRecord): string =>
  depths[String(params['model'])] ?? `depth ${String(params['depth'])}, ${String(params['budget'])} parameters`

const figures = targetFunctionNames.flatMap((target) => {
  const select = (records: Records): TrialRecord[] => having(records, { target })
  return [
    curves({
      name: `curves-${target}`,
      caption: `What each net made of ${target}, over the function itself.`,
      title: `Fitted curves: ${target}`,
      select,
      group: modelOf,
      artifact: 'curve.f32',
      domain: [0, 1],
      x: 'x',
      y: 'y',
      truth: () => targetFunctions[target],
      settings: settings('after {epochs} epochs'),
    }),
    againstSteps({
      name: `loss-${target}`,
      caption: `Training loss by epoch on ${target}, logarithmic.`,
      title: `Training loss: ${target}`,
      select,
      group: { title: '', of: modelOf },
      panels: [{ title: 'mean squared error', scale: 'log', metrics: [{ metric: 'train/loss', label: 'train' }] }],
      settings: settings('Adam {learningRate}, batch {batch}'),
    }),
  ]
})

export const simFunc = defineExperiment({
  name: 'sim-func',
  version: 1,
  title: 'Function fitting at equal numbers of parameters',
  question: 'At equal parameter count, do deeper nets fit a wiggly function better?',
  source: 'sim_func.py of the 2018 course (HW1-1): f1 for 500 epochs, f2 for 1000',
  objective: { metric: 'train/late-loss', direction: 'minimize' },
  stages: [main],
  profiles: {
    smoke: { axes: { model: ['m1', 'm2', 'm3', 'm4'], target: ['f1'], epochs: [40], rows: [2000] }, seeds: [0] },
    reduced: { axes: { model: ['m1', 'm2', 'm3', 'm4'], target: ['f1', 'f2'] }, seeds: [0, 1, 2] },
    full: {
      axes: { model: ['m1', 'm2', 'm3', 'm4'], target: ['f1', 'f2', 'sinc', 'square', 'damped-sine'] },
      seeds: [0, 1, 2, 3, 4],
    },
    // Depth 1 to 14 at three budgets, instead of four nets that differ in more than depth.
    depth: {
      axes: {
        model: ['even'],
        depth: [1, 2, 3, 5, 7, 10, 14],
        budget: [571, 1252, 10_350],
        target: ['f1'],
        epochs: [500],
      },
      seeds: [0, 1, 2],
    },
  },
  figures,
  claims,
})
