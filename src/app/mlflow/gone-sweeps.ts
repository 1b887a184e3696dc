import type { SweepId } from '../../core/trial.js'
import { planFactsOf, SweepFolder } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'
import { parentKeyOf, sweepKeyOf } from '../../tracking/mlflow/projection/projection.js'
import type { FoundExperiment, MlflowClient } from '../../tracking/mlflow/rest/client.js'
import { acknowledgedBy } from './open-tracking.js'

/** A sweep of the store that was sent to a server, of which that has no live run any more. */
export interface GoneSweep {
  readonly sweep: SweepId
  /** The experiment in MLflow's bin that holds its runs, if one does. */
  readonly deletedExperiment?: Pick<FoundExperiment, 'id' | 'name'>
}

/** @param there Sweeps of the store that the server still has something of. */
export async function goneSweeps(
  store: Store,
  client: MlflowClient,
  there: ReadonlySet<SweepId | undefined>,
): Promise<GoneSweep[]> {
  const gone: GoneSweep[] = []
  for (const sweep of await store.sweepIds()) {
    if (there.has(sweep)) continue
    const folder = store.sweepFolder(sweep)
    const acknowledged = acknowledgedBy(folder, client)
    const facts = planFactsOf(store, sweep)
    // Of one whose plan can't be read, nobody can say which runs are its.
    if (acknowledged === undefined || facts === undefined || !(await canBeRead(store, sweep))) continue
    const key = parentKeyOf(sweepKeyOf({ sweep: facts.sweep, openedAtMs: facts.createdAtMs }))
    const parent = acknowledged.get(key)?.run
    const former = parent === undefined ? undefined : await client.experimentOf(parent)
    gone.push({
      sweep,
      ...(former?.isDeleted === true && { deletedExperiment: { id: former.id, name: former.name } }),
    })
  }
  return gone
}

const canBeRead = (store: Store, id: SweepId): Promise<boolean> =>
  SweepFolder.open(store, id).then(
    () => true,
    () => false,
  )
