import { systemClock } from '../../core/clock.js'
import { customOf } from '../../experiments/custom/custom.js'
import { gpuDevices } from '../../system/gpus.js'
import type { StoredSweep } from '../stored-sweep.js'
import type { NatsTarget } from './nats-target.js'

/** Threads of this process as one more worker: it takes trials from the same queue as those on other hosts. */
export class LocalWorker {
  readonly #end = new AbortController()
  #done: Promise<void> = Promise.resolve()

  constructor(
    private readonly stored: StoredSweep,
    /** `accepts`: whose code comes with trials. */
    private readonly where: NatsTarget & { readonly threads: number; readonly accepts: readonly string[] },
    private readonly say: (message: string) => void,
  ) {}

  async start(): Promise<void> {
    const { connectNats } = await import('../../worker/remote/wire/connect.js')
    const { runWorker, workerName } = await import('../../worker/remote/host/worker-process.js')
    const { store, sweep } = this.stored
    const { nats, tenant, threads, accepts } = this.where
    const name = workerName()
    const gpus = gpuDevices(undefined, process.env)
    this.#done = runWorker({
      connection: await connectNats(nats, `mlds-worker/${name}`),
      tenant,
      name,
      slots: threads,
      store,
      clock: systemClock,
      logsFolder: sweep.logsFolder,
      custom: customOf(sweep),
      ...(accepts.length === 0 ? {} : { acceptCode: { keys: accepts } }),
      ...(gpus === undefined ? {} : { gpus }),
      drain: this.#end.signal,
      abort: this.#end.signal,
      say: this.say,
    }).catch((error: Error) => this.say(`the threads of this process take no more trials: ${error.message}`))
  }

  async stop(): Promise<void> {
    this.#end.abort()
    await this.#done
  }
}
