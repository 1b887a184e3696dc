import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { nameFlag, profileFlag, schedulerFlag, setFlag, targetArg } from '../cli/flags.js'
import { formatTable } from '../cli/table.js'

const tableRows = 40

export default class Plan extends BaseCommand {
  static override description = 'Shows what a sweep would run, and what of it is done, without starting anything'
  static override examples = [
    '<%= config.bin %> plan params',
    '<%= config.bin %> plan params --set width=8,32,128 --set seed=0..4',
  ]
  static override args = { target: targetArg }
  static override flags = {
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    scheduler: schedulerFlag,
    all: Flags.boolean({ description: `list every trial, not just the first ${tableRows}` }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Plan)
    const store = await this.openStore(flags.store)
    const { planTarget } = await import('../library/plan-target.js')
    const { describeSeeds, sweepIdOf, varyingAxes } = await import('../sweeps/plan.js')
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { isResult } = await import('../sweeps/state.js')
    const { plan } = await planTarget(args.target, flags, store)

    const id = sweepIdOf(plan)
    const existing = (await store.sweepIds()).includes(id) ? (await SweepFolder.open(store, id)).restore() : undefined
    const isDone = (trial: string): boolean => isResult(existing?.trials.get(trial)?.outcome)
    const done = plan.trials.filter((trial) => isDone(trial.id)).length

    const axes = varyingAxes(plan.trials)
    const shown = flags.all ? plan.trials : plan.trials.slice(0, tableRows)
    const rows = shown.map((trial) => [
      trial.index,
      trial.id,
      trial.stage,
      ...axes.map((axis) => String(trial.params[axis] ?? '')),
      describeSeeds(trial.seeds),
      isDone(trial.id) ? 'done' : '',
    ])
    this.log(formatTable(['#', 'trial', 'stage', ...axes, 'seed', 'state'], rows))
    if (shown.length < plan.trials.length)
      this.log(`… and ${plan.trials.length - shown.length} more (--all lists them)`)
    this.log(
      `\n${id}: ${plan.trials.length} trials of ${plan.experiment} (${plan.profile}), ${done} done, ${plan.trials.length - done} to run`,
    )
    return { sweep: id, planned: plan.trials.length, done, hash: plan.hash, trials: plan.trials }
  }
}
