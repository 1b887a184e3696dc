import { describe, expect, it } from 'vitest'
import type { TrialRecord } from '../../src/core/trial.js'
import type { TargetFunction } from '../../src/data/functions.js'
import { parameterCount } from '../../src/experiments/built-in/params.js'
import { experimentNames, findExperiment } from '../../src/experiments/registry.js'
import { measured, net, noise } from '../helpers/claims.js'

/**
 * For every claim, one seed's records of a world in which it is true (`held` is true) and of one in which it is not. Over
 * many seeds of the one it must be reproduced, of the other not; over two, or over seeds that disagree, neither.
 */
type World = (held: boolean, seed: number) => TrialRecord[]

const repeat = (count: number, value: number): number[] => Array<number>(count).fill(value)

const cnn =
  (losses: (held: boolean) => Record<string, number>, accuracies: (held: boolean) => Record<string, number>): World =>
  (held, seed) =>
    ['c1', 'c2', 'c3', 'c4'].map((structure) =>
      net(
        seed,
        { structure, convActivation: 'linear', epochs: 500, batch: 40, trainRows: 8000, testRows: 2000 },
        { 'test/accuracy': accuracies(held)[structure]! + 1e-4 * noise(seed, structure) },
        { 'train/loss': repeat(500, losses(held)[structure]! * (1 + 0.1 * noise(seed, structure))) },
      ),
    )
const alike = () => ({ c1: 0.97, c2: 0.97, c3: 0.97, c4: 0.97 })
const lag = (held: boolean) => ({ c1: 1e-7, c2: 1e-7, c3: held ? 1e-3 : 2e-6, c4: 1e-7 })

const simFunc =
  (target: TargetFunction, losses: (held: boolean) => Record<string, number>, first = 0.25): World =>
  (held, seed) =>
    Object.entries(losses(held)).map(([model, loss]) => {
      const end = loss * (1 + 0.1 * noise(seed, model))
      const begin = held ? first : 2 * first
      return net(
        seed,
        { model, target, activation: 'leaky', batch: 300, learningRate: 0.001, epochs: 1000 },
        { 'train/late-loss': end, 'test/late-loss': (held ? 1.1 : 5) * end * (1 + 0.1 * noise(seed, 'test')) },
        { 'train/loss': [...repeat(3, begin * (1 + 0.01 * noise(seed))), ...repeat(997, end)] },
      )
    })
const deep = (held: boolean) => ({ m1: 1e-4, m2: 2e-4, m3: held ? 1e-3 : 5e-5, m4: 0.1 })
/** The same nets with both activations. */
const bothActivations: World = (held, seed) =>
  (['leaky', 'relu'] as const).flatMap((activation) =>
    simFunc('f1', () => ({ m1: 1e-4, m4: 0.1 }))(true, seed).map((record) => {
      const factor = (activation === 'relu') === held ? 3 : 1
      return net(
        seed,
        { ...record.trial.params, activation },
        {},
        { 'train/loss': record.series['train/loss']!.values.map((loss) => loss * factor) },
      )
    }),
  )
/** What depth gains on five functions: most between, or most at both ends. */
const fiveFunctions: World = (held, seed) =>
  (['sinc', 'damped-sine', 'f1', 'f2', 'f2-fast'] as const).flatMap((target, i) => {
    const isBetween = i > 0 && i < 4
    const gain = (isBetween === held ? 100 : 2) * (1 + 0.1 * noise(seed, target))
    return simFunc(target, () => ({ m1: 0.1 / gain, m4: 0.1 }))(true, seed)
  })
const shallow = (held: boolean) => ({ m1: 1e-4, m2: 2e-4, m3: 1e-3, m4: held ? 0.1 : 1e-3 })

const pca: World = (held, seed) => [
  net(
    seed,
    { testRows: 2000, epochs: 100, snapshotEvery: 3 },
    {
      ...{ 'test/accuracy': 0.97 + 0.001 * noise(seed) },
      ...{ 'start/accuracy': (held ? 0.1 : 0.5) + 0.01 * noise(seed), 'path/first-snapshots-outward': held ? 1 : 0 },
    },
  ),
]

