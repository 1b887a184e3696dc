import { createPointSampler, type PointSamplerName } from '../src/search/samplers.js'
import type { SearchAxis, SearchPoint } from '../src/search/space.js'
import type { Peer } from './peer.js'

/** A search of one objective, which is minimised. Trials count from 0 in the order in which they are asked for. */
export interface Searcher {
  /** The next point; `undefined` while it waits for a result. */
  ask(): Promise<SearchPoint | undefined>
  tell(index: number, loss: number): Promise<void>
}

export interface SearcherOptions {
  readonly axes: readonly SearchAxis[]
  readonly seed: number
  /** How many trials run at once at most. */
  readonly parallel: number
}

const optunaPrefix = 'optuna-'

/** mlds's sampler of that name in its fixed order, or `optuna-tpe` and so on as Optuna's users run it. */
export function openSearcher(sampler: string, options: SearcherOptions, peer: Peer | undefined): Promise<Searcher> {
  if (!sampler.startsWith(optunaPrefix)) return Promise.resolve(inFixedOrder(sampler as PointSamplerName, options))
  if (peer === undefined) throw new Error('MLDS_PEERS_PYTHON names no Python with optuna')
  return openOptuna(sampler.slice(optunaPrefix.length), options, peer)
}

/** Trial i is suggested from the results of trials 0 to i − `parallel`, and the points of those between (docs/search.md). */
function inFixedOrder(name: PointSamplerName, { axes, seed, parallel }: SearcherOptions): Searcher {
  const sampler = createPointSampler(name, axes, { directions: ['minimize'], seed })
  const points: SearchPoint[] = []
  const losses = new Map<number, number>()
  // What is drawn waits for nothing.
  const lag = name === 'random' ? Infinity : parallel
  let told = 0
  return {
    ask() {
      const index = points.length
      for (; told <= index - lag; told++) {
        const loss = losses.get(told)
        if (loss === undefined) return Promise.resolve(undefined)
        sampler.observe({ index: told, point: points[told]!, values: [loss] })
      }
      const { point } = sampler.suggest({ index, pending: points.slice(told) })!
      points.push(point)
      return Promise.resolve(point)
    },
    tell(index, loss) {
      losses.set(index, loss)
      return Promise.resolve()
    },
  }
}

/** Suggests from all that has come by then; what was asked for and not told is running. */
async function openOptuna(name: string, { axes, seed }: SearcherOptions, peer: Peer): Promise<Searcher> {
  await peer(JSON.stringify({ start: [name, seed, axes] }))
  return {
    ask: async () => (JSON.parse(await peer(JSON.stringify({ ask: true }))) as { point: SearchPoint }).point,
    async tell(index, loss) {
      await peer(JSON.stringify({ tell: [index, loss] }))
    },
  }
}
