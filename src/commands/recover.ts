import { formatCount } from '../core/format.js'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'

export default class Recover extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description = 'Rebuilds a sweep whose folder was lost from what MLflow remembers of it'
  static override examples = ['<%= config.bin %> recover params-1a2b3c4d --from http://127.0.0.1:5000']
  static override args = {
    sweep: Args.string({
      description: 'the full id: the name, or the run id, of the parent run in MLflow',
      required: true,
    }),
  }
  static override flags = {
    from: Flags.string({
      description: 'the MLflow server',
      env: 'MLFLOW_TRACKING_URI',
      helpValue: 'URL',
      required: true,
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Recover)
    const { recoverFromMlflow } = await import('../app/recover.js')
    const { summarise } = await import('../app/summary.js')
    const store = await this.openStore(flags.store)
    const { sweep, fetched, leftOut, withoutFiles } = await recoverFromMlflow(
      store,
      flags.from,
      args.sweep,
      (message) => void this.warn(message),
    )
    const summary = summarise(sweep, sweep.restore().counts())
    this.log(`${sweep.id}: ${summary.finished} of ${formatCount(summary.planned, 'trial')} recovered`)
    if (fetched > 0)
      this.log(`${formatCount(fetched, 'file')} that they had saved ${fetched === 1 ? 'is' : 'are'} in the store again`)
    if (leftOut.length > 0)
      this.log(`${leftOut.length} left out, for what they saved is needed and nowhere: they run again`)
    if (withoutFiles.length > 0)
      this.log(
        `${withoutFiles.length} are without their checkpoints, which are not in MLflow: nothing that is left to run needs them, but mlds verify will miss them`,
      )
    if (summary.finished < summary.planned) {
      const { customOf, whereFrom } = await import('../experiments/custom/custom.js')
      for (const { source, name } of customOf(sweep))
        this.log(`What they run was told by the server, so look at it first: ${whereFrom(source, name)}`)
      this.advise(`Run the rest with: mlds resume ${sweep.id}`)
    }
    return { ...summary, fetched, leftOut, withoutFiles }
  }
}