const gradNorm =
  (target: string): World =>
  (held, seed) => {
    // The loss falls steeply at epoch 100; the norm falls throughout or rises, and peaks there or far from it.
    const losses = Array.from({ length: 300 }, (_, i) => (i < 100 ? 1 : 0.1))
    const norms = losses.map((_, i) => (held ? 300 - i : i) + 40 * noise(seed, i))
    const peak = (held ? 98 : 250) + Math.round(noise(seed))
    return [
      net(
        seed,
        { dataset: 'function', target, optimizer: 'adam', epochs: 300 },
        {},
        {
          ...{ 'train/loss': losses, 'gradient/epoch-mean': norms, 'gradient/last-batch': norms },
          'gradient/full-batch': losses.map((_, i) => (i === peak ? 1000 : norms[i]!)),
        },
      ),
    ]
  }

const interpolate: World = (held, seed) => {
  const nets = [100, 1000].map((batch) =>
    net(
      seed,
      { batch, init: 'independent', testRows: 2000, trainRows: 8000, budget: 'epochs', epochs: 200 },
      { 'train/accuracy': 1 - 1e-4 * (1 + noise(seed, batch)) },
    ),
  )
  const line = measured(
    'interpolate',
    nets,
    { path: 'linear', alphaStep: 0.05 },
    {
      ...{ 'a/accuracy': 1, 'b/accuracy': 1, 'path/barrier': (held ? 190 : 0.5) * (1 + 0.1 * noise(seed)) },
      ...{ 'a/width': (held ? 1.5 : 0.6) + 0.05 * noise(seed), 'b/width': 1 },
      ...{ 'a/test-accuracy': (held ? 0.93 : 0.9) + 0.002 * noise(seed), 'b/test-accuracy': 0.9 },
    },
  )
  return [...nets, line]
}
const unfitted: World = (held, seed) =>
  held
    ? interpolate(held, seed)
    : interpolate(held, seed).map((record) => ({ ...record, metrics: { ...record.metrics, 'train/accuracy': 0.5 } }))

const minRatio: World = (held, seed) =>
  [10, 20, 40, 80, 160].flatMap((epochs, i) => {
    const tanh = net(seed, { net: 'small', activation: 'tanh', epochs }, {})
    const order = held ? -i : i
    return [
      tanh,
      measured(
        'ratio',
        [tanh],
        { estimator: 'eigenvalues' },
        { 'train/loss': 10 - i, ratio: 0.5 - 0.05 * order + 0.01 * noise(seed, i) },
      ),
    ]
  })
const leaky: World = (held, seed) => {
  const original = net(
    seed,
    { net: 'original', activation: 'leaky', target: 'sinc', finder: 'gradient-norm' },
    { 'switch/loss': 0.001, 'train/loss': (held ? 0.01 : 1e-4) * (1 + 0.1 * noise(seed)) },
  )
  const sampled = { estimator: 'sampled', std: 1e-4, split: 'test' } as const
  return [original, measured('ratio', [original], sampled, { ratio: held ? 0.55 : 0.2 })]
}
/** Nets of the original's recipe: what the switch to the norm makes of loss and norm, at once and in the end. */
const switched =
  (target: TargetFunction, growthOf: (held: boolean) => number): World =>
  (held, seed) => {
    const after = growthOf(held) * (1 + 0.1 * noise(seed, target))
    const course = [...repeat(20, 0.001), ...repeat(20, 0.001 * after)]
    return [
      net(
        seed,
        { net: 'original', activation: 'leaky', target, finder: 'gradient-norm', epochs: 20 },
        { 'switch/loss': 0.001, 'train/loss': 0.001 * after },
        { 'train/loss': course, 'train/gradient-norm': course },
      ),
    ]
  }
const jumps = switched('sinc', (held) => (held ? 5 : 0.2))
const worseOnF2: World = (held, seed) => [
  ...switched('f2', () => (held ? 5 : 0.2))(held, seed),
  ...switched('sinc', () => 1.2)(held, seed),
]

