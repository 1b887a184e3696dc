import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import {
  copiesFlag,
  engineFlag,
  failureFlags,
  natsFlag,
  preemptionFlags,
  shipFlag,
  sweepArg,
  tenantFlag,
  trackCheckpointsFlag,
  trackProgramsFlag,
  trackFlag,
  trustCodeFlag,
  workersFlag,
} from '../terminal/flags/flags.js'
import { sweepFleetFlags } from '../terminal/flags/fleet-flags.js'
import { idleFor, idleInRun, refuseIdle } from '../terminal/flags/idle-flags.js'
import { choicesFrom } from '../terminal/flags/run-flags.js'
import { formatSummary } from '../terminal/summary.js'
import { UnknownNameError } from '../core/errors.js'
import type { NatsTarget } from '../app/backends/nats-target.js'
import type { SweepFleet, SweepFleetFlags } from '../terminal/sweep-fleet.js'
import type { Rerun } from '../app/running/left-to-run.js'
import type { Store } from '../system/store.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

interface RemoteFlags {
  readonly nats?: string | undefined
  readonly tenant: string
  readonly experiment?: string | undefined
}

export default class Resume extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description = 'Runs what a sweep still lacks; finished trials are never touched'
  static override examples = [
    '<%= config.bin %> resume latest',
    '<%= config.bin %> resume params-1a2b3c4d --only failed,missing',
    '<%= config.bin %> resume params-1a2b3c4d --nats nats://host:4222',
    '<%= config.bin %> resume params-1a2b3c4d --nats nats://host:4222 --fleet ssh:lab1,lab2',
  ]
  static override args = { sweep: sweepArg }
  static override flags = {
    only: Flags.string({
      description: 'which trials: missing, failed, dead, cancelled, skipped (default: all of these)',
      helpValue: 'STATES',
    }),
    workers: workersFlag(),
    nats: natsFlag(),
    tenant: tenantFlag(),
    experiment: Flags.string({
      description: 'the file of an experiment that is not built in, for a sweep that comes from the NATS server',
      helpValue: 'FILE',
    }),
    ship: shipFlag,
    ...sweepFleetFlags,
    'trust-code': trustCodeFlag,
    engine: engineFlag(),
    track: trackFlag,
    'track-checkpoints': trackCheckpointsFlag,
    'track-programs': trackProgramsFlag,
    copies: copiesFlag,
    ...failureFlags,
    ...preemptionFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags, metadata, raw } = await this.parse(Resume)
    refuseIdle(raw, {
      ...(await idleInRun(flags)),
      experiment:
        flags.nats === undefined && 'it is for a sweep that comes from a NATS server (name that, with --nats URL)',
    })
    // What the server keeps may come into a store that is not there yet.
    const store = await this.openStore(flags.store, flags.nats === undefined ? 'changes' : 'makes')
    const { authorsName } = await import('../experiments/custom/custom.js')
    const { experimentOf } = await import('../experiments/registry.js')
    const only = await statesIn(flags.only)
    const sweep = await this.#open(store, args.sweep, flags)
    refuseIdle(raw, {
      experiment: authorsName(sweep.plan.experiment) === undefined && `${sweep.plan.experiment} is built in`,
    })
    if (await this.#setGoing(sweep, flags)) return { sweep: sweep.id, running: true }
    const { hasShipped, targetOf } = await import('../app/backends/nats-target.js')
    const ship = flags.ship || hasShipped(sweep)
    const target = targetOf(flags, sweep)
    const at = { ...flags, ship, ...(flags.fleet === undefined ? {} : await serverOf(target, flags)) }
    const choices = { ...(await choicesFrom(at, metadata, target)), only }
    refuseIdle(raw, {
      ship: !('nats' in choices.where) && 'files travel to workers of a NATS server (name that, with --nats URL)',
    })
    const experiment = await experimentOf(sweep, { trustCode: flags['trust-code'] })
    refuseIdle(raw, await idleFor(experiment, sweep.plan.spec.own))
    const { endingFleet } = await import('../terminal/sweep-fleet.js')
    const fleet = await this.#fleetFor(sweep, only, at)
    const { summary, exitCode } = await endingFleet(fleet, () => {
      const run = (answering?: (is: boolean) => void) =>
        this.runInTerminal({ store, sweep, experiment }, choices, flags.grace, answering)
      return fleet === undefined ? run() : fleet.during(sweep.plan, run)
    })
    this.advise(formatSummary(summary))
    return this.endWith(exitCode, summary)
  }

  /** The workers that come for it, where something may be left to run. */
  async #fleetFor(
    sweep: SweepFolder,
    only: readonly Rerun[],
    { fleet, ...flags }: SweepFleetFlags,
  ): Promise<SweepFleet | undefined> {
    if (fleet === undefined) return undefined
    const { default: WorkerStart } = await import('./worker/start.js')
    const { SweepFleet } = await import('../terminal/sweep-fleet.js')
    const { isAnyLeft } = await import('../app/running/left-to-run.js')
    const { mayGrow } = await import('../sweeps/plan.js')
    const found = await SweepFleet.of({ ...flags, fleet }, WorkerStart.flags)
    return mayGrow(sweep.plan.spec) || isAnyLeft(sweep.restore(), only) ? found : undefined
  }

  /** The sweep's folder; one that is not here is made from what the NATS server keeps. */
  async #open(store: Store, wanted: string, flags: RemoteFlags): Promise<SweepFolder> {
    const { SweepFolder, meansAbsent } = await import('../sweeps/sweep-folder.js')
    try {
      return await SweepFolder.open(store, await this.sweepId(store, wanted))
    } catch (error) {
      const { nats, tenant, experiment } = flags
      if (nats === undefined || !meansAbsent(error)) throw error
      const { fetchSweep } = await import('../app/resume.js')
      const sweep = await fetchSweep(store, { nats, tenant }, wanted, experiment)
      process.stderr.write(`${sweep.id} is not in this store: its plan comes from the NATS server\n`)
      return sweep
    }
  }

  /** A sweep that another process runs and that was paused goes on there. */
  async #setGoing(sweep: SweepFolder, flags: RemoteFlags): Promise<boolean> {
    const { targetOf } = await import('../app/backends/nats-target.js')
    const { unpause } = await import('../app/halt.js')
    const target = targetOf(flags, sweep)
    const orchestrator = target === undefined ? undefined : await unpause(target, sweep.id).catch(() => undefined)
    if (orchestrator === undefined) return false
    this.log(`${sweep.id} goes on: ${orchestrator} runs it.`)
    return true
  }
}

/** Where workers that come for the sweep find it: where it last ran, else the server of the environment. */
async function serverOf(target: NatsTarget | undefined, { tenant }: RemoteFlags): Promise<NatsTarget> {
  if (target?.nats !== undefined) return target
  const { serverInUse } = await import('../terminal/sweep-fleet.js')
  return { nats: await serverInUse(), tenant: target?.tenant ?? tenant }
}

/** The states that `--only` lists; all without it. @throws UnknownNameError */
async function statesIn(only: string | undefined): Promise<readonly Rerun[]> {
  const { rerunnable } = await import('../app/running/left-to-run.js')
  return (only?.split(',') ?? rerunnable).map((word) => {
    const state = rerunnable.find((known) => known === word.trim())
    if (state === undefined) throw new UnknownNameError('state', word, rerunnable)
    return state
  })
}
