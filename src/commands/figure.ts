import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { fromFlags, sweepNamed, trustCodeFlag } from '../terminal/flags.js'
import { formatVerdicts } from '../terminal/summary.js'
import { exitCodes } from '../core/errors.js'
import type { Conclusion } from '../sweeps/conclusion.js'

export default class Figure extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    "Draws a sweep's figures anew from its journal, or from MLflow alone (SVG, PNG, HTML and vega-lite JSON)"
  static override examples = [
    '<%= config.bin %> figure latest',
    '<%= config.bin %> figure --from http://127.0.0.1:5000 --sweep params-1a2b3c4d',
  ]
  static override args = {
    sweep: Args.string({ description: 'a sweep id, or the beginning of one (default: latest)' }),
  }
  static override flags = {
    ...fromFlags,
    output: Flags.string({
      char: 'o',
      description: "the folder for the figures (default: in the sweep's, with --from figures/ID)",
      helpValue: 'DIR',
    }),
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Figure)
    const id = sweepNamed(args.sweep, flags)
    const trustCode = flags['trust-code']
    const warn = (message: string): void => void this.warn(message)
    const troubles: string[] = []
    const trouble = (message: string): void => {
      warn(message)
      troubles.push(message)
    }
    if (flags.from !== undefined) {
      const { drawFromMlflow } = await import('../app/from-mlflow.js')
      const folder = flags.output ?? `figures/${id}`
      return this.#show(id, await drawFromMlflow(flags.from, id, folder, { warn, trustCode }, trouble), troubles)
    }
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { experimentToRead } = await import('../experiments/registry.js')
    const { mustBeWritable } = await import('../system/store.js')
    const { concludeAndDraw } = await import('../app/conclude.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, id))
    if (flags.output === undefined) mustBeWritable(sweep.folder, `draw elsewhere with: mlds figure ${sweep.id} -o DIR`)
    const experiment = await experimentToRead(sweep, { warn, trustCode })
    return this.#show(sweep.id, await concludeAndDraw({ store, sweep, experiment }, trouble, flags.output), troubles)
  }

  #show(sweep: string, { figures, verdicts }: Conclusion, troubles: readonly string[]): unknown {
    for (const file of figures) this.log(file)
    if (figures.length === 0 && troubles.length === 0)
      this.log('Nothing has finished yet, so there is nothing to draw.')
    if (verdicts.length > 0) this.log(`\n${formatVerdicts(verdicts)}`)
    return this.endWith(troubles.length > 0 ? exitCodes.incomplete : exitCodes.ok, { sweep, figures, verdicts })
  }
}
