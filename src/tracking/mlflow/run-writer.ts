import PQueue from 'p-queue'
import type { MlflowClient } from './rest/client.js'
import type { Acknowledgement, Ledger } from './ledger.js'
import type { ProjectedRun, RunFile, SweepProjection } from './projection/projection.js'
import { identify } from './projection/identity.js'
import { missingParams } from './audit/differences.js'
import type { Run } from './rest/wire.js'

/** Makes and completes runs, and writes down which run holds what. */
export class RunWriter {
  /** Two requests that bring the same new data set at once would meet in the server's database, and one be refused. */
  readonly #datasetQueue = new PQueue({ concurrency: 1 })

  constructor(
    private readonly client: MlflowClient,
    private readonly ledger: Ledger,
  ) {}

  async create(experimentId: string, { key, name, startMs, tags }: ProjectedRun): Promise<Acknowledgement> {
    const run = await this.client.createRun(experimentId, { name, startMs, tags }, 'mlds.run_key')
    return this.ledger.set({ key, run: run.id, artifactUri: run.artifactUri, offset: -1, done: false })
  }

  async putDatasets({ run }: Acknowledgement, { datasets }: ProjectedRun): Promise<void> {
    if (datasets.length > 0) await this.#datasetQueue.add(() => this.client.logInputs(run, datasets))
  }

  async putFiles(run: Acknowledgement, files: readonly RunFile[]): Promise<void> {
    for (const { path, read } of files) {
      const bytes = await read()
      if (bytes !== undefined && bytes.length > 0) await this.client.putArtifact(run, path, bytes)
    }
  }

  /**
   * Keeps the run that is written down, where a request that arrived twice has made another; gives runs the parameters
   * that they lack. Returns the keys of the runs that this changed.
   */
  async mend(runs: readonly Run[], projection: SweepProjection): Promise<string[]> {
    const mended: string[] = []
    for (const run of runs) {
      const { key, trial = '' } = identify(run)
      const known = this.ledger.get(key)
      if (known === undefined) continue
      if (known.run !== run.id) {
        await this.client.deleteRun(run.id)
        mended.push(known.key)
        continue
      }
      const missing = missingParams(run, { params: projection.paramsOf(trial) })
      if (Object.keys(missing).length === 0) continue
      await this.client.log(run.id, { params: missing })
      mended.push(known.key)
    }
    return mended
  }
}
