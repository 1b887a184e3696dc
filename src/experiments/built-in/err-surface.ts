import { filterNormalised, randomDirection } from '../../analysis/directions.js'
import { lbfgs } from '../../analysis/lbfgs.js'
import { principalComponents } from '../../analysis/principal-components.js'
import { symmetricSpectrum } from '../../analysis/symmetric.js'
import { addScaled, dot, norm, unit } from '../../analysis/vectors.js'
import { sampleFunction, targetFunctionNames } from '../../data/functions.js'
import { cloud, type CloudPoint } from '../../figures/cloud.js'
import { seedCount } from '../../figures/select.js'
import { contourFigure, surfaceFigure, type Surface } from '../../figures/surface.js'
import { reportsAgainst, twinAxes } from '../../figures/twin-axes.js'
import { decodeCheckpoint, encodeCheckpoint } from '../../net/checkpoint.js'
import { denseHessian } from '../../engines/curvature.js'
import type { Engine, EvaluationOptions } from '../../engines/engine.js'
import { SpaceError } from '../../core/errors.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { initialize, type Net } from '../../net/net.js'
import { Random } from '../../core/seed.js'
import { choice, integer, number, type ParamsOf } from '../../core/space.js'
import type { Metrics, ParamValue, TrialRecord } from '../../core/trial.js'
import { brief, everyOne, finished, having, inconclusive, metric, verdict } from '../vocabulary/claims.js'
import { functionNet, torchDefault } from '../vocabulary/function-net.js'
import { trainNet } from '../vocabulary/train-net.js'
import { defineExperiment, defineStage, type Claim, type TrialContext } from '../experiment.js'

/**
 * What does the loss look like around the end of training?
 *
 * 1-4-9-16-9-4-1, ReLU, on exp(sin 40x)·ln(x+1)/10: Adam for 30 epochs in batches of 1000, then ten steps of L-BFGS; then
 * the loss over lines and planes through the end. The original: err_surface.py (HW1-2 bonus), which drew 200 Gaussian
 * neighbours of each L-BFGS step; as it stands it cannot run, and no figure of it was published. The planes are those of
 * Goodfellow et al. 2015 (line) and Li et al. 2018 (filter-normalised directions, principal components of the path).
 */
const space = {
  net: choice({
    choices: ['deep', 'shallow'],
    default: 'deep',
    doc: '1-4-9-16-9-4-1 (411 parameters) or one hidden layer of 137 (412)',
  }),
  activation: choice({ choices: ['relu', 'tanh'], default: 'relu', doc: 'of the hidden layers' }),
  target: choice({ choices: targetFunctionNames, default: 'f2-tenth', doc: 'the function to fit' }),
  rows: integer({ min: 2, max: 1_000_000, default: 10_000, doc: 'points to train on', unit: 'rows' }),
  batch: integer({ min: 1, max: 1_000_000, default: 1000, doc: 'points per update of Adam', unit: 'rows' }),
  epochs: integer({ min: 1, max: 1_000_000, default: 30, doc: 'epochs of Adam', unit: 'epochs' }),
  learningRate: number({ above: 0, max: 1e9, default: 0.001, doc: "Adam's step size" }),
  fineSteps: integer({ min: 0, max: 100_000, default: 10, doc: 'steps of L-BFGS afterwards', unit: 'steps' }),
}
type P = ParamsOf<typeof space>
const loss = 'mean-squared-error'

export function surfaceNet({ net, activation }: Pick<P, 'net' | 'activation'>): Net {
  return functionNet(net === 'deep' ? [4, 9, 16, 9, 4] : [137], activation, torchDefault)
}

/** Weights along the way, one after the other as float32: at most so many of Adam's epochs, then each L-BFGS step. */
const trajectoryName = 'trajectory.f32'
const keptEpochs = 100

