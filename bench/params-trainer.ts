import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.js'
import type { Outcome, ParamValue } from '../src/core/trial.js'
import { openData } from '../src/data/catalog.js'
import { params } from '../src/experiments/built-in/params.js'
import { makePlan } from '../src/sweeps/plan.js'
import { parseSweepObject } from '../src/sweeps/spec/spec.js'
import { openStore } from '../src/system/store.js'
import { ThreadsBackend } from '../src/worker/threads/threads.js'

/** A value of some axes of `params`. */
export type Setting = Readonly<Record<string, ParamValue>>

export interface Trainer {
  /** Held-out accuracy after training at a setting with a seed; 0 where the loss diverged. */
  accuracyOf(setting: Setting, seed: number): Promise<number>
  close(): Promise<void>
}

const dataset = 'mnist-10k'

/**
 * Trains `params` on threads, its profile `smoke` with other values. A folder keeps what trials came to by their ids, which
 * hash all that a result depends on, so that none is trained twice.
 */
export async function openTrainer(folder: string, workers: number): Promise<Trainer> {
  mkdirSync(folder, { recursive: true })
  const store = openStore(join(folder, 'store'))
  const data = openData(store)
  const fingerprint = data.resolve(dataset).fingerprint
  const file = join(folder, 'trials.jsonl')
  const known = new Map<string, Promise<number>>()
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []) {
    const { id, accuracy } = JSON.parse(line) as { id: string; accuracy: number }
    known.set(id, Promise.resolve(accuracy))
  }
  const backend = new ThreadsBackend({
    ...{ workers, clock: systemClock, storeFolder: store.folder, custom: [] },
    ...{ logsFolder: join(folder, 'logs'), checkpointsFolder: join(folder, 'checkpoints') },
    datasets: [await data.load(dataset)],
  })
  const waiting = new Map<string, (outcome: Outcome) => void>()
  const listening = (async () => {
    for await (const event of backend.events()) if (event.type === 'ended') waiting.get(event.trial)?.(event.outcome)
  })()

  async function train(trial: ReturnType<typeof makePlan>['trials'][number]): Promise<number> {
    const ended = new Promise<Outcome>((resolve) => waiting.set(trial.id, resolve))
    await backend.start({
      ...{ sweep: 'search-params', trial, attempt: 1, parents: [], reads: [dataset] },
      ...{ engine: 'compiled', interactive: false },
    })
    const outcome = await ended
    if (outcome.state !== 'finished' && outcome.state !== 'diverged')
      throw new Error(`${JSON.stringify(trial.params)}: ${JSON.stringify(outcome)}`)
    const accuracy = outcome.state === 'finished' ? outcome.metrics['validation/accuracy']! : 0
    appendFileSync(file, `${JSON.stringify({ id: trial.id, accuracy })}\n`)
    return accuracy
  }

  return {
    accuracyOf(setting, seed) {
      const axes = Object.fromEntries(Object.entries(setting).map(([name, value]) => [name, [value]]))
      const spec = parseSweepObject({ experiment: params.name, profile: 'smoke', axes, seeds: [seed] })
      const [trial] = makePlan(params, spec, () => fingerprint).trials
      const accuracy = known.get(trial!.id) ?? train(trial!)
      known.set(trial!.id, accuracy)
      return accuracy
    },
    async close() {
      await backend.close()
      await listening
    },
  }
}
