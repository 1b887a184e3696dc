import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import {
  engineFlag,
  failureFlags,
  natsFlag,
  sweepArg,
  tenantFlag,
  trackCheckpointsFlag,
  trackFlag,
  workersFlag,
} from '../cli/flags.js'
import { formatSummary } from '../cli/summary.js'
import { UnknownNameError } from '../errors.js'

export default class Resume extends BaseCommand {
  static override description = 'Runs what a sweep still lacks; finished trials are never touched'
  static override examples = [
    '<%= config.bin %> resume latest',
    '<%= config.bin %> resume params-1a2b3c4d --only failed,missing',
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
    engine: engineFlag(),
    track: trackFlag,
    'track-checkpoints': trackCheckpointsFlag,
    ...failureFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Resume)
    const store = await this.openStore(flags.store)
    const { trackingUrl } = await import('../tracking/mlflow-settings.js')
    const { openBackendFor, limitsFrom, rerunnable } = await import('../library/execute-sweep.js')
    const { runInTerminal } = await import('../cli/run-in-terminal.js')
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { experimentOf } = await import('../experiments/registry.js')
    const only = (flags.only?.split(',') ?? rerunnable).map((word) => {
      const state = rerunnable.find((known) => known === word.trim())
      if (state === undefined) throw new UnknownNameError('state', word, rerunnable)
      return state
    })
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const experiment = await experimentOf(sweep.plan)
    const summary = await runInTerminal({
      store,
      sweep,
      experiment,
      workers: flags.workers,
      engine: flags.engine,
      trackUrl: trackingUrl(flags.track),
      trackCheckpoints: flags['track-checkpoints'],
      limits: limitsFrom(flags),
      rerun: new Set(only),
      openBackend: () => openBackendFor(store, sweep, experiment, flags),
      output: this.jsonEnabled() ? process.stderr : process.stdout,
    })
    this.log(formatSummary(summary))
    return summary
  }
}
