import { tmpdir } from 'node:os'
import { systemClock } from '../../core/clock.js'
import type { EngineName } from '../../core/trial.js'
import type { Engine } from '../../engines/engine.js'
import { customOf } from '../../experiments/custom/custom.js'
import { dataReadBy } from '../../experiments/trial-data.js'
import { makeFolderSync } from '../../system/make-folder.js'
import { mustBeWritable } from '../../system/store.js'
import type { Backend } from '../../worker/backend.js'
import type { StoredSweep } from '../stored-sweep.js'
import type { RemoteRun } from './remote.js'

/** Where a sweep's trials run. */
export type Where =
  /** On so many threads of this process. */
  | { readonly threads: number }
  /**
   * On this very thread, so many at once: all there is for an experiment that is an object of this program, as a function
   * can't be sent to another.
   */
  | { readonly inline: number }
  /** On the workers of a NATS server. */
  | RemoteRun['where']
  /** In a backend that is open; the run closes it. */
  | { readonly backend: Backend }

/** Opens the backend; `say` is for what it has to tell a person. */
export async function openBackend(
  stored: StoredSweep,
  { where, ...run }: Omit<RemoteRun, 'where'> & { readonly where: Where },
  say: (message: string) => void,
): Promise<Backend> {
  if ('backend' in where) return where.backend
  if ('nats' in where) {
    const { openRemote } = await import('./remote.js')
    return openRemote(stored, { ...run, where }, say)
  }
  return 'inline' in where ? openInline(stored, where.inline) : openThreads(stored, where.threads)
}

async function openInline({ store, sweep, experiment }: StoredSweep, atOnce: number): Promise<Backend> {
  const { InlineBackend } = await import('../../worker/inline.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  const engines = new Map<EngineName, Promise<Engine>>()
  makeFolderSync(sweep.logsFolder)
  return new InlineBackend(Math.min(atOnce, sweep.plan.trials.length), {
    findExperiment: async () => experiment,
    async engine(name) {
      const { createEngine } = await import('../../engines/create-engine.js')
      const engine = engines.get(name) ?? createEngine(name)
      engines.set(name, engine)
      return engine
    },
    data: (name) => catalog.load(name),
    putObject: (bytes) => store.putObject(bytes),
    readObject: (ref) => store.readObject(ref),
    logsFolder: sweep.logsFolder,
    worker: 'inline',
    clock: systemClock,
  })
}

/** The threads backend, with every data set that the trials name already in shared memory. */
async function openThreads({ store, sweep, experiment }: StoredSweep, threads: number): Promise<Backend> {
  if (sweep.plan.spec.own?.kind === 'command')
    mustBeWritable(tmpdir(), 'programs are given a folder there for their files: name another with TMPDIR')
  const { ThreadsBackend } = await import('../../worker/threads/threads.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  const { trials } = sweep.plan
  // Ancestors are in the plan too.
  const names = new Set(trials.flatMap((trial) => dataReadBy(experiment, trial, () => undefined)))
  const datasets = await Promise.all([...names].map((name) => catalog.load(name)))
  return new ThreadsBackend({
    workers: Math.min(threads, trials.length),
    clock: systemClock,
    storeFolder: store.folder,
    logsFolder: sweep.logsFolder,
    datasets,
    custom: customOf(sweep.plan),
  })
}
