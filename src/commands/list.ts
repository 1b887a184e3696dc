import { basename } from 'node:path'
import { StoreError } from '../core/errors.js'
import { BaseCommand } from '../terminal/base-command.js'
import { formatTable } from '../terminal/table.js'
import type { Plan } from '../sweeps/plan.js'

export default class List extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Lists the sweeps in the store, newest first'

  async run(): Promise<unknown> {
    const { flags } = await this.parse(List)
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { summarise } = await import('../app/summary.js')
    const { lockHolder } = await import('../system/lock.js')
    const ids = await store.sweepIds()
    const sweeps = await Promise.all(
      ids.map(async (id) => {
        try {
          const sweep = await SweepFolder.open(store, id)
          const pid = lockHolder(sweep.lockFile)
          return [
            {
              ...summarise(sweep, sweep.restore().counts()),
              ...(await fileOf(sweep.plan)),
              createdAt: new Date(sweep.plan.createdAtMs).toISOString(),
              ...(pid === undefined ? {} : { runningPid: pid }),
            },
          ]
        } catch (error) {
          // One damaged sweep must not hide the others.
          process.stderr.write(`${(error as Error).message}\n`)
          return []
        }
      }),
    )
    if (ids.length > 0 && sweeps.flat().length === 0)
      throw new StoreError(`none of the sweeps of this store can be read: ${ids.length} of ${ids.length} are damaged`)
    const newestFirst = sweeps
      .flat()
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : 0))
    const rows = newestFirst.map((sweep) => [
      sweep.sweep,
      sweep.file ?? sweep.experiment,
      // A person's own experiment mostly has none: there it is said where it was asked for.
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

/** The file of a person's own experiment, or the one that its command runs. */
async function fileOf({ spec: { own } }: Pick<Plan, 'spec'>): Promise<{ file?: string }> {
  if (own?.kind === 'file') return { file: basename(own.file) }
  if (own?.kind !== 'command') return {}
  const { programOf } = await import('../experiments/custom/command.js')
  return { file: programOf(own.command) }
}