async function run(params: P, context: TrialContext): Promise<Metrics> {
  const { engine, seeds, signal } = context
  const net = surfaceNet(params)
  const rows = sampleFunction(params.target, params.rows, seeds.data, 'train')
  const start = initialize(net, seeds.init)
  const trajectory: Float32Array[] = [start]
  const every = Math.ceil(params.epochs / keptEpochs)
  await trainNet(context, {
    net,
    loss,
    rows,
    train: Int32Array.from({ length: params.rows }, (_, i) => i),
    optimizer: { kind: 'adam', learningRate: params.learningRate },
    batch: params.batch,
    parameters: start,
    enough: (epoch) => epoch >= params.epochs,
    async onEpoch(epoch, trained, weights) {
      if (epoch % every === 0 || epoch === params.epochs) trajectory.push(weights())
      await context.report(epoch, { 'train/loss': trained.loss })
    },
  })
  await lbfgs(
    async (at) => {
      const slope = await engine.gradient({ net, loss, rows }, Float32Array.from(at), signal)
      return { loss: slope.loss, gradient: Float64Array.from(slope.gradient) }
    },
    trajectory.at(-1)!,
    {
      steps: params.fineSteps,
      async onStep(step, point, slope) {
        trajectory.push(Float32Array.from(point))
        await context.report(params.epochs + step, { 'train/loss': slope.loss })
      },
    },
  )
  const end = trajectory.at(-1)!
  const flat = Float32Array.from(trajectory.flatMap((weights) => Array.from(weights)))
  await context.save(trajectoryName, new Uint8Array(flat.buffer))
  await context.save('end.safetensors', encodeCheckpoint(net, end))
  const trained = await engine.evaluate({ net, loss, rows }, end, signal)
  return { 'train/loss': trained.loss, snapshots: trajectory.length, parameters: net.parameterCount }
}

const main = defineStage({
  name: 'main',
  space,
  data: () => [],
  cost: (params) => 6 * surfaceNet(params).parameterCount * params.rows * (params.epochs + 2 * params.fineSteps),
  run,
})

const planes = ['line', 'random-filter-normalised', 'random-raw', 'pca', 'eigen', 'neighbours'] as const
const surfaceSpace = {
  plane: choice({
    choices: planes,
    default: 'random-filter-normalised',
    doc: 'from start to end; two random directions, each filter scaled to its weights or as drawn; the path’s principal components; the Hessian’s two largest eigenvectors; or the original’s Gaussian neighbours of the last steps',
  }),
  extent: number({ above: 0, max: 1e6, default: 1, doc: 'how far from the end, in the plane’s own unit' }),
  points: integer({ min: 3, max: 1001, default: 41, doc: 'grid points along each axis', unit: 'points' }),
  rows: integer({
    min: 1,
    max: 1_000_000,
    default: 2000,
    doc: 'points the loss is taken over, at most',
    unit: 'rows',
  }),
  part: choice({
    choices: ['train', 'test'],
    default: 'train',
    doc: 'which points: trained on, or as many drawn anew',
  }),
  directionSeed: integer({ min: 0, max: 1_000_000, default: 0, doc: 'draws the random directions or neighbours' }),
  std: number({ above: 0, max: 1e6, default: 1e-4, doc: 'standard deviation of the neighbours' }),
  samples: integer({ min: 1, max: 100_000, default: 200, doc: 'neighbours of each step', unit: 'samples' }),
}
type SurfaceParams = ParamsOf<typeof surfaceSpace>
const surfaceName = 'surface.json'
const cloudName = 'cloud.json'

/** What a plane is drawn from: everything that was stored, and the loss to take. */
interface Ground {
  readonly engine: Engine
  readonly options: EvaluationOptions
  readonly trajectory: readonly Float32Array[]
  readonly theta: Float32Array
  readonly signal: AbortSignal
}

