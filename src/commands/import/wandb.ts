import { readFile } from 'node:fs/promises'
import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { importFlags, printImported } from '../../terminal/print-imported.js'

export default class ImportWandb extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Prints a sweep file for a W&B sweep configuration; what has no counterpart is refused'
  static override examples = ['<%= config.bin %> import wandb sweep.yaml > mine.yaml']
  static override args = { file: Args.string({ description: 'the W&B sweep configuration', required: true }) }
  static override flags = importFlags

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImportWandb)
    const { fileProblem, SpecError } = await import('../../core/errors.js')
    const { importWandb } = await import('../../sweeps/spec/import/wandb.js')
    const text = await readFile(args.file, 'utf8').catch((error: unknown) => {
      throw new SpecError(args.file, fileProblem(error), { cause: error })
    })
    const imported = importWandb(text, args.file)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}
