import { againstSteps } from '../../src/figures/against-steps.js'
import { cloud } from '../../src/figures/cloud.js'
import { curves } from '../../src/figures/curves.js'
import type { FigureDefinition } from '../../src/figures/figure.js'
import { paths } from '../../src/figures/paths.js'
import { scatter } from '../../src/figures/scatter.js'
import { contourFigure, surfaceFigure, type Surface } from '../../src/figures/surface.js'
import { twinAxes } from '../../src/figures/twin-axes.js'
import type { TrialRecord } from '../../src/core/trial.js'
import { finishedTrial } from './figures.js'

export const named = { name: 'figure', caption: 'What it shows.' }
const all = (records: readonly TrialRecord[]): readonly TrialRecord[] => records

/** log10 of the loss is x, so lines of equal loss are upright; one corner is not finite. */
export const plane: Surface = {
  x: [-2, -1, 0],
  y: [0, 1, 2],
  loss: [0, 1, 2].map((y) => [-2, -1, 0].map((x) => (x === 0 && y === 2 ? null : 10 ** x))),
  path: [
    { x: -9, y: 1 },
    { x: -1.5, y: 0.5 },
    { x: -1, y: 1 },
  ],
  axes: ['direction 1', 'direction 2'],
}
export const planeOptions = { ...named, title: 'A loss', select: all, artifact: 'surface.json' }
export const planeTrial = [finishedTrial({ seed: 3, saved: { 'surface.json': plane } })]

const pathPoints = ['a', 'b'].flatMap((run, i) =>
  [0, 1, 2].map((epoch) => ({
    run,
    epoch,
    accuracy: 0.1 + 0.4 * epoch,
    x: epoch * (i === 0 ? 1 : -1),
    y: epoch / 100,
    z: 5 * epoch - 7,
  })),
)
const pathOptions = { ...named, title: 'Paths', select: all, artifact: 'paths.json', axis: 'component' } as const

export const course = (values: readonly number[]) => ({ steps: values.map((_, i) => i + 1), values })
export const courseTrials = ['deep', 'flat'].flatMap((model, m) =>
  [0, 1, 2].map((seed) =>
    finishedTrial({
      id: `${model}-${seed}`,
      seed,
      params: { model },
      series: { 'train/loss': course([1, 0.1 / (seed + 1), m === 0 ? NaN : 0.01]) },
    }),
  ),
)
export const courseOptions = {
  ...named,
  title: 'Loss by epoch',
  group: { title: 'net', of: ({ trial }: TrialRecord) => String(trial.params['model']) },
  panels: [{ title: 'loss', scale: 'log', metrics: [{ metric: 'train/loss', label: 'train' }] }],
} as const

export const batchTrials = [16, 64, 250].map((batch, seed) =>
  finishedTrial({ id: `b${batch}`, seed, metrics: { batch, loss: 1 / batch, accuracy: 1 - batch / 1000 } }),
)
export const valueOf = (name: string) => (record: TrialRecord) => record.metrics[name] ?? NaN

/** One figure of each kind, with records that it draws and words that it must say. */
export const kinds: Record<string, { figure: FigureDefinition; records: TrialRecord[]; says: string[] }> = {
  contour: {
    figure: contourFigure(planeOptions),
    records: planeTrial,
    says: ['seed 3', '2 of 3 snapshots', 'direction 1', 'direction 2'],
  },
  surface: { figure: surfaceFigure(planeOptions), records: planeTrial, says: ['seed 3', 'direction 2', '-2'] },
  cloud: {
    figure: cloud({ ...planeOptions, artifact: 'cloud.json' }),
    records: [
      finishedTrial({
        saved: {
          'cloud.json': [
            { x: 0, y: 0, loss: 0.1, kind: 'step' },
            { x: 1, y: 2, loss: 0.2, kind: 'neighbour' },
            { x: 1, y: 2, loss: null, kind: 'neighbour' },
          ],
        },
      }),
    ],
    says: ['2 weight vectors', 'component 1'],
  },
  paths: {
    figure: paths(pathOptions),
    records: [finishedTrial({ metrics: { 'explained/2': 0.29 }, saved: { 'paths.json': pathPoints } })],
    says: ['2 runs, 6 snapshots', '29 % of the variance', '90.0', 'component 2'],
  },
  'paths in space': {
    figure: paths({ ...pathOptions, dimensions: 3 }),
    records: [finishedTrial({ metrics: { 'explained/3': 0.41 }, saved: { 'paths.json': pathPoints } })],
    says: ['2 runs, 6 snapshots', '41 % of the variance', '90.0', 'component 3', '-7.6'],
  },
  curves: {
    figure: curves({
      ...{ ...named, title: 'Fits', select: all, artifact: 'curve.f32', domain: [0, 1], x: 'x', y: 'y' },
      group: ({ trial }) => String(trial.params['model']),
      truth: () => (x) => x * x,
      settings: () => 'after 5 epochs',
    }),
    records: ['m10', 'm2'].map((model, i) =>
      finishedTrial({
        params: { model },
        saved: { 'curve.f32': new Uint8Array(Float32Array.of(i, i + 1, i + 2).buffer) },
      }),
    ),
    says: ['m2', 'm10', 'after 5 epochs', 'the truth'],
  },
  'against-steps': {
    figure: againstSteps(courseOptions),
    records: courseTrials,
    says: ['3 seeds', 'thin: each seed', 'deep'],
  },
  'twin-axes': {
    figure: twinAxes({
      ...{ ...named, title: 'Two measures', x: { title: 'batch (rows)', scale: 'log' } },
      points: (record) => [{ x: valueOf('batch')(record), values: record.metrics }],
      left: { title: 'loss', scale: 'log', lines: [{ label: 'train', metric: 'loss' }] },
      right: { title: 'accuracy', scale: 'linear', domain: [0, 1], lines: [{ label: 'test', metric: 'accuracy' }] },
    }),
    records: batchTrials,
    says: ['batch (rows)', 'loss', 'accuracy', 'train', 'test'],
  },
  scatter: {
    figure: scatter({
      ...{ ...named, title: () => 'Loss against batch', select: all },
      x: { title: 'batch (rows)', scale: 'log', of: valueOf('batch') },
      y: { title: 'loss', of: valueOf('loss') },
      group: ({ trial }) => (trial.seeds.init === 0 ? '0.5' : '0.25'),
    }),
    records: batchTrials,
    says: ['3 points', '3 seeds', '0.25'],
  },
}
