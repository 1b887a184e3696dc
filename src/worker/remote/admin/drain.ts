import type { Clock } from '../../../core/clock.js'
import { wait } from '../../../system/retry.js'
import { listWorkers } from '../orchestrator/fleet.js'
import { drainSubject } from '../wire/names.js'
import { encode, type OrderMessage } from '../wire/protocol.js'
import type { OrchestratorBroker } from '../wire/streams.js'

/** A worker tells of a change within a second; words may be lost, so it is told again meanwhile. */
const patienceMs = 10_000
const pauseMs = 500

/** Tells workers to take no more trials and to end. @returns those that had not said so after 10 s. */
export async function drainWorkers(
  { nc, names, workers }: OrchestratorBroker,
  wanted: readonly string[],
  clock: Clock,
): Promise<string[]> {
  const sinceMs = clock.monotonic()
  let silent = [...wanted]
  while (silent.length > 0 && clock.monotonic() - sinceMs < patienceMs) {
    for (const worker of silent)
      nc.publish(drainSubject(names, worker), encode({ type: 'drain' } satisfies OrderMessage))
    await wait(clock, pauseMs)
    const there = new Map((await listWorkers(workers)).map((message) => [message.worker, message]))
    silent = silent.filter((worker) => there.get(worker)?.draining === false)
  }
  return silent
}
