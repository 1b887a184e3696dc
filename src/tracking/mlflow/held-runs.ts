import PQueue from 'p-queue'
import { groupBy } from '../../core/group-by.js'
import type { MlflowClient } from './rest/client.js'
import { deepDifferences, differences } from './audit/differences.js'
import type { Ledger } from './ledger.js'
import type { ProjectedRun } from './projection/projection.js'
import { identify } from './projection/identity.js'
import type { Run } from './rest/wire.js'

/**
 * The runs of a sweep that a server has, one for each key: of several the one that is written down, else one that has
 * ended. The ledger is set right by them.
 */
export class HeldRuns {
  readonly #runs = new Map<string, Run>()
  /** Keys of runs that a look at their points and files found wanting. */
  readonly #spoiled = new Set<string>()

  /** @param home MLflow's id of the experiment that the sweep is in. */
  constructor(
    runs: readonly Run[],
    private readonly ledger: Ledger,
    private readonly home: string,
  ) {
    for (const [key, all] of groupBy(runs, (run) => identify(run).key)) {
      const known = ledger.get(key)
      const here = all.filter(({ experimentId }) => experimentId === home)
      const same = here.length > 0 ? here : all
      const run = same.find(({ id }) => id === known?.run) ?? same.find(({ endMs }) => endMs !== undefined) ?? same[0]!
      this.#runs.set(key, run)
      if (run.id !== known?.run) ledger.set({ key, run: run.id, artifactUri: run.artifactUri, offset: -1, done: false })
    }
    for (const { key } of [...ledger.entries()]) if (!this.#runs.has(key)) ledger.forget(key)
  }

  get(key: string): Run | undefined {
    return this.#runs.get(key)
  }

  /** Whether the run is there and as it should be, as far as it was looked at. */
  agrees(wanted: ProjectedRun): boolean {
    const run = this.#runs.get(wanted.key)
    return run !== undefined && !this.#spoiled.has(wanted.key) && differences(run, wanted).length === 0
  }

  /** Takes away runs that can't be made right, which MLflow keeps in its bin, and false tags of others. `deep`: looks at points and files too. */
  async weed(
    client: MlflowClient,
    wanted: readonly ProjectedRun[],
    { deep, inFlight }: { deep: boolean; inFlight: number },
  ): Promise<void> {
    const look = async (run: Run, should: ProjectedRun): Promise<void> => {
      const below = deep ? await deepDifferences(client, run, should) : []
      if (below.length > 0) this.#spoiled.add(should.key)
      const differing = [...differences(run, should), ...below]
      // Nothing moves a run from one experiment to another.
      const isMisplaced = run.experimentId !== this.home
      if (!isMisplaced && !differing.some(({ isFixed }) => isFixed === true)) {
        for (const { falseTag } of differing) if (falseTag !== undefined) await client.deleteTag(run.id, falseTag)
        return
      }
      await client.deleteRun(run.id)
      this.ledger.forget(should.key)
      this.#runs.delete(should.key)
    }
    await new PQueue({ concurrency: inFlight }).addAll(
      wanted.flatMap((should) => {
        const run = this.#runs.get(should.key)
        return run === undefined ? [] : [() => look(run, should)]
      }),
    )
  }
}
