import { BaseCommand } from '../cli/base-command.js'
import { sweepArg } from '../cli/flags.js'
import { formatVerdict } from '../cli/summary.js'

export default class Figure extends BaseCommand {
  static override description = "Draws a sweep's figures anew from its journal (SVG, PNG and vega-lite JSON)"
  static override args = { sweep: sweepArg }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Figure)
    const store = await this.openStore(flags.store)
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { findExperiment } = await import('../experiments/registry.js')
    const { concludeAndDraw } = await import('../cli/execute-sweep.js')
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const experiment = await findExperiment(sweep.plan.experiment)
    const { figures, verdicts } = await concludeAndDraw({ store, sweep, experiment })
    for (const file of figures) this.log(file)
    if (figures.length === 0) this.log('Nothing has finished yet, so there is nothing to draw.')
    if (verdicts.length > 0) this.log(`\n${verdicts.map(formatVerdict).join('\n')}`)
    return { sweep: sweep.id, figures, verdicts }
  }
}
