import { createPointSampler, type PointSamplerName } from '../src/search/samplers.js'
import type { SearchAxis, SearchPoint } from '../src/search/space.js'
import type { Peer } from './peer.js'

/** A search of one objective, which is minimised. Trials count from 0 in the order in which they are asked for. */
export interface Searcher {
  /** The next point; `undefined` while it waits for a result, and when all have been tried. */
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

const byArrival = '-arrival'

/**
 * mlds's sampler of that name in the fixed order, or as `tpe-arrival` and so on in `order: arrival`, `gp-1` by the first version of its rules; `optuna-tpe` and so on
 * as Optuna's users run it.
 */
export function openSearcher(sampler: string, options: SearcherOptions, peer: Peer | undefined): Promise<Searcher> {
  if (!sampler.startsWith(optunaPrefix)) return Promise.resolve(openOwn(sampler, options))
  if (peer === undefined) throw new Error('MLDS_PEERS_PYTHON names no Python with optuna')
  return openOptuna(sampler.slice(optunaPrefix.length), options, peer)
}

/**
 * In the fixed order trial i is suggested from the results of trials 0 to i − `parallel`, else from all that have come by
 * then; and from the points of the others (docs/search.md).
 */
function openOwn(named: string, { axes, seed, parallel }: SearcherOptions): Searcher {
  const isFixed = !named.endsWith(byArrival)
  const [name, version] = versioned(isFixed ? named : named.slice(0, -byArrival.length))
  // What is drawn waits for nothing.
  const lag = isFixed && name !== 'random' ? parallel : Infinity
  const sampler = createPointSampler(name, axes, { directions: ['minimize'], seed, ...(version && { version }) })
  const points: SearchPoint[] = []
  const losses = new Map<number, number>()
  const untold = new Set<number>()
  const observe = (index: number): void => {
    sampler.observe({ index, point: points[index]!, values: [losses.get(index)!] })
    untold.delete(index)
  }
  return {
    ask() {
      const index = points.length
      for (const before of untold) {
        if (before > index - lag) break
        if (!losses.has(before)) return Promise.resolve(undefined)
        observe(before)
      }
      const suggested = sampler.suggest({ index, pending: [...untold].map((one) => points[one]!) })
      if (suggested === undefined) return Promise.resolve(undefined)
      const { point } = suggested
      points.push(point)
      untold.add(index)
      return Promise.resolve(point)
    },
    tell(index, loss) {
      losses.set(index, loss)
      if (!isFixed) observe(index)
      return Promise.resolve()
    },
  }
}

/** `gp` is of the newest version, `gp-1` of the first. */
function versioned(named: string): [PointSamplerName, number | undefined] {
  const [, name = named, version] = /^(.*?)-(\d+)$/.exec(named) ?? []
  return [name as PointSamplerName, version === undefined ? undefined : Number(version)]
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
