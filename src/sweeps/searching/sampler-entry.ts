import { parentPort, workerData } from 'node:worker_threads'
import { createPointSampler } from '../../search/samplers.js'
import type { SamplerAnswer, SamplerData, SamplerRequest } from './sampler-messages.js'

if (parentPort === null) throw new Error('sampler-entry is started by the sampler thread, not imported')
const port = parentPort
const { name, axes, ...options } = workerData as SamplerData
const sampler = createPointSampler(name, axes, options)

// What throws ends the thread, and its error reaches whoever waits for an answer.
port.on('message', ({ observations, ask }: SamplerRequest) => {
  for (const observation of observations) sampler.observe(observation)
  port.postMessage({ explained: sampler.suggest(ask) } satisfies SamplerAnswer)
})
