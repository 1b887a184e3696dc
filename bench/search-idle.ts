import { Random } from '../src/core/seed.js'
import type { Trial } from '../src/core/trial.js'
import { mean } from '../src/core/mean.js'
import { SearchCourse } from '../src/sweeps/searching/course.js'
import { SearchSpace } from '../src/sweeps/searching/search-space.js'
import type { Learning } from '../src/sweeps/spec/learning.js'

const workers = 8
const settings = 1000
const runs = 10

/** Prints the share of the time that workers of a search wait for results, where trials take exponentially distributed times. */
export function benchSearchIdle(): void {
  console.log(
    `idle share of ${workers} workers, ${settings} settings of one seed, exponential durations, mean of ${runs} runs`,
  )
  for (const order of ['fixed', 'arrival'] as const)
    for (const parallel of [8, 12, 16, 24, 32]) {
      const shares = Array.from({ length: runs }, (_, seed) => idleShare({ parallel, order }, new Random(seed, 'idle')))
      console.log(`order ${order}, parallel ${parallel}: ${(100 * mean(shares)).toFixed(1)} %`)
    }
}

function idleShare(how: Pick<Learning, 'parallel' | 'order'>, random: Random): number {
  const space = new SearchSpace({
    search: { sampler: 'random', count: settings, seed: 0, axes: { x: { kind: 'uniform', low: 0, high: 1 } } },
  })
  const objective = { metric: 'loss', direction: 'minimize' } as const
  const learning: Learning = { ...how, failed: 'worst', enqueue: [] }
  const course = new SearchCourse(space, learning, objective, settings, { trials: [], suggested: [] })
  const running: { readonly id: string; readonly endMs: number }[] = []
  const waiting: string[] = []
  let [nowMs, busyMs] = [0, 0]
  do {
    for (let request = course.next(); request !== undefined; request = course.next()) {
      const trial = trialOf(request.setting)
      const suggested = {
        setting: request.setting,
        values: { x: 0.5 },
        trials: [trial.id],
        rule: 'random',
        modelSize: 0,
      }
      course.grow({ suggested, trials: [trial] })
      waiting.push(trial.id)
    }
    while (running.length < workers && waiting.length > 0) {
      const durationMs = -1000 * Math.log(1 - random.uniform())
      busyMs += durationMs
      running.push({ id: waiting.shift()!, endMs: nowMs + durationMs })
    }
    running.sort((a, b) => a.endMs - b.endMs)
    const { id, endMs } = running.shift()!
    nowMs = endMs
    const outcome = { state: 'finished', metrics: { loss: 1 }, artifacts: {} } as const
    course.apply({ type: 'ended', trial: id, attempt: 1, atMs: nowMs, outcome })
  } while (running.length > 0 || course.size < settings)
  return 1 - busyMs / (workers * nowMs)
}

const seeds = { data: 0, init: 0, shuffle: 0, corruption: 0 }
const trialOf = (index: number): Trial => ({
  ...{
    id: `t${index}`,
    index,
    experiment: 'bench',
    version: 1,
    stage: 'main',
    params: {},
    seeds,
    parents: [],
    cost: 1,
  },
})
