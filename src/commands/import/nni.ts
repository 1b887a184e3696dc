import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { importFlags, printImported } from '../../terminal/print-imported.js'

export default class ImportNni extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a sweep file for an experiment configuration of NNI; what has no counterpart is refused'
  static override examples = ['<%= config.bin %> import nni config.yaml > mine.yaml']
  static override args = {
    file: Args.string({ description: 'the configuration, or the search space alone', required: true }),
  }
  static override flags = importFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImportNni)
    const { importNni } = await import('../../sweeps/spec/import/nni.js')
    const imported = importNni(args.file)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}
