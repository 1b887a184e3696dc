import { tmpdir } from 'node:os'
import { systemClock } from '../../core/clock.js'
import { MldsError } from '../../core/errors.js'
import type { Experiment } from '../../experiments/experiment.js'
import { ownOf } from '../../experiments/custom/custom.js'
import { dataReadBy } from '../../experiments/trial-data.js'
import { makeFolderSync } from '../../system/make-folder.js'
import type { Engine } from '../../engines/engine.js'
import { mustBeWritable, type Store } from '../../system/store.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { EngineName } from '../../core/trial.js'
import type { Backend } from '../../worker/backend.js'
import type { RemoteRun } from '../halt.js'

/** Where a sweep's trials run: on threads here, or on the workers of a NATS server. */
export async function openBackendFor(
  store: Store,
  sweep: SweepFolder,
  experiment: Experiment,
  where: { readonly workers: number; readonly remote?: Omit<RemoteRun, 'say'> | undefined },
  say: (message: string) => void = () => {},
): Promise<Backend> {
  const { workers, remote } = where
  if (remote === undefined && sweep.plan.spec.own?.kind === 'command')
    mustBeWritable(tmpdir(), 'programs are given a folder there for their files: name another with TMPDIR')
  if (remote === undefined)
    return sweep.plan.spec.own?.kind === 'program'
      ? openInlineFor(store, sweep, experiment, workers)
      : openThreadsFor(store, sweep, experiment, workers)
  if (sweep.plan.spec.own?.kind === 'program')
    throw new MldsError('USAGE', `an object of a program can't be run by workers: ${sweep.plan.experiment}`, {
      hint: 'export it from a file of its own, which workers are given too: mlds worker start --experiment FILE',
    })
  const { openRemoteFor } = await import('../halt.js')
  return openRemoteFor(store, sweep, { ...remote, say })
}

/** This very thread; all there is for an experiment that is an object of this program, as a function can't be sent to another. */
export async function openInlineFor(
  store: Store,
  sweep: SweepFolder,
  experiment: Experiment,
  workers: number,
): Promise<Backend> {
  const { InlineBackend } = await import('../../worker/inline.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  let createEngine: (name: EngineName) => Promise<Engine>
  const engines = new Map<EngineName, Promise<Engine>>()
  makeFolderSync(sweep.logsFolder)
  return new InlineBackend(Math.min(workers, sweep.plan.trials.length), {
    findExperiment: async () => experiment,
    async engine(name) {
      createEngine ??= (await import('../../engines/create-engine.js')).createEngine
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

/** The threads backend for a sweep, with every data set that its trials name already in shared memory. */
async function openThreadsFor(
  store: Store,
  sweep: SweepFolder,
  experiment: Experiment,
  workers: number,
): Promise<Backend> {
  const { ThreadsBackend } = await import('../../worker/threads/threads.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  const { trials } = sweep.plan
  // Ancestors are in the plan too.
  const names = new Set(trials.flatMap((trial) => dataReadBy(experiment, trial, () => undefined)))
  const datasets = await Promise.all([...names].map((name) => catalog.load(name)))
  return new ThreadsBackend({
    workers: Math.min(workers, trials.length),
    clock: systemClock,
    storeFolder: store.folder,
    logsFolder: sweep.logsFolder,
    datasets,
    own: ownOf(sweep.plan),
  })
}
