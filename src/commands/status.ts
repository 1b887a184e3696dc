import { Args } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { formatVerdict } from '../cli/summary.js'
import { formatTable } from '../cli/table.js'

export default class Status extends BaseCommand {
  static override description = 'Says where a sweep stands: counts, what runs, what failed, its verdicts'
  static override args = {
    sweep: Args.string({ description: 'a sweep id, the beginning of one, or "latest"', default: 'latest' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Status)
    const store = await this.openStore(flags.store)
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { SweepState } = await import('../sweeps/state.js')
    const { storedVerdicts } = await import('../sweeps/conclude.js')
    const { summarise } = await import('../library/execute-sweep.js')
    const { lockHolder } = await import('../sweeps/lock.js')
    const { describeSeeds, varyingAxes } = await import('../sweeps/plan.js')
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const runningPid = lockHolder(sweep.lockFile)
    const state = new SweepState(sweep.plan.trials)
    for (const { event } of sweep.entries()) state.apply(event)
    if (runningPid === undefined) state.settle()
    const counts = state.counts()
    const verdicts = await storedVerdicts(sweep)

    const axes = varyingAxes(sweep.plan.trials)
    const notable = [...state.trials.values()].filter(
      ({ state: standing }) => !['planned', 'finished', 'stopped'].includes(standing),
    )
    const rows = notable.map(({ trial, state: standing, attempts, step }) => [
      trial.id,
      standing,
      attempts,
      step ?? '',
      ...axes.map((axis) => String(trial.params[axis] ?? '')),
      describeSeeds(trial.seeds),
    ])
    this.log(
      `${sweep.id}: ${counts.finished} of ${counts.planned} finished, ${counts.running} running, ${counts.failed + counts.dead} failed, ${counts.skipped} skipped, ${counts.missing} missing`,
    )
    this.log(runningPid === undefined ? 'No process is running it.' : `Process ${runningPid} is running it.`)
    if (rows.length > 0) this.log(`\n${formatTable(['trial', 'state', 'attempts', 'step', ...axes, 'seed'], rows)}`)
    if (verdicts.length > 0) this.log(`\n${verdicts.map(formatVerdict).join('\n')}`)
    return {
      ...summarise(sweep, counts),
      running: counts.running,
      ...(runningPid === undefined ? {} : { runningPid }),
      verdicts,
    }
  }
}
