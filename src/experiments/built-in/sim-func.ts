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
import { everyOne, given, inconclusive, verdict } from '../vocabulary/claims.js'
import { settings } from '../vocabulary/figures.js'
import { lossSurface } from '../vocabulary/loss-surface.js'
import { functionNet, hiddenActivations } from '../vocabulary/nets.js'
import { axisOf, medianUntil, metric } from '../vocabulary/numbers.js'
import { finished, finishedWith, having, type Records } from '../vocabulary/records.js'
import { recipe, trainNet } from '../vocabulary/train-net.js'
import { brief, round } from '../vocabulary/wording.js'

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

/** Median over seeds of the training loss around an epoch, for one of the original nets. */
function lossOf(records: Records, model: string, epoch: number): number {
  return median(having(records, { model }).map((record) => medianUntil(record, 'train/loss', epoch, lateEpochs)))
}

/** Trials as the original had them, of one function, that came as far as the epoch it is judged at. */
function original(records: Records, target: TargetFunction): TrialRecord[] {
  return having(finished(records), { target, activation: 'leaky', batch: 300, learningRate: 0.001 }).filter(
    (record) => axisOf('epochs')(record) >= judgedAt[target]! && record.trial.params['model'] !== 'even',
  )
}

const compare =
  (
    target: TargetFunction,
    needed: readonly Original[],
    judge: (loss: (model: Original) => number) => { holds: boolean; effect?: number },
  ): Claim['check'] =>
  (records) => {
    const these = original(records, target)
    const missing = needed.filter((model) => having(these, { model }).length === 0)
    if (missing.length > 0)
      return inconclusive(`no finished ${missing.join(', ')} on ${target} for ${judgedAt[target]} epochs`, these)
    const loss = (model: Original): number => lossOf(these, model, judgedAt[target]!)
    const { holds, effect } = judge(loss)
    const losses = needed.map((model) => `${model} ${brief(loss(model))}`).join(', ')
    return verdict(holds, these, `median loss at epoch ${judgedAt[target]}: ${losses}`, effect)
  }

const claims: readonly Claim[] = [
  {
    id: 'parameter-counts',
    statement: 'the four nets have 1254, 1252, 1257 and 1252 parameters',
    published: '1254, 1252, 1257, 1252 (sim_func.py)',
    check: everyOne(
      (records) => finished(records).filter(({ trial }) => trial.params['model'] !== 'even'),
      'trial',
      (record) => metric(record, 'parameters') === publishedCounts[record.trial.params['model'] as Original],
      { none: 'none of the four has finished', told: ' have exactly that many' },
    ),
  },
  {
    id: 'plateau',
    statement:
      "on f1, training begins on a plateau: the deepest net's first epochs lose as much as the best constant (to within 5 %)",
    published: 'the plateau is the target’s variance, 0.250 (calibration runs)',
    check: given(
      finishedWith({ model: 'm1', activation: 'leaky', target: 'f1' }),
      'm1 has not finished on f1',
      (deepest) => {
        const constant = variance(gridOf('f1', 2001).targets)
        const first = median(deepest.map((record) => medianUntil(record, 'train/loss', 3, 3)))
        const ratio = first / constant
        return verdict(Math.abs(ratio - 1) <= 0.05, deepest, `${round(ratio)} of the target's variance`, ratio)
      },
    ),
  },
  ...(['f1', 'f2'] as const).map((target): Claim => ({
    id: `deep-beats-shallow-${target}`,
    statement: `on ${target}, m1 and m2 end at most at a twentieth of m4's loss, with m3 between`,
    published:
      target === 'f1'
        ? 'm1 about 1e-4, m2 3e-4, m3 1.1e-3, m4 0.12 after 500 epochs (README figure)'
        : 'm1 about 3e-4, m2 2.7e-3, m3 3.7e-3, m4 0.075 after 1000 epochs (README figure)',
    check: compare(target, ['m1', 'm2', 'm3', 'm4'], (loss) => ({
      holds:
        Math.max(loss('m1'), loss('m2')) <= loss('m4') / 20 &&
        loss('m3') < loss('m4') &&
        loss('m3') > Math.min(loss('m1'), loss('m2')),
      effect: Math.max(loss('m1'), loss('m2')) / loss('m4'),
    })),
  })),
  ...(
    [
      ['f1', 1e-2],
      ['f2', 5e-2],
    ] as const
  ).map(([target, bound]): Claim => ({
    id: `shallow-fails-${target}`,
    statement: `on ${target}, the one-layer net stays above ${bound}`,
    published: target === 'f1' ? 'm4 about 0.12; it misses the right half of f1' : 'm4 about 0.075',
    check: compare(target, ['m4'], (loss) => ({ holds: loss('m4') > bound, effect: loss('m4') })),
  })),
  {
    id: 'deepest-first-f2',
    statement: 'on f2, the deepest net ends below the second deepest',
    published: 'm1 about 3e-4, m2 2.7e-3 (README figure); on f1 their order depends on the seed',
    check: compare('f2', ['m1', 'm2'], (loss) => ({
      holds: loss('m1') < loss('m2'),
      effect: loss('m1') / loss('m2'),
    })),
  },
  {
    id: 'no-overfitting',
    statement: 'the test loss is at most three times the training loss (medians over the last 20 epochs)',
    published: 'train and test loss are printed alike (sim_func.py)',
    check: given(finished, 'no finished trial', (all) => {
      const ratio = maxOf(all.map((record) => metric(record, 'test/late-loss') / metric(record, 'train/late-loss')))
      return verdict(ratio <= 3, all, `at most ${brief(ratio)} times, over ${all.length} trials`, ratio)
    }),
  },
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
