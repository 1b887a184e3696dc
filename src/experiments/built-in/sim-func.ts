import { median, variance } from '../../analysis/statistics.js'
import { maxOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import { integer, type ParamsOf } from '../../core/space.js'
import type { Metrics, Trial, TrialRecord } from '../../core/trial.js'
import {
  gridOf,
  sampleFunction,
  targetFunctionNames,
  targetFunctions,
  type TargetFunction,
} from '../../data/functions.js'
import type { Net } from '../../net/net.js'
import { againstSteps } from '../../figures/against-steps.js'
import { curves } from '../../figures/curves.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne } from '../vocabulary/checks.js'
import { geometricMean, ratioOf, weighed, type Effect, type Settings } from '../vocabulary/effects.js'
import { settings } from '../vocabulary/figures.js'
import { lossSurface } from '../vocabulary/loss-surface.js'
import { functionNet, hiddenActivations } from '../vocabulary/nets.js'
import { medianUntil, metric } from '../vocabulary/numbers.js'
import { crossed } from '../vocabulary/profiles.js'
import { pointsOfFunction } from '../vocabulary/rows.js'
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

const netOf = (params: Pick<P, 'model' | 'depth' | 'budget' | 'activation'>): Net =>
  functionNet(widthsOf(params), hiddenActivations[params.activation])

/** Single epochs spike, so what a net has learnt is a median over its last epochs. */
const lateEpochs = 20
const curvePoints = 501

const main = defineStage({
  name: 'main',
  space,
  rows: pointsOfFunction,
  net: netOf,
  cost: (params) => 6 * countOf(widthsOf(params)) * params.rows * params.epochs,
  async run(params, context): Promise<Metrics> {
    const { engine, seeds, signal } = context
    const net = netOf(params)
    const rows = sampleFunction(params.target, params.rows, seeds.data, 'train')
    const test = sampleFunction(params.target, params.rows, seeds.data, 'test')
    const loss = 'mean-squared-error'
    const { lossAt } = lossSurface({ net, loss, rows: test }, context)
    context.log(`${net.parameterCount} parameters in ${widthsOf(params).length} hidden layers`)

    let late: { train: number[]; test: number[] } = { train: [], test: [] }
    const { parameters, updates } = await trainNet(context, {
      net,
      loss,
      rows,
      ...recipe(params),
      memory: { read: () => late, write: (value) => (late = value as typeof late) },
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

/** Trials as the original had them, of some functions, that go as far as an epoch. */
const original =
  (targets: readonly TargetFunction[], epoch: number, activations: readonly string[] = ['leaky']): Choose =>
  (records) =>
    having(finished(records), { batch: 300, learningRate: 0.001 }).filter(
      ({ trial: { params } }) =>
        targets.includes(params['target'] as TargetFunction) &&
        activations.includes(params['activation'] as string) &&
        Number(params['epochs']) >= epoch &&
        params['model'] !== 'even',
    )

/** The training loss around an epoch. */
const lossAt =
  (epoch: number) =>
  (record: TrialRecord): number =>
    medianUntil(record, 'train/loss', epoch, lateEpochs)

const modelsOf = (...needed: Original[]): Settings => ({
  what: 'nets',
  of: ({ trial }) => trial.params['model'],
  needed,
})

/** How one net's loss compares with another's on a function. */
function against(target: 'f1' | 'f2', model: Original, other: Original, bound: Bound): Effect {
  const epoch = judgedAt[target]!
  const losses = (own: Records, of: Original): number[] => having(own, { model: of }).map(lossAt(epoch))
  return {
    quantity: `${model}’s loss ÷ ${other}’s`,
    scale: 'log',
    ...bound,
    needs: `${model} and ${other} on ${target} for ${epoch} epochs`,
    trials: original([target], epoch),
    settings: modelsOf(model, other),
    of: (own) => ratioOf(losses(own, model), losses(own, other)),
  }
}
type Bound = Pick<Effect, 'above' | 'below' | 'why'>
const lower: Bound = { below: 1, why: 'equal losses' }
const far: Bound = { below: 1 / 20, why: 'published: 1/25 to 1/1200' }

/** A net's loss on a function, held to a bound. */
const lossOf = (target: 'f1' | 'f2', model: Original, bound: Bound): Effect => ({
  quantity: `${model}’s loss`,
  scale: 'log',
  ...bound,
  needs: `${model} on ${target} for ${judgedAt[target]} epochs`,
  trials: (records) => having(original([target], judgedAt[target]!)(records), { model }),
  of: (own) => geometricMean(own.map(lossAt(judgedAt[target]!))),
})

/** How much more a net without a slope below zero loses, over the nets and functions that a seed has both ways. */
const leakyGain: Effect = {
  quantity: 'ReLU’s loss ÷ leaky ReLU’s, over nets and functions',
  scale: 'log',
  above: 1,
  why: 'equal losses',
  needs: 'the same nets with both activations, on f1 for 500 epochs or on f2 for 1000',
  trials: (records) =>
    (['f1', 'f2'] as const).flatMap((target) => original([target], judgedAt[target]!, ['leaky', 'relu'])(records)),
  settings: { what: 'activations', of: ({ trial }) => trial.params['activation'], needed: ['leaky', 'relu'] },
  of(own) {
    const gains = [...groupBy(own, ({ trial }) => `${String(trial.params['model'])} ${targetOf(trial)}`).values()].map(
      (alike) => {
        const at = lossAt(judgedAt[targetOf(alike[0]!.trial)]!)
        return ratioOf(having(alike, { activation: 'relu' }).map(at), having(alike, { activation: 'leaky' }).map(at))
      },
    )
    return geometricMean(gains.filter((gain) => !Number.isNaN(gain)))
  },
}
const targetOf = ({ params }: Trial): TargetFunction => params['target'] as TargetFunction

/**
 * Five functions of rising difficulty: by their way up and down in standard deviations (total variation ÷ deviation), 7,
 * 14, 18, 25 and 99.
 */
const byDifficulty = ['sinc', 'damped-sine', 'f1', 'f2', 'f2-fast'] as const satisfies TargetFunction[]
const [simplest, hardest] = [byDifficulty[0], byDifficulty.at(-1)!]
const gainEpoch = 500

/** How much more depth gains on the three functions between than on one at an end. */
const gainBeside = (end: TargetFunction): Effect => ({
  quantity: `gain of depth (m4’s loss ÷ m1’s) between ÷ on ${end}`,
  scale: 'log',
  above: 1,
  why: 'equal gains',
  needs: `m1 and m4 on ${byDifficulty.join(', ')} for ${gainEpoch} epochs`,
  trials: (records) =>
    original(
      byDifficulty,
      gainEpoch,
    )(records).filter(({ trial }) => ['m1', 'm4'].includes(String(trial.params['model']))),
  settings: {
    what: 'nets and functions',
    of: ({ trial }) => `${String(trial.params['model'])} on ${targetOf(trial)}`,
    needed: byDifficulty.flatMap((target) => [`m1 on ${target}`, `m4 on ${target}`]),
  },
  of(own) {
    const losses = (model: Original, target: TargetFunction): number[] =>
      having(own, { model, target }).map(lossAt(gainEpoch))
    const gain = (target: TargetFunction): number => ratioOf(losses('m4', target), losses('m1', target))
    return geometricMean(byDifficulty.slice(1, -1).map(gain)) / gain(end)
  },
})

/** What the best constant loses. */
const constantLoss = (target: TargetFunction): number => variance(gridOf(target, 2001).targets)
/** Nets that fit their function better than a constant does: others would show nothing of training. */
const hasLearnt = (record: TrialRecord): boolean =>
  metric(record, 'train/late-loss') <= constantLoss(targetOf(record.trial)) / 2

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
        why: 'to within 5 %',
        needs: 'm1 on f1 for 500 epochs',
        trials: (records) => having(original(['f1'], 500)(records), { model: 'm1' }),
        of: (own) =>
          ratioOf(
            own.map((record) => medianUntil(record, 'train/loss', 3, 3)),
            [constantLoss('f1')],
          ),
      },
      lossOf('f1', 'm1', { below: constantLoss('f1') / 2, why: 'half of what a constant loses' }),
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
        against(target, 'm1', 'm4', far),
        against(target, 'm2', 'm4', far),
        against(target, 'm3', 'm4', lower),
        against(target, 'm1', 'm3', lower),
        against(target, 'm2', 'm3', lower),
      ],
    }),
  ),
  ...(
    [
      ['f1', 1e-2, 'between the published 0.12 of m4 and 1e-4 of m1'],
      ['f2', 5e-2, 'between the published 0.075 of m4 and 3e-4 of m1'],
    ] as const
  ).map(([target, bound, why]) =>
    weighed({
      id: `shallow-fails-${target}`,
      version: 2,
      statement: `on ${target}, the one-layer net stays above ${bound}, below which the deepest one comes`,
      published: target === 'f1' ? 'm4 about 0.12; it misses the right half of f1' : 'm4 about 0.075',
      effects: [lossOf(target, 'm4', { above: bound, why }), lossOf(target, 'm1', { below: bound, why })],
    }),
  ),
  weighed({
    id: 'deepest-first-f2',
    version: 2,
    statement: 'on f2, the deepest net ends below the second deepest',
    published: 'm1 about 3e-4, m2 2.7e-3 (README figure); on f1 their order depends on the seed',
    effects: [against('f2', 'm1', 'm2', lower)],
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
        why: 'single epochs of deep nets spike by more',
        needs: 'a net that has learnt',
        trials: finished,
        of(own) {
          const learnt = own.filter(hasLearnt)
          if (learnt.length === 0) return NaN
          return maxOf(learnt.map((record) => metric(record, 'test/late-loss') / metric(record, 'train/late-loss')))
        },
      },
    ],
  }),
  weighed({
    id: 'leaky-beats-relu',
    statement: 'leaky ReLU works better than ReLU: nets with it end with a lower training loss',
    published: 'LeakyReLU seems to work better than ReLU (README, without a figure)',
    effects: [leakyGain],
  }),
  weighed({
    id: 'neither-too-simple-nor-too-complicated',
    statement:
      'functions can’t be too simple or too complicated: of five, depth gains more on the three between than on the simplest, and than on the most complicated',
    published: 'Functions cannot be too simple or complicated (README, without a figure)',
    effects: [gainBeside(simplest), gainBeside(hardest)],
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
    reduced: {
      axes: {},
      points: [
        ...crossed({ model: ['m1', 'm2', 'm3', 'm4'], target: ['f1', 'f2'], activation: ['leaky', 'relu'] }),
        // Depth's gain on simpler and harder functions is judged earlier.
        ...crossed({
          model: ['m1', 'm4'],
          target: byDifficulty.filter((target) => !(target in judgedAt)),
          epochs: [gainEpoch],
        }),
      ],
      seeds: [0, 1, 2, 3, 4],
    },
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
