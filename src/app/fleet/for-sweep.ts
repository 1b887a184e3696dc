import { UnavailableError } from '../../core/errors.js'
import { fleetNames, orphanFleets } from '../../fleet/state.js'
import { thisProcess } from '../../system/process-identity.js'
import type { NatsTarget } from '../backends/nats-target.js'
import type { FleetChoice } from './fleet-choice.js'
import { startBySlurm } from './start-by-slurm.js'
import { startBySsh } from './start-by-ssh.js'
import { stopFleet } from './stop.js'
import type { FleetSurroundings } from './surroundings.js'

/** Workers that are there for the sweep of one process. */
export interface FleetForSweep {
  readonly name: string
  readonly choice: FleetChoice
  readonly target: NatsTarget
  readonly context: string | undefined
  readonly setup: string | undefined
  readonly tunnel: boolean
  readonly workerArgs: readonly string[]
  readonly graceSeconds: number
  /** Of the queue, where the fleet makes it. Default: 30 s. */
  readonly leaseMs: number | undefined
}

const joinMs = 60_000
/** A fleet whose sweep was killed ends by itself after so long without a trial, but for what was copied. */
const idleMs = 3_600_000

/**
 * Starts the workers. By ssh it returns when each has joined or failed; what Slurm has queued may come later.
 * @throws UnavailableError when there will be no worker at all.
 */
export async function startForSweep(fleet: FleetForSweep, around: FleetSurroundings): Promise<void> {
  const { name, choice, target, context, setup, tunnel, graceSeconds, leaseMs } = fleet
  for (const orphan of orphanFleets(around.folder))
    around.say(`A sweep that was killed has left the fleet ${orphan}. End it with: mlds fleet stop ${orphan}`)
  const common = { name, target, context, setup, owner: thisProcess() }
  const tenant = target.tenant === 'mlds' ? [] : ['--tenant', target.tenant]
  const workerArgs = [...tenant, ...fleet.workerArgs]
  if (choice.kind === 'slurm') {
    const { count, timeMs } = choice
    const job = await startBySlurm(
      { ...common, workerArgs, count, timeMs, idleMs, on: undefined, sbatchWords: [] },
      around,
    )
    around.say(`Job ${job}, ${count} workers, is submitted as the fleet ${name}.`)
    return
  }
  const isIdleSaid = workerArgs.some((word) => /^--idle-timeout(=|$)/.test(word))
  const words = isIdleSaid ? workerArgs : ['--idle-timeout', `${idleMs / 1_000}s`, ...workerArgs]
  const { hosts } = choice
  const outcomes = await startBySsh(
    { ...common, hosts, tunnel, graceSeconds, joinMs, leaseMs, install: 'copy', workerArgs: words },
    around,
  )
  const joined = outcomes.filter(({ step }) => step === 'joined').length
  if (joined === 0) throw new UnavailableError(`no worker joined: ${outcomes[0]!.host}: ${outcomes[0]!.why}`)
  around.say(`${joined} of ${hosts.length} workers joined as the fleet ${name}, which ends with this sweep.`)
}

/** Ends the fleet, if it is there, and removes what was brought. @returns whether nothing of it is left. */
export async function endForSweep(name: string, around: FleetSurroundings): Promise<boolean> {
  if (!fleetNames(around.folder).includes(name)) return true
  const stopped = await stopFleet({ name, now: true, keep: false }, around)
  const left = stopped.filter(({ why }) => why !== undefined).length
  if (left > 0)
    around.say(`The fleet ${name} is left on ${left} of ${stopped.length} hosts. End it with: mlds fleet stop ${name}`)
  return left === 0
}
