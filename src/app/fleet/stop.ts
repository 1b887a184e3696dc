import PQueue from 'p-queue'
import { parseHost, thisHost } from '../../fleet/host.js'
import { askHost } from '../../fleet/launch.js'
import { stopScript } from '../../fleet/scripts.js'
import { cancelScript } from '../../fleet/slurm.js'
import { toldBy } from '../../fleet/ssh.js'
import { placeOf, readFleet, removeFleet, writeFleet, type FleetState, type Member } from '../../fleet/state.js'
import { closeTunnel } from '../../fleet/tunnel.js'
import { withoutMember, type FleetSurroundings } from './surroundings.js'

export interface StopFleet {
  readonly name: string
  /** Trials are handed back at once. */
  readonly now: boolean
  /** mlds stays on the hosts. */
  readonly keep: boolean
}

export interface Stopped {
  readonly host: string
  readonly worker: string
  /** Why something of it may be left. */
  readonly why?: string
}

const hostsAtOnce = 8
/** What a worker needs beyond its grace: last words, and handing back. */
const lastWordsSeconds = 15

/**
 * Ends a fleet's workers and removes what was brought. A host that can't be reached stays written down, so that the same
 * command can be given again.
 */
export async function stopFleet({ name, now, keep }: StopFleet, around: FleetSurroundings): Promise<Stopped[]> {
  let state = readFleet(around.folder, name)
  let written = Promise.resolve()
  const queue = new PQueue({ concurrency: hostsAtOnce })
  const stops = state.hosts.map((member) =>
    queue.add(async (): Promise<Stopped> => {
      const { host, worker } = member
      try {
        await stopOne(state, member, { now, keep }, around)
        state = withoutMember(state, worker)
        // One after the other: what was written last has to stand.
        await (written = written.then(() => writeFleet(around.folder, state)))
        return { host, worker }
      } catch (error) {
        const why = (error as Error).message
        around.say(`${host}: not stopped: ${why}`)
        return { host, worker, why }
      }
    }),
  )
  const stopped = await Promise.all(stops)
  if (state.slurm !== undefined) stopped.push(await stopJob(state, { now, keep }, around))
  if (state.hosts.length === 0 && stopped.every(({ why }) => why === undefined)) await removeFleet(around.folder, name)
  return stopped
}

async function stopJob(
  { name, graceSeconds, slurm }: FleetState,
  { now, keep }: Pick<StopFleet, 'now' | 'keep'>,
  { signal, say }: FleetSurroundings,
): Promise<Stopped> {
  const { on, job = 'that was never submitted', digest } = slurm!
  const host = on === undefined ? thisHost : parseHost(on)
  const told = { host: host.name, worker: `job ${job}` }
  const patience = (now ? 0 : graceSeconds) + lastWordsSeconds
  try {
    const options = { timeoutMs: 1_000 * (patience + 180), signal }
    const answer = toldBy(await askHost(host, cancelScript(name, digest, { patience, now, keep }), options))
    const how = answer.has('killed') ? 'was cancelled, since it did not end when told' : 'has ended'
    if (slurm!.job !== undefined) say(`${host.name}: stopped: job ${job} ${how}`)
    return told
  } catch (error) {
    const why = (error as Error).message
    say(`${host.name}: not stopped: ${why}`)
    return { ...told, why }
  }
}

async function stopOne(
  { name, graceSeconds }: FleetState,
  { host: named, worker, place, digest, tunnel }: Member,
  { now, keep }: Pick<StopFleet, 'now' | 'keep'>,
  { folder, signal, say }: FleetSurroundings,
): Promise<void> {
  const patience = (now ? 0 : graceSeconds) + lastWordsSeconds
  const script = stopScript(placeOf(name, { place }), worker, digest, { now, keep, patience })
  const answer = await askHost(parseHost(named), script, { timeoutMs: 1_000 * (patience + 60), signal })
  if (tunnel !== undefined) await closeTunnel(tunnel, folder, worker)
  const told = toldBy(answer)
  say(
    `${named}: stopped: ${told.has('killed') ? `${worker} did not end within ${patience} s and was killed` : told.has('ended') ? `${worker} has ended` : 'no worker ran'}`,
  )
}
