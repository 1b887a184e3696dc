import { randomBytes } from 'node:crypto'
import type { Interfaces } from '@oclif/core'
import type { FleetChoice } from '../app/fleet/fleet-choice.js'
import { systemClock } from '../core/clock.js'
import { exitCodes, MldsError } from '../core/errors.js'
import type { StoredPlan } from '../sweeps/stored-plan.js'
import { checkWorkerArgs, readSetup, saidBySlurm, wordsToAccept } from './flags/fleet-flags.js'
import { surroundings } from './fleet.js'

/** What the workers are to have. */
type PlanForFleet = Pick<StoredPlan, 'experiment'> & { readonly spec: Pick<StoredPlan['spec'], 'own'> }

/** The server that the environment or a context names, without who one is there: that is looked up again. */
export async function serverInUse(): Promise<string> {
  const { resolveNatsSettings } = await import('../worker/remote/wire/nats-settings.js')
  const { withoutSecret } = await import('../app/fleet/start-by-ssh.js')
  return withoutSecret(resolveNatsSettings(undefined, process.env).url)
}

/** Ends the workers that a sweep brought along, however it ended; a result that is whole is not where something of them is left. */
export async function endingFleet<T extends { readonly exitCode: number }>(
  fleet: SweepFleet | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let result: T
  try {
    result = await work()
  } catch (error) {
    await fleet?.end()
    throw error
  }
  const isGone = (await fleet?.end()) ?? true
  return isGone || result.exitCode !== exitCodes.ok ? result : { ...result, exitCode: exitCodes.incomplete }
}

/** Flags of a sweep that say what workers it brings along. */
export interface SweepFleetFlags {
  readonly fleet?: FleetChoice | undefined
  readonly nats?: string | undefined
  readonly tenant: string
  readonly context?: string | undefined
  readonly setup?: string | undefined
  readonly tunnel: boolean
  /** The files of the experiment travel with its trials. */
  readonly ship: boolean
  readonly 'worker-arg'?: readonly string[] | undefined
  /** Of the queue, where it is made now; it may also stand among the words for workers. */
  readonly lease?: number | undefined
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hungUp }
const signals = Object.keys(codes) as (keyof typeof codes)[]

type Signal = keyof typeof codes
type Phase = 'none' | 'starting' | 'idle' | 'running' | 'ending'

/**
 * The workers that a sweep brings along: started once something is to run, ended when the command ends, whatever ends it.
 * While trials run, signals are the sweep's to answer.
 */
export class SweepFleet {
  readonly #name = `sweep-${randomBytes(3).toString('hex')}`
  #phase: Phase = 'none'
  #caught: Signal | undefined
  #ended: Promise<boolean> | undefined

  private constructor(
    private readonly flags: SweepFleetFlags & { readonly fleet: FleetChoice },
    private readonly told: { readonly graceSeconds: number; readonly leaseMs: number | undefined },
  ) {}

  /**
   * @param workerFlags those of `mlds worker start`.
   * @throws MldsError for words that no worker of a fleet understands, and for flags that change nothing.
   */
  static async of(
    flags: SweepFleetFlags & { readonly fleet: FleetChoice },
    workerFlags: Interfaces.FlagInput,
  ): Promise<SweepFleet> {
    const { fleet } = flags
    if (fleet.kind === 'slurm' && flags.tunnel)
      throw new MldsError('USAGE', '--tunnel has no effect here: no ssh of yours reaches the nodes of Slurm')
    const said = fleet.kind === 'slurm' ? saidBySlurm : []
    const { graceSeconds, leaseMs } = await checkWorkerArgs(flags['worker-arg'] ?? [], workerFlags, said)
    readSetup(flags.setup)
    return new SweepFleet(flags, { graceSeconds, leaseMs: flags.lease ?? leaseMs })
  }

  /** Runs what needs the workers. `work` tells when it begins and ceases to answer signals itself. */
  async during<T>(plan: PlanForFleet, work: (answering: (is: boolean) => void) => Promise<T>): Promise<T> {
    if (this.#phase === 'none') await this.#start(plan)
    const answering = (is: boolean): void => {
      if (this.#phase !== 'ending') this.#phase = is ? 'running' : 'idle'
    }
    try {
      return await work(answering)
    } finally {
      answering(false)
    }
  }

  async #start(plan: PlanForFleet): Promise<void> {
    const { fleet: choice, nats, tenant, context, setup, tunnel, ship, 'worker-arg': said = [] } = this.flags
    if (plan.spec.own !== undefined && !ship && !said.some((word) => /^--experiment(=|$)/.test(word)))
      throw new MldsError('USAGE', `--fleet: its workers have what is built in, and not ${plan.experiment}`, {
        hint: 'send its files along, with --ship; or bring them to the hosts, and say where they are there: --worker-arg=--experiment=FILE',
      })
    const workerArgs = [...(await wordsToAccept(ship)), ...said]
    this.#phase = 'starting'
    for (const signal of signals) process.on(signal, this.#onSignal)
    const { startForSweep } = await import('../app/fleet/for-sweep.js')
    const { around, release } = await surroundings(systemClock)
    const fleet = { choice, context, tunnel, workerArgs, target: { nats, tenant }, setup: readSetup(setup) }
    try {
      await startForSweep({ ...fleet, name: this.#name, ...this.told }, around)
    } catch (error) {
      throw this.#caught === undefined ? error : interrupted(this.#caught)
    } finally {
      release()
    }
    if (this.#caught !== undefined) throw interrupted(this.#caught)
    this.#phase = 'idle'
  }

  readonly #onSignal = (signal: Signal): void => {
    if (this.#phase === 'starting') this.#caught ??= signal
    // Nobody else answers before the first trial, between two sweeps, and while figures are drawn.
    else if (this.#phase === 'idle') void this.end().finally(() => process.exit(codes[signal]))
  }

  /** Ends what was started; signals do not hold that up. @returns whether nothing of it is left. */
  end(): Promise<boolean> {
    return (this.#ended ??= this.#end())
  }

  async #end(): Promise<boolean> {
    if (this.#phase === 'none') return true
    this.#phase = 'ending'
    const { endForSweep } = await import('../app/fleet/for-sweep.js')
    const { around, release } = await surroundings(systemClock)
    release()
    try {
      return await endForSweep(this.#name, { ...around, signal: new AbortController().signal })
    } finally {
      for (const signal of signals) process.off(signal, this.#onSignal)
    }
  }
}

const interrupted = (signal: Signal): MldsError =>
  new MldsError('INTERRUPTED', 'stopped while the fleet was started: nothing has run', { exitCode: codes[signal] })
