import { reducePaths, reductions } from '../../analysis/path-reduction.js'
import { betweenGroupShare } from '../../analysis/principal-components.js'
import { addScaled, norm } from '../../analysis/vectors.js'
import { minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { Metrics, Seeds } from '../../core/trial.js'
import { paths, type PathPoint } from '../../figures/paths.js'
import { decodeCheckpoint, encodeCheckpoint } from '../../net/checkpoint.js'
import { defineNet, initialize, type Net } from '../../net/net.js'
import { defineExperiment, defineStage, type Claim } from '../experiment.js'
import * as axes from '../vocabulary/axes.js'
import { everyOne } from '../vocabulary/checks.js'
import { byClass, classes, named, namedSet, openSplit, trainClassifier, trainingCost } from '../vocabulary/classify.js'
import { meanEffect, weighed } from '../vocabulary/effects.js'
import { dense, digitShape } from '../vocabulary/nets.js'
import { axisOf, leastOf, metric } from '../vocabulary/numbers.js'
import { rowsOfSplit } from '../vocabulary/rows.js'
import { finished, finishedWith, netParams, type Records } from '../vocabulary/records.js'
import { recipe } from '../vocabulary/train-net.js'

/**
 * Where do independent trainings travel in weight space?
 *
 * 784-128-128-64-32-16-10, ReLU, Adam at 0.001; the weights are kept before every third epoch and drawn in two
 * dimensions. The original: pca.py (HW1-2), 8 runs of 100 epochs on 60,000 images in batches of 600, each run reduced
 * on its own and without centring, which leaves the sign of its axes to chance. Lorch 2016 introduced the picture;
 * Antognini and Sohl-Dickstein 2018: even random walks give smooth arcs.
 */
const space = {
  optimizer: axes.optimizer('adam', 'momentum', 'sgd'),
  learningRate: axes.learningRate(0.001, "the optimiser's step size"),
  batch: axes.batch(600),
  epochs: axes.epochs(100, { max: 10_000 }),
  snapshotEvery: axes.epochs(3, { max: 1000, doc: 'epochs between two snapshots' }),
  ...axes.digitRows({ train: 8_000, test: 2_000 }),
}

/** 128,026 parameters, 78 % of them in the first layer. */
export const pathNet = (): Net =>
  defineNet(digitShape, [{ kind: 'flatten' }, ...dense([128, 128, 64, 32, 16], classes, { activation: 'relu' })])

interface Snapshot {
  /** Epochs done before it. */
  readonly epoch: number
  /** On the test rows. */
  readonly accuracy: number
  readonly artifact: string
}
const listName = 'snapshots.json'
/** Snapshots from the start over which a run's distance from it is watched. */
const firstSnapshots = 5

const main = defineStage({
  name: 'main',
  space,
  data: namedSet,
  rows: rowsOfSplit,
  net: pathNet,
  cost: (params) => trainingCost(pathNet(), params.trainRows, params.epochs),
  async run(params, context): Promise<Metrics> {
    const { split, rows } = await openSplit(context, params)
    const net = pathNet()
    const start = initialize(net, context.seeds.init)
    const evaluate = byClass(net, rows, context)
    let snapshots: Snapshot[] = []
    let distances: number[] = []
    const keep = async (epoch: number, weights: Float32Array): Promise<Metrics> => {
      const held = await evaluate(split.test, weights)
      const artifact = `epoch${String(epoch).padStart(4, '0')}.safetensors`
      await context.save(artifact, encodeCheckpoint(net, weights))
      snapshots.push({ epoch, accuracy: held.accuracy, artifact })
      distances.push(norm(addScaled(weights, start, -1)))
      return { ...named('test', held), 'path/distance': distances.at(-1)! }
    }
    await context.report(0, await keep(0, start))
    const { last } = await trainClassifier(context, {
      net,
      rows,
      train: split.train,
      parameters: start,
      ...recipe(params, params.optimizer),
      memory: {
        read: () => ({ snapshots, distances }),
        write: (value) => void ({ snapshots, distances } = value as { snapshots: Snapshot[]; distances: number[] }),
      },
      beside: async (epoch, _, weights) =>
        epoch % params.snapshotEvery === 0 && epoch < params.epochs ? keep(epoch, weights()) : {},
    })
    await context.save(listName, Buffer.from(JSON.stringify(snapshots)))
    const early = distances.slice(0, firstSnapshots)
    return {
      'train/loss': last['train/loss']!,
      'train/accuracy': last['train/accuracy']!,
      'test/accuracy': snapshots.at(-1)!.accuracy,
      'start/accuracy': snapshots[0]!.accuracy,
      snapshots: snapshots.length,
      parameters: net.parameterCount,
      'path/distance': distances.at(-1)!,
      'path/first-snapshots-outward': early.every((d, i) => i === 0 || d >= early[i - 1]!) ? 1 : 0,
    }
  },
})

const scopes = ['whole', 'layer1', 'layer2', 'layer3', 'layer4', 'layer5', 'layer6'] as const
const reduceSpace = {
  scope: axes.oneOf(scopes, 'the whole net, or one layer’s weights and biases'),
  reduction: axes.oneOf(
    reductions,
    'principal components of all runs together; of each run alone, uncentred (the original); relative to each run’s last snapshot (Li et al. 2018); or t-SNE',
  ),
}

export const pointsName = 'points.json'

/** All runs that differ in nothing but their seeds, drawn together; works on stored snapshots. */
const reduce = defineStage({
  name: 'reduce',
  space: reduceSpace,
  cost: () => 3e9,
  derive: { from: 'main', groups: (trials) => [...groupBy(trials, ({ params }) => JSON.stringify(params)).values()] },
  async run({ scope, reduction }, context): Promise<Metrics> {
    const net = pathNet()
    const [from, to] = scopeBounds(net, scope)
    const rows: Float32Array[] = []
    const labels: Omit<PathPoint, 'x' | 'y' | 'z'>[] = []
    const names = runNames(context.parents.map(({ trial }) => trial.seeds))
    for (const [i, parent] of context.parents.entries()) {
      const list = JSON.parse(Buffer.from(await context.load(parent, listName)).toString()) as Snapshot[]
      for (const { epoch, accuracy, artifact } of list) {
        rows.push(decodeCheckpoint(net, await context.load(parent, artifact)).slice(from, to))
        labels.push({ run: names[i]!, epoch, accuracy })
      }
    }
    const runs = labels.map(({ run }) => run)
    const { points, explained } = reducePaths(rows, runs, reduction, context.seeds.shuffle)
    const drawn = labels.map((label, i): PathPoint => {
      const [x = 0, y = 0, z = 0] = Array.from(points[i]!)
      return { ...label, x, y, z }
    })
    await context.save(pointsName, Buffer.from(JSON.stringify(drawn)))
    return {
      rows: rows.length,
      runs: context.parents.length,
      'between-runs/share': betweenGroupShare(rows, runs),
      ...explainedBy(explained),
    }
  },
})

/** What the first, the first two and the first three components explain together; nothing of t-SNE, which explains none. */
function explainedBy(shares: readonly number[]): Metrics {
  if (shares.length === 0) return {}
  let sum = 0
  return Object.fromEntries([0, 1, 2].map((k) => [`explained/${k + 1}`, (sum += shares[k] ?? 0)]))
}

/** One name a run, all different: its init seed where that tells them apart, else every seed. */
export function runNames(seeds: readonly Seeds[]): string[] {
  const apart = new Set(seeds.map(({ init }) => init)).size === seeds.length
  return seeds.map(({ data, init, shuffle }) =>
    apart ? `seed ${init}` : `init ${init}, order ${shuffle}, data ${data}`,
  )
}

function scopeBounds(net: Net, scope: (typeof scopes)[number]): [number, number] {
  if (scope === 'whole') return [0, net.parameterCount]
  const layers = [...groupBy(net.parameters, ({ layer }) => layer).values()]
  const parts = layers[Number(scope.slice('layer'.length)) - 1]!
  return [parts[0]!.offset, parts.at(-1)!.offset + parts.at(-1)!.size]
}

/** Of held-out rows, by a net that has learnt what digits look like. */
const learntAccuracy = 0.9
const oneRow = (records: Records): number => 1 / minOf(finished(records).map(axisOf('testRows')))

const claims: readonly Claim[] = [
  {
    id: 'every-snapshot',
    kind: 'check',
    statement:
      'each run keeps a snapshot every so many epochs from the start on, and a reduction has those of all its runs',
    published: '34 snapshots in each of 8 runs (pca.py)',
    check: everyOne(finishedWith({}, 'reduce'), 'reduction', (record, records) => {
      const { epochs, snapshotEvery } = netParams(record, records)
      return metric(record, 'rows') === metric(record, 'runs') * Math.ceil(Number(epochs) / Number(snapshotEvery))
    }),
  },
  weighed({
    id: 'outward',
    version: 2,
    statement: `of runs that learn, most move farther from their start with each of their first ${firstSnapshots} snapshots`,
    published: 'paths lead outward in every report',
    effects: [
      {
        quantity: 'share of runs that do',
        scale: 'share',
        above: 0.5,
        why: 'most',
        needs: `a run of ${firstSnapshots} snapshots and a test accuracy of ${learntAccuracy}`,
        trials: (records) =>
          finished(records).filter(
            ({ trial }) =>
              Math.ceil(Number(trial.params['epochs']) / Number(trial.params['snapshotEvery'])) >= firstSnapshots,
          ),
        of: (own) => {
          const learnt = own.filter((record) => metric(record, 'test/accuracy') >= learntAccuracy)
          return learnt.length === 0 ? NaN : leastOf(learnt, 'path/first-snapshots-outward')
        },
      },
    ],
  }),
  weighed({
    id: 'starts-blind',
    version: 2,
    statement: `before training, accuracy is between 5 and 20 %, after it above ${learntAccuracy}`,
    published: '9 to 11.5 % at the first snapshot, 97.5 to 98.1 % later (README figure)',
    effects: [
      meanEffect('start/accuracy', {
        ...{ quantity: 'accuracy before training', above: 0.05, below: 0.2, why: 'half and twice a guess among ten' },
        ...{ needs: 'a finished run', trials: finished, step: oneRow },
      }),
      meanEffect('test/accuracy', {
        ...{ quantity: 'accuracy of the last snapshot', above: learntAccuracy, why: 'below the published 0.975' },
        ...{ needs: 'a finished run', trials: finished, step: oneRow },
      }),
    ],
  }),
]

const reductionWords = {
  joint: 'principal components of all runs',
  'per-run': 'each run’s own components, uncentred',
  'relative-to-final': 'relative to each run’s last snapshot',
  't-sne': 't-SNE',
} as const

const scopeWords = { layer1: 'layer 1', whole: 'the whole net' } as const
/** The plane for each reduction, as pca.py; space for two of them, as pca3d.py. */
const drawings = [
  ...reductions.map((reduction) => ({ reduction, dimensions: 2 }) as const),
  ...(['joint', 'per-run'] as const).map((reduction) => ({ reduction, dimensions: 3 }) as const),
]

const figures = (['layer1', 'whole'] as const).flatMap((scope) =>
  drawings.map(({ reduction, dimensions }) =>
    paths({
      name: `paths-${scope}-${reduction}${dimensions === 3 ? '-3d' : ''}`,
      caption: `Snapshots of ${scopeWords[scope]} on their way${dimensions === 3 ? ' through space (grey: their shadows)' : ''}, one colour a run, with test accuracy in per cent: ${reductionWords[reduction]}.`,
      title: `Paths of ${scopeWords[scope]}: ${reductionWords[reduction]}`,
      select: finishedWith({ scope, reduction }, 'reduce'),
      artifact: pointsName,
      axis: reduction === 't-sne' ? 't-SNE' : 'component',
      dimensions,
    }),
  ),
)

export const pca = defineExperiment({
  name: 'pca',
  version: 2,
  title: 'Paths of training in weight space',
  question: 'Where do independent trainings travel in weight space?',
  source: 'pca.py of the 2018 course (HW1-2); Lorch 2016; Li et al. 2018; Antognini and Sohl-Dickstein 2018',
  objective: { metric: 'test/accuracy', direction: 'maximize' },
  stages: [main, reduce],
  profiles: {
    smoke: {
      axes: { epochs: [12], snapshotEvery: [2], batch: [50], trainRows: [500], testRows: [200] },
      seeds: [0, 1, 2],
      stages: { reduce: { scope: ['layer1', 'whole'], reduction: [...reductions] } },
    },
    reduced: {
      // As many updates an epoch as the original has with 60,000 rows in batches of 600, nearly.
      axes: { batch: [100] },
      seeds: [0, 1, 2, 3, 4, 5, 6, 7],
      stages: { reduce: { scope: ['layer1', 'whole'], reduction: [...reductions] } },
    },
    full: {
      axes: { optimizer: ['adam'], dataset: ['mnist'], trainRows: [60_000], testRows: [10_000] },
      seeds: [0, 1, 2, 3, 4, 5, 6, 7],
      stages: { reduce: { scope: [...scopes], reduction: [...reductions] } },
    },
  },
  figures,
  claims,
})