const surface = defineStage({
  name: 'surface',
  space: surfaceSpace,
  data: () => [],
  cost: ({ points, rows, plane, samples }) =>
    2 * 411 * rows * (plane === 'line' ? points : plane === 'neighbours' ? 10 * samples : points * points),
  derive: { from: 'main', groups: (trials) => trials.map((trial) => [trial]) },
  async run(params, context): Promise<Metrics> {
    const parent = context.parents[0]!
    const trained = parent.trial.params as P & Record<string, ParamValue>
    const net = surfaceNet(trained)
    const theta = decodeCheckpoint(net, await context.load(parent, 'end.safetensors'))
    const flat = new Float32Array((await context.load(parent, trajectoryName)).slice().buffer)
    const count = flat.length / net.parameterCount
    const trajectory = Array.from({ length: count }, (_, i) =>
      flat.subarray(i * net.parameterCount, (i + 1) * net.parameterCount),
    )
    const rows = sampleFunction(trained.target, trained.rows, parent.trial.seeds.data, params.part)
    const order = Int32Array.from({ length: Math.min(params.rows, trained.rows) }, (_, i) => i)
    const { engine, signal } = context
    const ground: Ground = { engine, options: { net, loss, rows, order }, trajectory, theta, signal }
    if (params.plane === 'line') return await drawLine(ground, params, context)
    if (params.plane === 'neighbours') return await drawNeighbours(ground, params, trained.fineSteps, context)
    return await drawPlane(ground, params, context)
  },
})

/** Farther than the end, as Goodfellow et al. 2015 go. */
const lineEnd = 1.5

async function drawLine(ground: Ground, { points, part }: SurfaceParams, context: TrialContext): Promise<Metrics> {
  const { engine, options, trajectory, theta, signal } = ground
  const alphas = [...new Set([...evenGrid(0, lineEnd, points), 1])].sort((a, b) => a - b)
  const start = trajectory[0]!
  const along = await engine.evaluateCombinations(
    options,
    [start, theta],
    alphas.map((alpha) => [1 - alpha, alpha]),
    signal,
  )
  for (const [i, alpha] of alphas.entries()) await context.report(i, { alpha, [`${part}/loss`]: along[i]!.loss })
  const [first, last] = [await engine.evaluate(options, start, signal), await engine.evaluate(options, theta, signal)]
  const end = alphas.indexOf(1)
  const until = along.slice(0, end + 1).map((point) => point.loss)
  return {
    'start/loss': first.loss,
    'end/loss': last.loss,
    // 0 means equal to the last bit.
    'ends/mismatch': Math.abs(along[0]!.loss - first.loss) + Math.abs(along[end]!.loss - last.loss),
    'line/greatest-rise': Math.max(0, maxOf(until.slice(1).map((value, i) => value - until[i]!))),
  }
}

async function drawPlane(ground: Ground, params: SurfaceParams, context: TrialContext): Promise<Metrics> {
  const { engine, options, trajectory, theta, signal } = ground
  const { basis, reach, axes, metrics } = await planeOf(ground, params)
  const path = trajectory.map((weights) => projected(addScaled(weights, theta, -1), basis))
  const [xs, ys] = ([0, 1] as const).map((k) => evenGrid(...reach(path.map((at) => at[k])), params.points)) as [
    number[],
    number[],
  ]
  const losses = await lossesOver(engine, options, theta, basis, xs, ys, signal)
  const centre = await engine.evaluate(options, theta, signal)
  const drawn: Surface = {
    x: xs,
    y: ys,
    loss: losses.map((row) => row.map((value) => (Number.isFinite(value) ? value : null))),
    path: path.map(([x, y]) => ({ x, y })),
    axes,
  }
  await context.save(surfaceName, Buffer.from(JSON.stringify(drawn)))
  const finite = losses.flat().filter((value) => Number.isFinite(value))
  return {
    ...metrics,
    'centre/loss': centre.loss,
    'centre/mismatch': Math.abs(losses[ys.indexOf(0)]![xs.indexOf(0)]! - centre.loss),
    'surface/least': minOf(finite),
    'surface/greatest': maxOf(finite),
    'surface/not-finite': losses.flat().length - finite.length,
    'path/end': norm(path.at(-1)!),
  }
}

interface Plane {
  /** Two directions from the end. */
  readonly basis: readonly [Float64Array, Float64Array]
  /** From where to where an axis goes, given the path's coordinates along it. */
  readonly reach: (path: readonly number[]) => [number, number]
  readonly axes: readonly [string, string]
  readonly metrics: Metrics
}

