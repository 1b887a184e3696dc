import { estimate } from '../src/analysis/intervals.js'
import { mean } from '../src/analysis/statistics.js'
import type { SearchAxis, SearchPoint } from '../src/search/space.js'
import { openPeer, type Peer } from './peer.js'
import { openTrainer, type Setting, type Trainer } from './params-trainer.js'
import { openSearcher } from './searchers.js'
import { table } from './measure.js'

/** Threads, and as many searches at a time, each of which tries one setting after the other. */
const workers = 2
const freshSeeds = [1, 2, 3]
const epochs = 2
const optimizers = ['adagrad', 'adam', 'sgd']

const grid: Readonly<Record<string, readonly (number | string)[]>> = {
  width: [16, 64, 256],
  depth: [1, 2],
  learningRate: [0.001, 0.01, 0.1],
  batch: [50, 200],
  optimizer: optimizers,
}
/** What searches go through: all between the ends of the grid's axes. */
const axes: readonly SearchAxis[] = [
  { name: 'width', kind: 'int', low: 16, high: 256, log: true },
  { name: 'depth', kind: 'int', low: 1, high: 2 },
  { name: 'learningRate', kind: 'float', low: 0.001, high: 0.1, log: true },
  { name: 'batch', kind: 'int', low: 50, high: 200, log: true },
  { name: 'optimizer', kind: 'choice', choices: optimizers.length },
]

const settingOf = (point: SearchPoint): Setting => ({ ...point, epochs, optimizer: optimizers[point['optimizer']!]! })

const gridSettings = (): Setting[] =>
  Object.entries(grid).reduce<Setting[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{ epochs }],
  )

interface Winner {
  readonly setting: Setting
  /** On seed 0, by which it was found. */
  readonly accuracy: number
  /** The mean over fresh seeds. */
  readonly fresh: number
}

/**
 * Held-out accuracy that searches of `params` on mnist-10k find with a quarter of a grid's trials, beside that grid's best:
 * `npm run bench search-params FOLDER [searches=10] [SAMPLER…]`. FOLDER keeps what was trained. `auto` is tpe here, since an
 * axis is a list.
 */
export async function benchSearchParams(words: readonly string[]): Promise<void> {
  const [folder, ...named] = words.filter((word) => !word.includes('='))
  if (folder === undefined) throw new Error('usage: FOLDER [searches=10] [SAMPLER…]')
  const searches = Number(words.find((word) => word.startsWith('searches='))?.slice('searches='.length) ?? 10)
  const samplers = named.length > 0 ? named : ['random', 'tpe', 'gp', 'optuna-tpe', 'optuna-gp']
  const trainer = await openTrainer(folder, workers)
  const all = gridSettings()
  const budget = all.length / 4
  const best = await bestOf(all, trainer)
  console.log(
    `grid of ${all.length}: best ${percent(best.accuracy)} % (fresh seeds ${percent(best.fresh)} %) at ${JSON.stringify(best.setting)}`,
  )
  const rows: string[][] = []
  for (const sampler of samplers) {
    const winners = await inLanes(searches, (seed, peer) => searchOnce(sampler, { seed, budget, trainer, peer }))
    rows.push([sampler, ...compared(winners, best)])
    console.log(`${sampler}: ${winners.map(({ accuracy }) => percent(accuracy)).join(' ')}`)
  }
  await trainer.close()
  const header = [
    'sampler',
    'best found − grid’s, points of a percent',
    'at least the grid’s',
    'on fresh seeds − grid’s',
  ]
  console.log(`\n${searches} searches of ${budget} trials each, 95 % of Student\n\n${table(header, rows)}`)
}

async function bestOf(settings: readonly Setting[], trainer: Trainer): Promise<Winner> {
  const accuracies = await Promise.all(inTurn(settings, (setting) => trainer.accuracyOf(setting, 0)))
  const accuracy = Math.max(...accuracies)
  return judged(settings[accuracies.indexOf(accuracy)]!, accuracy, trainer)
}

/** Promises of work of which so many are under way as there are threads. */
function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R>[] {
  const lanes: Promise<unknown>[] = Array.from({ length: workers }, () => Promise.resolve())
  return items.map((item, i) => {
    const done = lanes[i % workers]!.then(() => work(item))
    lanes[i % workers] = done
    return done
  })
}

async function judged(setting: Setting, accuracy: number, trainer: Trainer): Promise<Winner> {
  const fresh: number[] = []
  for (const seed of freshSeeds) fresh.push(await trainer.accuracyOf(setting, seed))
  return { setting, accuracy, fresh: mean(fresh) }
}

/** Searches by their seeds, as many at once as there are threads; each lane has an Optuna of its own. */
async function inLanes<T>(count: number, work: (seed: number, peer: Peer | undefined) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    const peer = openPeer('search_optuna.py')
    for (let seed = next++; seed < count; seed = next++) results[seed] = await work(seed, peer)
    peer?.close()
  }
  await Promise.all(Array.from({ length: workers }, lane))
  return results
}

interface SearchOptions {
  readonly seed: number
  /** Trials. */
  readonly budget: number
  readonly trainer: Trainer
  readonly peer: Peer | undefined
}

async function searchOnce(sampler: string, { seed, budget, trainer, peer }: SearchOptions): Promise<Winner> {
  const searcher = await openSearcher(sampler, { axes, seed, parallel: 1 }, peer)
  let best: Omit<Winner, 'fresh'> = { setting: {}, accuracy: -1 }
  for (let index = 0; index < budget; index++) {
    const setting = settingOf((await searcher.ask())!)
    const accuracy = await trainer.accuracyOf(setting, 0)
    if (accuracy > best.accuracy) best = { setting, accuracy }
    await searcher.tell(index, 1 - accuracy)
  }
  return judged(best.setting, best.accuracy, trainer)
}

const percent = (share: number): string => (100 * share).toFixed(2)

function compared(winners: readonly Winner[], best: Winner): string[] {
  const difference = (of: (winner: Winner) => number): string => {
    const { effect, interval } = estimate(
      winners.map((winner) => 100 * (of(winner) - of(best))),
      'linear',
    )
    return `${effect.toFixed(2)} (${interval.map((end) => end.toFixed(2)).join(' to ')})`
  }
  const reached = winners.filter(({ accuracy }) => accuracy >= best.accuracy).length
  return [difference(({ accuracy }) => accuracy), `${reached} of ${winners.length}`, difference(({ fresh }) => fresh)]
}
