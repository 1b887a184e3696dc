import { createPointSampler, type PointSamplerName } from '../src/search/samplers.js'
import type { SearchAxis } from '../src/search/space.js'
import { openPeer } from './peer.js'
import { round, table } from './measure.js'

const float = (count: number): SearchAxis[] =>
  Array.from({ length: count }, (_, k) => ({ name: `x${k}`, kind: 'float', low: -5, high: 5 }))
const logInt = (count: number): SearchAxis[] =>
  Array.from({ length: count }, (_, k) => ({ name: `x${k}`, kind: 'int', low: 8, high: 1024, log: true }))

/** What is timed, and the largest share of Optuna's time that it may take. */
const cases: readonly {
  readonly sampler: PointSamplerName
  readonly count: number
  readonly axes: readonly SearchAxis[]
  readonly what: string
  readonly limit?: number
}[] = [
  { sampler: 'tpe', count: 1000, axes: float(10), what: 'floats', limit: 1 / 3 },
  { sampler: 'tpe', count: 300, axes: logInt(10), what: 'logarithmic integers' },
  { sampler: 'gp', count: 100, axes: float(5), what: 'floats', limit: 1 / 2 },
]

/** Processor time of suggesting, beside Optuna's in turn, and how TPE grows to 10,000 trials: `npm run bench search`. */
export async function benchSearch(): Promise<void> {
  const peer = openPeer('search_optuna.py')
  const rows: string[][] = []
  for (const { sampler, count, axes, what, limit } of cases) {
    const own = secondsOf(sampler, count, axes)
    const answer =
      peer && (JSON.parse(await peer(JSON.stringify({ time: [sampler, count, axes] }))) as { seconds: number })
    const share = answer && own.total / answer.seconds
    const verdict =
      share === undefined || limit === undefined ? '–' : `at most ${round(limit)}: ${share <= limit ? 'yes' : 'no'}`
    rows.push([
      `${sampler}, ${count} trials, ${axes.length} ${what}`,
      round(own.total),
      answer === undefined ? '–' : round(answer.seconds),
      share === undefined ? '–' : share.toFixed(3),
      verdict,
    ])
  }
  peer?.close()
  console.log(table(['suggesting', 'mlds, s', 'Optuna, s', 'share', 'promised'], rows))
  const long = secondsOf('tpe', 10_000, float(10))
  console.log(
    `\ntpe, 10,000 trials, 10 floats: ${round(long.total)} s of processor time; ms a suggestion at trial 1,000, 2,000, 5,000, 10,000: ` +
      `${[1000, 2000, 5000, 10_000].map((at) => round(long.msAt(at))).join(', ')}; resident ${round(process.memoryUsage().rss / 2 ** 20)} MiB`,
  )
}

function secondsOf(
  name: PointSamplerName,
  count: number,
  axes: readonly SearchAxis[],
): { total: number; msAt(at: number): number } {
  const sampler = createPointSampler(name, axes, { directions: ['minimize'], seed: 0 })
  const seconds: number[] = []
  for (let index = 0; index < count; index++) {
    const start = process.cpuUsage()
    const { point } = sampler.suggest({ index, pending: [] })!
    const values = [Object.values(point).reduce((sum, value) => sum + value ** 2, 0)]
    sampler.observe({ index, point, values })
    const { user, system } = process.cpuUsage(start)
    seconds.push((user + system) / 1e6)
  }
  const sum = (some: readonly number[]): number => some.reduce((total, value) => total + value, 0)
  return { total: sum(seconds), msAt: (at) => (1000 * sum(seconds.slice(at - 100, at))) / 100 }
}
