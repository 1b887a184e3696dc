import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { importFlags, printImported } from '../../terminal/print-imported.js'

export default class ImportHydra extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Prints a sweep file for Hydra multirun overrides; what has no counterpart is refused'
  static override examples = [
    '<%= config.bin %> import hydra "lr=1e-3,1e-2 seed=range(5)" --program train.py > mine.yaml',
  ]
  static override strict = false
  static override args = {
    overrides: Args.string({ description: 'the overrides, as Hydra was given them or as one text', required: true }),
  }
  static override flags = {
    ...importFlags,
    multirun: Flags.boolean({ char: 'm', description: "Hydra's own flag, for a line as it was typed" }),
    program: Flags.string({ description: 'what Hydra ran', default: 'train.py' }),
  }

  async run(): Promise<unknown> {
    // A whole line in quotes begins with Hydra's flag, and is no flag to us.
    this.argv = this.argv.map((word) => word.replace(/^(?:-m|--multirun)\s+/, ''))
    const { argv, flags } = await this.parse(ImportHydra)
    const { importHydra } = await import('../../sweeps/spec/import/hydra.js')
    const words = argv as string[]
    const imported = importHydra(words.length === 1 ? words[0]! : words, flags.program)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}
