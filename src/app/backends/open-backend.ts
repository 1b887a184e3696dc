import { tmpdir } from 'node:os'
import { MldsError } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import type { EngineName, ParamValue, Trial } from '../../core/trial.js'
import type { Engine } from '../../engines/engine.js'
import { customOf } from '../../experiments/custom/custom.js'
import { dataReadBy } from '../../experiments/trial-data.js'
import { gpuDevices } from '../../system/gpus.js'
import type { StoredPlan } from '../../sweeps/stored-plan.js'
import { makeFolderSync } from '../../system/make-folder.js'
import { mustBeWritable } from '../../system/store.js'
import { mayGrow } from '../../sweeps/plan.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
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
  const { checkpointEveryMs, copies } = run
  if ('inline' in where && stored.sweep.plan.spec.resources?.isolate === true)
    throw new MldsError('USAGE', 'resources: isolate: an object of this program can run in no other process', {
      hint: 'export it from a file of its own: mlds sweep FILE',
    })
  return 'inline' in where
    ? openInline(stored, where.inline, checkpointEveryMs)
    : openThreads(stored, where.threads, { checkpointEveryMs, copies })
}

async function openInline(
  { store, sweep, experiment }: StoredSweep,
  atOnce: number,
  checkpointEveryMs: number,
): Promise<Backend> {
  const { InlineBackend } = await import('../../worker/inline.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  const engines = new Map<EngineName, Promise<Engine>>()
  makeFolderSync(sweep.logsFolder)
  return new InlineBackend(atOnceOf(sweep, atOnce), {
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
    checkpointsFolder: sweep.checkpointsFolder,
    checkpointEveryMs,
    worker: 'inline',
    clock: systemClock,
  })
}

/** No more attempts run at once than there are trials and copies of them. */
const atOnceOf = ({ plan }: SweepFolder, asked: number, copies = 0): number =>
  mayGrow(plan.spec) ? asked : Math.min(asked, plan.trials.length + copies)

/** The threads backend, with every data set that the trials name already in shared memory. */
async function openThreads(
  { store, sweep, experiment }: StoredSweep,
  threads: number,
  { checkpointEveryMs, copies }: Pick<RemoteRun, 'checkpointEveryMs' | 'copies'>,
): Promise<Backend> {
  if (sweep.plan.spec.own?.kind === 'command')
    mustBeWritable(tmpdir(), 'programs are given a folder there for their files: name another with TMPDIR')
  const { ThreadsBackend } = await import('../../worker/threads/threads.js')
  const { hostMemoryGb, roomFor } = await import('../../worker/host-shares.js')
  const { openData } = await import('../../data/catalog.js')
  const catalog = openData(store)
  const { trials, spec } = sweep.plan
  const { gpu = 0, memoryGb = 0, isolate = false } = spec.resources ?? {}
  const shares = { gpu, memoryGb }
  const gpus = gpuDevices(undefined, process.env)
  const room = roomFor(shares, { gpus: gpus ?? [], memoryGb: hostMemoryGb() })
  if (room === 0)
    throw new MldsError(
      'USAGE',
      `resources: ${JSON.stringify(spec.resources)}: this host has ${gpus?.length ?? 0} GPUs and ${hostMemoryGb()} GB of memory`,
      { hint: 'CUDA_VISIBLE_DEVICES names the GPUs that trials may use, such as CUDA_VISIBLE_DEVICES=0,1' },
    )
  // Ancestors are in the plan too.
  const names = new Set(
    [...trials, ...trialsToCome(sweep.plan)].flatMap((trial) => dataReadBy(experiment, trial, () => undefined)),
  )
  const datasets = await Promise.all([...names].map((name) => catalog.load(name)))
  return new ThreadsBackend({
    workers: Math.min(atOnceOf(sweep, threads, copies), room),
    shares,
    isolated: isolate && spec.own?.kind !== 'command',
    ...(gpus === undefined ? {} : { gpus }),
    clock: systemClock,
    storeFolder: store.folder,
    logsFolder: sweep.logsFolder,
    checkpointsFolder: sweep.checkpointsFolder,
    checkpointEveryMs,
    datasets,
    custom: customOf(sweep),
  })
}

/** A search may yet come to any value of its lists: a trial of each, for the data that it would read. */
function trialsToCome({ trials, spec }: StoredPlan): Trial[] {
  const lists = Object.entries(spec.search?.learning === undefined ? {} : spec.search.axes)
  return lists.flatMap(([written, axis]) => {
    const name = written.slice(written.lastIndexOf('.') + 1)
    const holder = trials.find(({ params }) => Object.hasOwn(params, name))
    if (axis.kind !== 'choice' || holder === undefined) return []
    return axis.values.map((value) => ({ ...holder, params: { ...holder.params, [name]: value as ParamValue } }))
  })
}