async function planeOf(ground: Ground, { plane, extent, directionSeed }: SurfaceParams): Promise<Plane> {
  const { options, trajectory, theta } = ground
  const symmetric = (): [number, number] => [-extent, extent]
  const random = new Random(directionSeed, 'err-surface')
  const drawn = (): Float64Array => randomDirection(theta.length, random)
  switch (plane) {
    case 'random-filter-normalised': {
      const direction = (): Float64Array => filterNormalised(drawn(), theta, options.net.parameters)
      const axes = ['filter-normalised direction 1', 'filter-normalised direction 2'] as const
      return { basis: [direction(), direction()], reach: symmetric, axes, metrics: {} }
    }
    case 'random-raw': {
      // As long as all weights together, so that one extent serves both kinds.
      const direction = (): Float64Array => unit(drawn()).map((value) => value * norm(theta))
      return {
        basis: [direction(), direction()],
        reach: symmetric,
        axes: ['random direction 1', 'random direction 2'],
        metrics: {},
      }
    }
    case 'pca': {
      const { components, explained } = principalComponents(trajectory, { centre: theta })
      const [first, second] = [components[0]!, components[1] ?? unit(drawn())]
      const reach = (path: readonly number[]): [number, number] => {
        const [low, high] = [minOf(path), maxOf(path)]
        const margin = 0.2 * extent * (high - low || 1)
        return [low - margin, high + margin]
      }
      return {
        basis: [first, second],
        reach,
        axes: ['component 1 of the path', 'component 2 of the path'],
        metrics: { 'explained/2': explained.reduce((sum, share) => sum + share, 0) },
      }
    }
    case 'eigen':
      return await eigenPlane(ground, extent)
    case 'line':
    case 'neighbours':
      throw new SpaceError(`not a plane: ${plane}`)
  }
}

/** How far an eigenvector's second difference steps to either side: far above float64's rounding, short of most kinks. */
const differenceStep = 1e-4

async function eigenPlane({ engine, options, theta, signal }: Ground, extent: number): Promise<Plane> {
  const { values, vectors } = symmetricSpectrum(await denseHessian(engine, options, theta, signal), theta.length)
  const lossAt = async (step: number): Promise<number> => {
    const at = addScaled(theta, vectors[0]!, step)
    return (await engine.curvature(options, at, new Float64Array(at.length), signal)).loss
  }
  const [below, centre, above] = [await lossAt(-differenceStep), await lossAt(0), await lossAt(differenceStep)]
  // To where the quadratic part alone would reach ten times the loss at the end.
  const reach = extent * Math.sqrt((20 * Math.max(centre, 1e-12)) / Math.max(values[0]!, 1e-12))
  return {
    basis: [vectors[0]!, vectors[1]!],
    reach: () => [-reach, reach],
    axes: ['eigenvector of the largest eigenvalue', 'eigenvector of the second'],
    metrics: {
      'eigen/1': values[0]!,
      'eigen/2': values[1]!,
      'eigen/second-difference': (above - 2 * centre + below) / differenceStep ** 2,
    },
  }
}

/** An even grid of about these bounds that holds exactly 0, when 0 lies between them. */
export function evenGrid(low: number, high: number, points: number): number[] {
  const step = (high - low) / (points - 1)
  const zero = Math.round(-low / step)
  return Array.from({ length: points }, (_, i) => (low <= 0 && high >= 0 ? (i - zero) * step : low + i * step))
}

/** The loss at θ + x·d₁ + y·d₂, `[y][x]`; where x and y are 0, bit-equal to the evaluation of θ. */
export async function lossesOver(
  engine: Engine,
  options: EvaluationOptions,
  theta: Float32Array,
  basis: readonly [Float64Array, Float64Array],
  xs: readonly number[],
  ys: readonly number[],
  signal?: AbortSignal,
): Promise<number[][]> {
  const vectors = [theta, Float32Array.from(basis[0]), Float32Array.from(basis[1])]
  const points = ys.flatMap((y) => xs.map((x) => [1, x, y]))
  const all = await engine.evaluateCombinations(options, vectors, points, signal)
  return ys.map((_, j) => xs.map((_, i) => all[j * xs.length + i]!.loss))
}

