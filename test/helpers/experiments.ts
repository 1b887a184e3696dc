import { defineExperiment, defineStage, type Experiment } from '../../src/experiments/experiment.js'
import { choice, integer, number } from '../../src/core/space.js'

/** Two stages and no nets: enough for plans, schedulers and loops. */
export function toyExperiment(overrides: Partial<Experiment> = {}): Experiment {
  const space = {
    width: integer({ min: 1, max: 100_000, default: 4, doc: 'a size' }),
    rate: number({ above: 0, default: 0.1, doc: 'a rate' }),
    kind: choice({ choices: ['plain', 'fancy'], default: 'plain', doc: 'a kind' }),
  }
  const main = defineStage({
    name: 'main',
    space,
    data: () => [],
    cost: ({ width }) => width,
    run: async ({ width, rate }) => ({ 'train/loss': rate / width }),
  })
  const line = defineStage({
    name: 'line',
    space: { alpha: number({ default: 0, doc: 'a mixture' }) },
    data: () => [],
    cost: () => 1,
    derive: { from: 'main', groups: (trials) => trials.slice(1).map((trial, i) => [trials[i]!, trial]) },
    run: async () => ({ 'train/loss': 0 }),
  })
  return defineExperiment({
    name: 'toy',
    aliases: [],
    version: 1,
    title: 'Toy',
    question: 'Does the loop turn?',
    source: 'none',
    objective: { metric: 'train/loss', direction: 'minimize' },
    stages: [main, line],
    profiles: {
      smoke: { axes: { width: [1, 2] }, seeds: [0] },
      reduced: { axes: { width: [1, 2, 4] }, seeds: [0, 1], stages: { line: { alpha: [0, 0.5, 1] } } },
      full: { axes: { width: [1, 2, 4, 8] }, seeds: [0, 1, 2] },
    },
    figures: [],
    claims: [],
    ...overrides,
  })
}

/** The toy without its derived stage. */
export function plainExperiment(): Experiment {
  const toy = toyExperiment()
  return { ...toy, stages: [toy.stages[0]] }
}
