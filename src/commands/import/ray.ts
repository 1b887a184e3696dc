import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { importFlags, printImported, programFlag } from '../../terminal/print-imported.js'

export default class ImportRay extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a sweep file for the results folder of a Ray Tune experiment: the settings of its trials'
  static override examples = ['<%= config.bin %> import ray ./ray_results/mnist --program train.py > mine.yaml']
  static override args = {
    folder: Args.string({ description: "the experiment's folder, which has a folder for each trial", required: true }),
  }
  static override flags = { ...importFlags, program: programFlag }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImportRay)
    const { importRay } = await import('../../sweeps/spec/import/ray.js')
    const imported = importRay(args.folder, flags.program)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}
