import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freezePlan } from '../src/app/planning/freeze-plan.js'
import { planTarget } from '../src/app/planning/plan.js'
import { Journal, journalFormat } from '../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../src/sweeps/sweep-folder.js'
import { openStore } from '../src/system/store.js'
import type { Trial } from '../src/core/trial.js'

/** Trials differ in learning rate, width, activation and seed: `trials` of them, a multiple of 100. */
export async function planned(folder: string, name: string, trials: number): Promise<SweepFolder> {
  const file = join(folder, `${name}.yaml`)
  mkdirSync(folder, { recursive: true })
  const axes = `{lr: 'logspace(1e-4,1,${trials / 100})', width: [8, 16, 32, 64, 128], act: [relu, tanh]}`
  writeFileSync(file, `experiment: {command: 'true {lr} {width} {act}'}\nname: ${name}\naxes: ${axes}\nseeds: 0..9\n`)
  const store = openStore(join(folder, '.mlds'))
  const { plan, experiment } = await planTarget(file, { set: [] }, store)
  if (plan.trials.length !== trials) throw new Error(`planned ${plan.trials.length} trials instead of ${trials}`)
  const { sweep } = await freezePlan(store, plan, experiment)
  return sweep
}

/** Says in a journal what trials do, as a sweep with 8 workers would. */
export class Writer {
  readonly #journal: Journal

  constructor(
    sweep: SweepFolder,
    private readonly points: number,
  ) {
    this.#journal = Journal.open(sweep.journalFile)
    const facts = { sweep: sweep.id, planHash: sweep.plan.hash, codeVersion: '0', engine: 'compiled' as const }
    this.#journal.append({ type: 'opened', format: journalFormat, ...facts, atMs: 1_700_000_000_000 })
  }

  begin(trial: Trial, atMs: number): void {
    const attempt = { trial: trial.id, attempt: 1 }
    this.#journal.append({ type: 'started', ...attempt, atMs, worker: `thread-${1 + (trial.index % 8)}` })
    for (let step = 1; step <= this.points; step++)
      this.#journal.append({ type: 'report', ...attempt, atMs, step, metrics: metricsAt(trial, step) })
  }

  end(trial: Trial, atMs: number): void {
    const outcome = { state: 'finished' as const, metrics: metricsAt(trial, this.points), artifacts: {} }
    this.#journal.append({ type: 'ended', trial: trial.id, attempt: 1, atMs, outcome })
  }

  close(): void {
    this.#journal.append({ type: 'closed', reason: 'done', atMs: 1_700_009_000_000 })
    this.#journal.close()
  }
}

/** A loss that falls, the faster the nearer the rate is to 0.03, with some chance in it. */
export function metricsAt({ index, params }: Pick<Trial, 'index' | 'params'>, step: number): Record<string, number> {
  const distance = Math.log10(Number(params['lr']) / 0.03) ** 2
  const chance = ((index * 7919 + step * 104_729) % 1_000) / 20_000
  const loss = (1 + distance) / (1 + step / (1 + 10 / Number(params['width']))) + chance
  return { loss, 'validation/loss': loss * 1.1 + chance, accuracy: 1 / (1 + loss) }
}

/** A sweep whose every trial has ended. */
export async function complete(folder: string, name: string, trials: number, points: number): Promise<SweepFolder> {
  const sweep = await planned(folder, name, trials)
  const writer = new Writer(sweep, points)
  let atMs = 1_700_000_000_000
  for (const trial of sweep.plan.trials) {
    writer.begin(trial, (atMs += 7))
    writer.end(trial, (atMs += 500))
  }
  writer.close()
  return sweep
}
