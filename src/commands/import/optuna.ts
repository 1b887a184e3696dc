import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'
import { importFlags, printImported, programFlag } from '../../terminal/print-imported.js'

export default class ImportOptuna extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Prints a sweep file for a study of Optuna: its ranges, and its best settings as those that are tried first; what has no counterpart is refused'
  static override examples = ['<%= config.bin %> import optuna study.db --study mnist --program train.py > mine.yaml']
  static override args = {
    file: Args.string({ description: "the study's SQLite file, or the file of its journal storage", required: true }),
  }
  static override flags = {
    ...importFlags,
    program: programFlag,
    study: Flags.string({ description: 'which one, where the file holds several', helpValue: 'NAME' }),
    tried: integerFlag({
      description: 'how many of its settings are tried first at most',
      min: 0,
      max: 1000,
      default: 10,
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImportOptuna)
    const { readOptunaStorage } = await import('../../sweeps/spec/import/optuna-storage.js')
    const { chooseStudy, importOptuna } = await import('../../sweeps/spec/import/optuna.js')
    const study = chooseStudy(await readOptunaStorage(args.file), args.file, flags.study)
    const imported = importOptuna(study, args.file, flags)
    await printImported(imported, flags, (text) => this.log(text))
    return imported
  }
}