/** Coordinates in a plane whose directions need not be orthogonal: least squares. */
export function projected(offset: ArrayLike<number>, [a, b]: readonly [Float64Array, Float64Array]): [number, number] {
  const [aa, ab, bb, ao, bo] = [dot(a, a), dot(a, b), dot(b, b), dot(a, offset), dot(b, offset)]
  const determinant = aa * bb - ab * ab
  return [(bb * ao - ab * bo) / determinant, (aa * bo - ab * ao) / determinant]
}

async function drawNeighbours(
  { engine, options, trajectory, theta, signal }: Ground,
  { std, samples, directionSeed }: SurfaceParams,
  fineSteps: number,
  context: TrialContext,
): Promise<Metrics> {
  const random = new Random(directionSeed, 'neighbours')
  const steps = trajectory.slice(-Math.max(1, fineSteps))
  const points: { weights: Float32Array; kind: CloudPoint['kind'] }[] = []
  for (const weights of steps) {
    points.push({ weights, kind: 'step' })
    for (let i = 0; i < samples; i++)
      points.push({ weights: weights.map((value) => value + std * random.normal()), kind: 'neighbour' })
  }
  const { coordinates } = principalComponents(
    points.map(({ weights }) => weights),
    { centre: theta },
  )
  const drawn: CloudPoint[] = []
  let higher = 0
  let own = NaN
  for (const [i, { weights, kind }] of points.entries()) {
    const { loss: value } = await engine.evaluate(options, weights, signal)
    if (kind === 'step') own = value
    else if (value > own) higher++
    drawn.push({ x: coordinates[i]![0] ?? 0, y: coordinates[i]![1] ?? 0, loss: value, kind })
  }
  await context.save(cloudName, Buffer.from(JSON.stringify(drawn)))
  return { 'neighbours/higher-share': higher / (steps.length * samples), steps: steps.length }
}

const drawnPlanes = (records: readonly TrialRecord[]): TrialRecord[] =>
  finished(records, 'surface').filter((record) => !Number.isNaN(metric(record, 'centre/mismatch')))
const linesOf = (records: readonly TrialRecord[]): TrialRecord[] =>
  having(finished(records, 'surface'), { plane: 'line' })

const claims: readonly Claim[] = [
  {
    id: 'exact-centre',
    statement: 'the centre of every plane has the trained net’s loss, bit for bit',
    published: 'a surface must pass through the net it is drawn around',
    check: (records) => everyOne(drawnPlanes(records), 'plane', (record) => metric(record, 'centre/mismatch') === 0),
  },
  {
    id: 'exact-ends',
    statement: 'the line from start to end has the stored nets’ losses at α = 0 and α = 1, bit for bit',
    published: 'a line must begin and end where its nets are',
    check: (records) => everyOne(linesOf(records), 'line', (record) => metric(record, 'ends/mismatch') === 0),
  },
  {
    id: 'path-ends-at-the-centre',
    statement: 'the path of training, projected onto a plane, ends at its centre',
    published: 'the last snapshot is the trained net',
    check: (records) => everyOne(drawnPlanes(records), 'plane', (record) => metric(record, 'path/end') === 0),
  },
  {
    id: 'eigenvector-curvature',
    statement: 'along the first eigenvector the loss bends by its eigenvalue, within 1 %',
    published: 'the second derivative along an eigenvector is its eigenvalue',
    check(records) {
      const all = having(finished(records, 'surface'), { plane: 'eigen' })
      if (all.length === 0) return inconclusive('no finished eigenvector plane')
      const errors = all.map((r) => Math.abs(metric(r, 'eigen/second-difference') / metric(r, 'eigen/1') - 1))
      const worst = maxOf(errors)
      return verdict(worst <= 0.01, all, `off by at most ${brief(worst)} over ${all.length} nets`, worst)
    },
  },
  {
    id: 'no-obstacle',
    statement: 'from its start to its end the loss falls without an obstacle along the straight line',
    published: 'Goodfellow et al. 2015 meet none; a sibling report draws the line as falling and smooth',
    fragile: true,
    check(records) {
      const all = linesOf(records)
      if (seedCount(all) < 3) return inconclusive(`lines of ${seedCount(all)} seeds (3 needed)`, seedCount(all))
      const smooth = all.filter((r) => metric(r, 'line/greatest-rise') <= 0.01 * metric(r, 'start/loss'))
      const share = smooth.length / all.length
      return verdict(
        share === 1,
        all,
        `${smooth.length} of ${all.length} lines never rise by 1 % of the start’s loss`,
        share,
      )
    },
  },
]

