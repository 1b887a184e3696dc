import { createPointSampler, type PointSamplerName } from '../../src/search/samplers.js'
import type { Explained } from '../../src/search/sampler.js'
import type { SearchAxis, SearchPoint } from '../../src/search/space.js'

export const spaces: Readonly<Record<string, readonly SearchAxis[]>> = {
  numbers: [
    { name: 'x', kind: 'float', low: -5, high: 10 },
    { name: 'rate', kind: 'float', low: 1e-5, high: 1, log: true },
    { name: 'share', kind: 'float', low: 0, high: 1, step: 0.1 },
    { name: 'width', kind: 'int', low: 8, high: 1024, log: true },
    { name: 'depth', kind: 'int', low: 1, high: 9, step: 2 },
  ],
  choices: [
    { name: 'optimizer', kind: 'choice', choices: 3 },
    { name: 'seeded', kind: 'choice', choices: 2, weights: [3, 1] },
    { name: 'x', kind: 'float', low: 0, high: 1 },
  ],
  conditional: [
    { name: 'kind', kind: 'choice', choices: 3 },
    { name: 'x', kind: 'float', low: 0, high: 1, when: { axis: 'kind', among: [0, 1] } },
    { name: 'inner', kind: 'choice', choices: 2, when: { axis: 'kind', among: [1] } },
    { name: 'n', kind: 'int', low: 1, high: 4, when: { axis: 'inner', among: [1] } },
    { name: 'y', kind: 'float', low: 1, high: 100, log: true },
  ],
  'one value': [{ name: 'x', kind: 'float', low: 2, high: 2 }],
  finite: [
    { name: 'kind', kind: 'choice', choices: 3 },
    { name: 'n', kind: 'int', low: 1, high: 4, when: { axis: 'kind', among: [1, 2] } },
    { name: 'share', kind: 'float', low: 0, high: 0.3, step: 0.1, when: { axis: 'kind', among: [2] } },
  ],
}

export const objective = (point: SearchPoint): number =>
  Object.values(point).reduce((sum, value, k) => sum + Math.abs(value - 0.3 - k), 0)

interface Run {
  readonly count: number
  readonly lag: number
  readonly seed?: number
  readonly objectives?: number
  readonly version?: number
}
/** A search whose trial i is suggested from the results of trials 0 … i − lag. Every seventh trial fails. */
export function search(
  name: PointSamplerName,
  space: readonly SearchAxis[],
  { count, lag, seed = 1, objectives = 1, version }: Run,
): Explained[] {
  const directions = (['minimize', 'maximize'] as const).slice(0, objectives)
  const sampler = createPointSampler(name, space, { directions, seed, ...(version && { version }) })
  const found: Explained[] = []
  for (let index = 0; index < count; index++) {
    const ended = index - lag
    if (ended >= 0) {
      const { point } = found[ended]!
      const values = directions.map((_, k) => (k === 0 ? objective(point) : Math.abs(objective(point) - 1)))
      sampler.observe({ index: ended, point, ...(ended % 7 !== 6 && { values }) })
    }
    const pending = found.slice(Math.max(0, ended + 1)).map(({ point }) => point)
    const suggestion = sampler.suggest({ index, pending })
    if (suggestion === undefined) break
    found.push(suggestion)
  }
  return found
}