const params: World = (held, seed) =>
  [5, 20, 40, 60, 80, 100, 130, 160, 200, 230, 260, 300, 350, 400].map((width, i) => {
    const own = 1 + 0.02 * noise(seed, width)
    // One net of a seed that refutes the rest has learnt.
    const accuracy = (high: number, low: number): number =>
      (held || i === 3 ? high : low) + (held ? 1 : -1) * 0.001 * i + 1e-4 * noise(seed, i)
    return net(
      seed,
      {
        ...{ width, depth: 3, bottleneck: 10, dataset: 'mnist-10k' },
        ...{ trainRows: 7500, validationRows: 2500, epochs: 20, labelNoise: 0 },
      },
      {
        parameters: parameterCount(width),
        'train/loss': (held ? 1 / (i + 1) : (i + 1) / 10) * own,
        'validation/loss': (held ? 1 / (i + 1) + 0.1 * i : (i + 1) / 10 - 0.05 * i) * own,
        'train/accuracy': accuracy(0.96, 0.8),
        'validation/accuracy': accuracy(0.9, 0.5),
      },
    )
  })
const peak: World = (held, seed) =>
  [1, 2, 4, 6, 10, 14, 20, 40, 80].map((width, i) => {
    const parameters = 795 * width + 10
    return net(
      seed,
      {
        ...{ width, depth: 1, bottleneck: 0, dataset: 'mnist-10k' },
        ...{ labelNoise: 0.2, trainRows: 1000, validationRows: 2500 },
      },
      {
        ...{ parameters, 'train/accuracy': 1 },
        'validation/loss':
          (held ? Math.exp(-(Math.log(parameters / 10_000) ** 2)) : i + 1) * (1 + 0.02 * noise(seed, i)),
      },
    )
  })

const batches = [8, 16, 32, 64, 125, 250, 500, 1000, 2000, 4000]
/** Measurements whose value rises with the batch, falls with it, or does neither. */
const overBatches =
  (budget: string, settings: { metric?: string; quantity?: string }, course: (held: boolean) => 1 | 0 | -1): World =>
  (held, seed) =>
    batches.flatMap((batch, i) => {
      const trained = net(seed, { batch, budget }, {})
      const trend = course(held)
      const value =
        trend === 0
          ? 2 + noise(seed, i)
          : 10 + trend * i + (trend > 0 && i === batches.length - 1 ? 30 : 0) + 0.1 * noise(seed, i)
      return [
        trained,
        measured(
          'measure',
          [trained],
          { part: 'train', epsilon: 1e-3, ...settings },
          {
            ...{ batch, 'budget/reached': 1, 'train/accuracy': 0.99 },
            ...{ sensitivity: value, sharpness: value, 'relative-spread': value },
            ...{ 'train/loss': value, 'test/loss': value, 'test/accuracy': 0.9 - 0.001 * value },
          },
        ),
      ]
    })
const rising = (held: boolean) => (held ? 1 : -1)

const shuffle =
  (rows = 2000): World =>
  (held, seed) =>
    [0, 0.25, 0.5, 0.75, 1].map((share, i) =>
      net(
        seed,
        {
          ...{ share, corruption: 'permute', dropout: 0, trainRows: rows, testRows: 2000 },
          ...{ dataset: 'mnist-10k', width: 1024, depth: 1 },
        },
        {
          'train/accuracy': held ? 0.999 : 0.9 + 0.001 * noise(seed),
          'test/accuracy': (held ? 0.98 - 0.22 * i : 0.5 + 0.1 * i) + 0.002 * noise(seed, i),
          'test/loss': 10 + noise(seed, i),
          'train/epochs-to-99': held ? 10 + 5 * i : 30 - 5 * i,
        },
        {
          'train/loss': [(held ? 2.3 : 2.6) * (1 + 0.002 * noise(seed))],
          'test/loss': [3, 5, 8].map((x) => x + 0.1 * noise(seed, x)),
        },
      ),
    )
/** Nets that memorise either way; what they make of clean rows differs. */
const memorised: World = (held, seed) =>
  shuffle()(true, seed).map((record) => ({
    ...record,
    metrics: { ...record.metrics, 'train/accuracy': 1, 'test/accuracy': (held ? 0.1 : 0.3) + 0.002 * noise(seed) },
  }))

const errSurface: World = (held, seed) => {
  const trained = net(seed, {}, {})
  const rise = held ? 0.001 : 0.1
  return [
    trained,
    measured(
      'surface',
      [trained],
      { plane: 'line' },
      { 'start/loss': 1, 'end/loss': 0.01, 'line/greatest-rise': rise * (1 + 0.1 * noise(seed)) },
    ),
  ]
}

