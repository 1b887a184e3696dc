import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { printImported } from '../../terminal/print-imported.js'

export default class ImportHydra extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Prints a sweep file for Hydra multirun overrides; what has no counterpart is listed'
  static override examples = [
    '<%= config.bin %> import hydra "lr=1e-3,1e-2 seed=range(5)" --program train.py > mine.yaml',
  ]
  static override args = { overrides: Args.string({ description: 'the overrides, as one text', required: true }) }
  static override flags = { program: Flags.string({ description: 'what Hydra ran', default: 'train.py' }) }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImportHydra)
    const { importHydra } = await import('../../sweeps/spec/import/hydra.js')
    const imported = importHydra(args.overrides, flags.program)
    await printImported(imported, (text) => this.log(text))
    return imported
  }
}
