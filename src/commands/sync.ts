import { Args } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { trackFlag } from '../cli/flags.js'
import { MldsError } from '../errors.js'

export default class Sync extends BaseCommand {
  static override description =
    'Brings a sweep from its journal to MLflow, with its original times; what is there already is not sent again'
  static override examples = ['<%= config.bin %> sync latest --track http://127.0.0.1:5000']
  static override args = {
    sweep: Args.string({ description: 'a sweep id, the beginning of one, or "latest"', default: 'latest' }),
  }
  static override flags = { track: trackFlag }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Sync)
    const { openTracking } = await import('../cli/tracking.js')
    const { trackingUrl } = await import('../tracking/mlflow-settings.js')
    const { concludeAndDraw, describeSweep } = await import('../cli/execute-sweep.js')
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { experimentOf } = await import('../experiments/registry.js')
    const url = trackingUrl(flags.track)
    if (url === undefined) {
      throw new MldsError('USAGE', 'no MLflow server was named', {
        hint: 'give one with --track http://HOST:5000 or MLFLOW_TRACKING_URI',
      })
    }
    const store = await this.openStore(flags.store)
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const { lockHolder } = await import('../sweeps/lock.js')
    const pid = lockHolder(sweep.lockFile)
    if (pid !== undefined) {
      throw new MldsError('BUSY', `sweep ${sweep.id} is running: pid ${pid}`, { hint: 'sync it when it has ended' })
    }
    const experiment = await experimentOf(sweep.plan)
    const told = await concludeAndDraw({ store, sweep, experiment })
    const tracking = openTracking({ sweep, experiment, url, warn: (message) => this.warn(message) })
    try {
      const { link, sent } = await tracking.finish(describeSweep(sweep, experiment), told)
      this.log(`${sent} runs brought up to date: ${link}`)
      return { sweep: sweep.id, sent, link }
    } finally {
      await tracking.close()
    }
  }
}