const planeWords = {
  'random-filter-normalised': 'two filter-normalised random directions',
  'random-raw': 'two random directions as drawn',
  pca: 'the path’s two principal components',
  eigen: 'the Hessian’s two largest eigenvectors',
} as const
const planeNames = Object.keys(planeWords) as (keyof typeof planeWords)[]
const ofPlane = (plane: (typeof planes)[number]) => (records: readonly TrialRecord[]) =>
  having(finished(records, 'surface'), { plane })

const figures = [
  ...planeNames.map((plane) =>
    contourFigure({
      name: `contour-${plane}`,
      caption: `The loss over a plane through the trained net: ${planeWords[plane]}; where training went is drawn on top.`,
      title: `Loss over ${planeWords[plane]}`,
      select: ofPlane(plane),
      artifact: surfaceName,
    }),
  ),
  ...(['random-filter-normalised', 'pca'] as const).map((plane) =>
    surfaceFigure({
      name: `surface-${plane}`,
      caption: `The same loss as a body: ${planeWords[plane]}.`,
      title: `Loss over ${planeWords[plane]}`,
      select: ofPlane(plane),
      artifact: surfaceName,
    }),
  ),
  twinAxes({
    name: 'line-from-start-to-end',
    caption: 'The loss on the straight line from the initial weights (α = 0) to the trained ones (α = 1) and beyond.',
    title: 'From the start to the end, and beyond',
    select: ofPlane('line'),
    x: { title: 'α (0: start, 1: end)', scale: 'linear' },
    points: (record) => reportsAgainst(record, 'alpha'),
    left: {
      title: 'mean squared error',
      scale: 'log',
      lines: [
        { label: 'train', metric: 'train/loss' },
        { label: 'test', metric: 'test/loss' },
      ],
    },
  }),
  cloud({
    name: 'neighbours',
    caption:
      'The last steps of L-BFGS (crosses) and Gaussian neighbours of each, in their principal components; colour is the loss.',
    title: 'The last steps and their neighbours',
    select: ofPlane('neighbours'),
    artifact: cloudName,
  }),
]

export const errSurface = defineExperiment({
  name: 'err-surface',
  aliases: ['err_surface'],
  version: 1,
  title: 'The error surface around the end of training',
  question: 'What does the loss look like around the end of training?',
  source: 'err_surface.py of the 2018 course (HW1-2 bonus); Goodfellow et al. 2015; Li et al. 2018',
  objective: { metric: 'train/loss', direction: 'minimize' },
  stages: [main, surface],
  profiles: {
    smoke: {
      axes: { rows: [500], batch: [100], epochs: [20] },
      seeds: [0],
      stages: { surface: { plane: [...planes], points: [11], rows: [500], samples: [10] } },
    },
    reduced: {
      // With the original's 30 epochs the net has hardly begun to fit.
      axes: { epochs: [300], fineSteps: [30] },
      seeds: [0, 1, 2],
      stages: { surface: { plane: [...planes] } },
    },
    full: {
      axes: { net: ['deep', 'shallow'], epochs: [30, 300] },
      seeds: [0, 1, 2],
      stages: { surface: { plane: [...planes], points: [101], rows: [10_000] } },
    },
  },
  figures,
  claims,
})
