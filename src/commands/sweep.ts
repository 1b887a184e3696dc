import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import {
  engineFlag,
  failureFlags,
  nameFlag,
  natsFlag,
  profileFlag,
  setFlag,
  targetArg,
  tenantFlag,
  trackFlag,
  workersFlag,
} from '../cli/flags.js'
import { formatSummary } from '../cli/summary.js'

export default class Sweep extends BaseCommand {
  static override description = 'Runs a sweep: trains every trial of its plan, draws its figures, weighs its claims'
  static override examples = [
    '<%= config.bin %> sweep params --workers 8',
    '<%= config.bin %> sweep params --profile smoke',
    '<%= config.bin %> sweep my-sweep.yaml --set width=8,32,128 --set seed=0..4',
  ]
  static override args = { target: targetArg }
  static override flags = {
    workers: workersFlag(),
    nats: natsFlag(),
    tenant: tenantFlag(),
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    engine: engineFlag(),
    track: trackFlag,
    extend: Flags.boolean({ description: 'let a sweep of this name grow: run only what is new' }),
    fresh: Flags.boolean({ description: 'run every trial, even one that another sweep has a result for' }),
    ...failureFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Sweep)
    const store = await this.openStore(flags.store)
    const { trackingUrl } = await import('../tracking/mlflow-settings.js')
    const { planTarget } = await import('../cli/plan-target.js')
    const { freezePlan, openThreadsFor, openRemoteFor, limitsFrom, executeSweep, rerunnable } =
      await import('../cli/execute-sweep.js')
    const { plan, experiment } = await planTarget(args.target, flags, store)
    const sweep = await freezePlan(store, plan, flags.extend)
    const summary = await executeSweep({
      store,
      sweep,
      experiment,
      workers: flags.workers,
      engine: flags.engine,
      trackUrl: trackingUrl(flags.track),
      limits: limitsFrom(flags),
      rerun: new Set(rerunnable),
      fresh: flags.fresh,
      openBackend: () =>
        flags.nats === undefined
          ? openThreadsFor(store, sweep, experiment, flags.workers)
          : openRemoteFor(store, sweep, { nats: flags.nats, tenant: flags.tenant }),
      output: this.jsonEnabled() ? process.stderr : process.stdout,
    })
    this.log(formatSummary(summary))
    return summary
  }
}
