import { systemClock } from '../../core/clock.js'
import type { ProcessUsage } from '../../core/trial.js'
import type { Dataset } from '../../data/dataset.js'
import { ThreadsBackend } from '../threads/threads.js'
import type { BeginMessage, FromProcess, ToProcess } from './process-messages.js'

/** The process of one isolated trial: one thread, which mlds speaks to through this process. */

if (process.send === undefined) throw new Error('process-entry is started by the threads backend, not imported')
const tell = (message: FromProcess): Promise<void> =>
  new Promise((resolve) => process.send!(message, undefined, undefined, () => resolve()))

// Who tells all processes of a job to go tells mlds too, which says what follows.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
// Without mlds nobody waits for what it does.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

let backend: ThreadsBackend | undefined
let trial = ''
let brought: (problem?: string) => void = () => {}

process.on('message', (message: ToProcess) => {
  if (message.type === 'begin') void run(message)
  else if (message.type === 'stop') void backend?.stop(trial, message.reason, message)
  else if (message.type === 'proceed') backend?.proceed(trial)
  else if (message.type === 'leave') backend?.leave()
  else if (message.type === 'give-up') backend?.giveUpAll()
  else if (message.type === 'brought') brought(message.problem)
  else void end()
})

async function run(begin: BeginMessage): Promise<void> {
  const { assignment, place, shipped, datasets, thread, heapMb, bringsCheckpoints } = begin
  trial = assignment.trial.id
  backend = new ThreadsBackend({
    ...thread,
    workers: 1,
    clock: systemClock,
    heapMb,
    datasets: datasets.map(shared),
    ...(bringsCheckpoints ? { bringCheckpoint: bring } : {}),
  })
  const { isolate: _, ...own } = assignment
  await backend.start(own, { place, ...(shipped === undefined ? {} : { shipped }) })
  for await (const event of backend.events()) {
    await tell({ type: 'event', event: event.type === 'ended' ? { ...event, usage: ownUsage() } : event })
    if (event.type === 'ended' || event.type === 'lost') break
  }
  await end()
}

/** From this process's beginning on, the start of its engine included. */
function ownUsage(): ProcessUsage {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  return { peakBytes: 1024 * maxRSS, cpuShare: (userCPUTime + systemCPUTime) / 1e6 / process.uptime() }
}

/** Once all is written that the thread had to write. */
async function end(): Promise<void> {
  await backend?.close()
  process.exit(0)
}

function bring(): Promise<void> {
  return new Promise((resolve, reject) => {
    brought = (problem) => (problem === undefined ? resolve() : reject(new Error(problem)))
    void tell({ type: 'checkpoint' })
  })
}

/** In memory that this process and its thread share. */
function shared(dataset: Dataset): Dataset {
  const features = new Float32Array(new SharedArrayBuffer(dataset.features.byteLength))
  features.set(dataset.features)
  const labels = new Int32Array(new SharedArrayBuffer(dataset.labels.byteLength))
  labels.set(dataset.labels)
  return { ...dataset, features, labels }
}
