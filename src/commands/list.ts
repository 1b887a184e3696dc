import { BaseCommand } from '../terminal/base-command.js'
import { formatTable } from '../terminal/table.js'

export default class List extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Lists the sweeps in the store, newest first'

  async run(): Promise<unknown> {
    const { flags } = await this.parse(List)
    const store = await this.openStore(flags.store)
    const { listSweeps } = await import('../app/list.js')
    const newestFirst = await listSweeps(store, (message) => void process.stderr.write(`${message}\n`))
    const rows = newestFirst.map((sweep) => [
      sweep.sweep,
      sweep.file ?? sweep.experiment,
      // A custom experiment mostly has none: there it is said where it was asked for.
      sweep.file === undefined || sweep.profile !== 'reduced' ? sweep.profile : '',
      sweep.planned,
      sweep.finished,
      sweep.failed + sweep.dead,
      sweep.diverged,
      sweep.missing,
      sweep.createdAt.replace('T', ' ').slice(0, 19),
      sweep.runningPid === undefined ? '' : `running (pid ${sweep.runningPid})`,
    ])
    this.log(
      formatTable(
        ['sweep', 'experiment', 'profile', 'planned', 'finished', 'failed', 'diverged', 'missing', 'created (UTC)', ''],
        rows,
      ) || this.inNamedStore('No sweeps yet. Start one with: mlds sweep params'),
    )
    return newestFirst
  }
}
