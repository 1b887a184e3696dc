import { Worker } from 'node:worker_threads'
import { builtFile } from '../../system/built-file.js'
import type { Explained, Observation } from '../../search/sampler.js'
import type { SearchPoint } from '../../search/space.js'
import type { SamplerAnswer, SamplerData, SamplerRequest } from './sampler-messages.js'
import type { PointSource } from './suggester.js'

/** A sampler on a thread of its own, so that fitting a model holds up nothing else. */
export class SamplerThread implements PointSource {
  readonly #thread: Worker
  readonly #waiting: {
    readonly resolve: (explained: Explained | undefined) => void
    readonly reject: (error: Error) => void
  }[] = []
  #observations: Observation[] = []

  constructor(data: SamplerData) {
    this.#thread = new Worker(builtFile(import.meta.url, './sampler-entry.js'), { workerData: data, env: {} })
    this.#thread.on('message', ({ explained }: SamplerAnswer) => {
      this.#waiting.shift()?.resolve(explained)
      if (this.#waiting.length === 0) this.#thread.unref()
    })
    this.#thread.on('error', (error: Error) => this.#fail(error))
    this.#thread.on('exit', () => this.#fail(new Error('the thread of the sampler has ended')))
    // It holds the process while an answer is awaited, and no longer.
    this.#thread.unref()
  }

  observe(observations: readonly Observation[]): void {
    for (const one of observations) this.#observations.push(one)
  }

  suggest(index: number, pending: readonly SearchPoint[]): Promise<Explained | undefined> {
    const request: SamplerRequest = { observations: this.#observations, ask: { index, pending } }
    this.#observations = []
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#thread.ref()
      this.#thread.postMessage(request)
    })
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
