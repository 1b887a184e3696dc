import { controlMessage, decodeKept, encode, oldestProtocol, type ControlMessage } from './protocol.js'
import { sweepToken, nameRun, type RunKey } from './names.js'
import { runsOf, type Broker } from './streams.js'

/** Tells workers and orchestrator what a person wants of the sweep. @throws StoreError when a newer mlds has said something of it. */
export async function controlSweep(
  broker: Broker,
  sweep: string,
  control: Pick<ControlMessage, 'wanted' | 'by' | 'atMs'>,
): Promise<void> {
  // What a newer mlds said there is not written over.
  await readControl(broker, sweepToken(sweep))
  await broker.controls.put(sweepToken(sweep), encode({ v: oldestProtocol, ...control } satisfies ControlMessage))
}

/** `undefined` for a sweep that nobody said anything of. @throws StoreError when a newer mlds said it. */
export async function readControl(broker: Broker, token: string): Promise<ControlMessage | undefined> {
  const entry = await broker.controls.get(token)
  return entry?.operation === 'PUT'
    ? decodeKept(controlMessage, entry.string(), 'what somebody wants of the sweep')
    : undefined
}

/** Takes back what waits in the queue, of a sweep or a single run, and was never begun. @returns its runs. */
export async function recallQueued(broker: Broker, which: Partial<RunKey>): Promise<RunKey[]> {
  const { jsm, names } = broker
  const queued = await runsOf(jsm, names.trials, names.trial(which))
  if (queued.length === 0) return []
  const begun = new Set((await runsOf(jsm, names.attempts, names.attempt(which))).map(nameRun))
  const waiting = queued.filter((run) => !begun.has(nameRun(run)))
  for (const run of waiting) await jsm.streams.purge(names.trials, { filter: names.trial(run) })
  return waiting
}
