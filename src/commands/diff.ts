import { formatCount } from '../core/format.js'
import { BaseCommand } from '../terminal/base-command.js'
import { configFlag, profileFlag, setFlag, namedSweepArg, targetArg } from '../terminal/flags/flags.js'
import { idleFor, refuseIdle } from '../terminal/flags/idle-flags.js'

export default class Diff extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Says how a plan differs from a sweep; exit code 0 when they ask for the same trials'
  static override examples = [
    '<%= config.bin %> diff latest my-sweep.yaml',
    '<%= config.bin %> diff latest params --set width=8,16',
  ]
  static override args = { sweep: namedSweepArg, target: targetArg }
  static override flags = { config: configFlag, set: setFlag, profile: profileFlag }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Diff)
    const store = await this.openStore(flags.store)
    const { SweepFolder, diffPlans } = await import('../sweeps/sweep-folder.js')
    const { planTarget } = await import('../app/planning/plan.js')
    const { exitCodes } = await import('../core/errors.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const { plan, experiment } = await planTarget(args.target, { ...flags, like: sweep.plan.spec }, store)
    refuseIdle(raw, await idleFor(experiment))
    const { added, removed, axes } = diffPlans(sweep.plan.trials, plan.trials)
    const kept = plan.trials.length - added
    const same = added === 0 && removed === 0
    this.log(
      same
        ? `${sweep.id} asks for the very same ${formatCount(kept, 'trial')}`
        : `${formatCount(kept, 'trial')} in common, ${added} new, ${removed} gone`,
    )
    if (axes !== '') this.log(axes.replaceAll('; ', '\n'))
    return this.endWith(same ? exitCodes.ok : exitCodes.incomplete, {
      sweep: sweep.id,
      same,
      kept,
      added,
      removed,
      axes,
    })
  }
}