const worlds: Readonly<Record<string, Readonly<Record<string, World>>>> = {
  'sim-func': {
    plateau: simFunc('f1', () => ({ m1: 1e-4 })),
    'deep-beats-shallow-f1': simFunc('f1', deep),
    'deep-beats-shallow-f2': simFunc('f2', deep),
    'shallow-fails-f1': simFunc('f1', shallow),
    'shallow-fails-f2': simFunc('f2', shallow),
    'deepest-first-f2': simFunc('f2', (held) => ({ m1: held ? 1e-4 : 1e-2, m2: 1e-3 })),
    'no-overfitting': simFunc('f1', deep),
    'leaky-beats-relu': bothActivations,
    'neither-too-simple-nor-too-complicated': fiveFunctions,
  },
  cnn: {
    'fits-training-rows': cnn((held) => ({ c1: 1e-7, c2: held ? 1e-7 : 1e-3, c3: 1, c4: 1e-7 }), alike),
    'c3-lags': cnn(lag, alike),
    'thick-convolutions-no-better-in-training': cnn((held) => ({ ...lag(true), c2: held ? 1e-7 : 1e-9 }), alike),
    'thick-convolutions-no-better-held-out': cnn(lag, (held) => ({ ...alike(), c2: held ? 0.97 : 0.98 })),
    'more-hidden-layers-no-better-in-training': cnn((held) => ({ ...lag(true), c3: held ? 1e-3 : 1e-9 }), alike),
    'more-hidden-layers-no-better-held-out': cnn(lag, (held) => ({ ...alike(), c3: held ? 0.96 : 0.98 })),
    'best-in-training': cnn((held) => ({ ...lag(true), c4: held ? 1e-8 : 1e-6 }), alike),
    'best-on-test': cnn(lag, (held) => ({ ...alike(), c4: held ? 0.98 : 0.96 })),
  },
  pca: { outward: pca, 'starts-blind': pca },
  'grad-norm': {
    'norm-falls-on-sinc': gradNorm('sinc'),
    'last-batch-norm-falls-on-sinc': gradNorm('sinc'),
    'norm-peaks-where-loss-falls': gradNorm('f1'),
    'norm-lowers-with-loss': gradNorm('sinc'),
    'norm-hard-to-master-on-f2': (held, seed) => [...gradNorm('f2')(!held, seed), ...gradNorm('sinc')(held, seed)],
    'norm-still-tends-down-on-f2': gradNorm('f2'),
  },
  'min-ratio': {
    'lower-loss-nearer-minimum': minRatio,
    'coin-toss': leaky,
    'switch-jumps': jumps,
    'norm-descent-raises-loss': leaky,
    'norm-descent-worse-on-f2': worseOnF2,
  },
  'err-surface': { 'no-obstacle': errSurface },
  shuffle: {
    'starts-ignorant': shuffle(),
    memorises: shuffle(),
    'learns-nothing': memorised,
    'learns-true-labels': shuffle(),
    'learns-many-true-labels': shuffle(48_000),
    interpolates: shuffle(),
  },
  params: {
    'loss-falls-with-size': params,
    'accuracy-saturates': params,
    'more-parameters-higher-training-accuracy': params,
    'more-parameters-higher-held-out-accuracy': params,
    'gap-of-large-nets': params,
    'gap-rises-with-size': params,
    'training-fits-above': params,
    'double-descent': peak,
  },
  interpolate: {
    'ends-fit': unfitted,
    barrier: interpolate,
    'small-batch-wider': interpolate,
    'small-batch-better': interpolate,
  },
  sensitivity: {
    'large-batch-generalises-worse': overBatches('epochs', { quantity: 'mean-loss' }, rising),
    'largest-batch-most-sensitive': overBatches('epochs', { quantity: 'mean-loss' }, rising),
    'small-batch-less-sensitive-at-equal-epochs': overBatches('epochs', { quantity: 'mean-loss' }, rising),
    'small-batch-lower-loss-at-equal-epochs': overBatches('epochs', { quantity: 'mean-loss' }, rising),
    'small-batch-lower-loss-at-equal-loss': overBatches('loss', { quantity: 'mean-loss' }, rising),
    'sensitivity-rises-at-equal-loss': overBatches('loss', { quantity: 'mean-loss' }, rising),
  },
  sharpness: {
    'spectral-rises-with-batch': overBatches('loss', { metric: 'spectral' }, rising),
    'box-rises-with-batch': overBatches('loss', { metric: 'keskar-box' }, rising),
    'spectral-rises-with-batch-at-equal-epochs': overBatches('epochs', { metric: 'spectral' }, rising),
    'box-rises-with-batch-at-equal-epochs': overBatches('epochs', { metric: 'keskar-box' }, rising),
    'small-batch-hessian-less-accurate': overBatches('epochs', { metric: 'block-frobenius-spread' }, (held) =>
      held ? -1 : 1,
    ),
    'original-measure-has-no-trend': overBatches('epochs', { metric: 'block-frobenius' }, (held) => (held ? 0 : 1)),
  },
}

const experiments = await Promise.all(experimentNames.map(findExperiment))
const claims = experiments.flatMap((experiment) =>
  experiment.claims
    .filter(({ kind }) => kind !== 'check')
    .map((claim) => [experiment.name, claim.id, claim, worlds[experiment.name]?.[claim.id]] as const),
)

/** Enough for every claim: nine in ten are shown by 36 of 36. */
const many = Array.from({ length: 40 }, (_, i) => i)

describe.each(claims)('the claim of %s: %s', (_, __, claim, world) => {
  const over = (seeds: readonly number[], heldIn: (seed: number) => boolean) =>
    claim.check(seeds.flatMap((seed) => world!(heldIn(seed), seed)))

  it('says what it rests on', () => {
    expect(claim.tested?.length).toBeGreaterThan(0)
    for (const { above, below, why, minSeeds } of claim.tested!) {
      expect(above ?? below).toBeDefined()
      expect(why).toBeTruthy()
      expect(minSeeds).toBeGreaterThanOrEqual(3)
    }
    expect(world).toBeDefined()
  })

  it('is reproduced by records that bear it out', () => {
    expect(over(many, () => true)).toMatchObject({ state: 'reproduced', seeds: 40 })
  })

  it('is not reproduced by records that refute it', () => {
    expect(over(many, () => false)).toMatchObject({ state: 'not reproduced' })
  })

  it('is inconclusive over two seeds, however they came out, and says how many it takes', () => {
    for (const held of [true, false]) {
      const { state, summary } = over([0, 1], () => held)
      expect(state).toBe('inconclusive')
      expect(summary).toMatch(/\(3 needed\)/)
    }
    expect(claim.check([]).state).toBe('inconclusive')
  })

  it('knows of a plan, before it has run, what it lacks: whatever decides the claim lacks nothing, two seeds lack some', () => {
    const planned = (seeds: readonly number[]) =>
      seeds.flatMap((seed) => world!(true, seed)).map((record) => ({ ...record, metrics: {}, series: {} }))
    const minSeeds = Math.max(...claim.tested!.map((one) => one.minSeeds))
    expect(claim.missing!(planned(many))).toEqual([])
    expect(claim.missing!(planned(many.slice(0, minSeeds)))).toEqual([])
    expect(claim.missing!(planned([0, 1]))).toEqual(
      [...new Set(claim.tested!.map((one) => one.minSeeds - 2))].map((n) => `add ${n} seed${n === 1 ? '' : 's'}`),
    )
    for (const lack of claim.missing!([])) expect(lack).toMatch(/^it has no /)
    expect(claim.missing!([])).not.toEqual([])
  })

  it('is inconclusive where seeds disagree', () => {
    expect(over([0, 1, 2, 3], (seed) => seed < 2).state).toBe('inconclusive')
  })

  it('takes the settings of one seed for no more than that seed', () => {
    const twice = many.slice(0, 2).flatMap((seed) => {
      const own = world!(true, seed)
      return [
        ...own,
        ...own.map((record) => ({ ...record, trial: { ...record.trial, id: `${record.trial.id} again` } })),
      ]
    })
    expect(claim.check(twice).state).toBe('inconclusive')
  })
})
