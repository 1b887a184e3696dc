import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { namedSweepArg } from '../terminal/flags/flags.js'

export default class Rename extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description = 'Gives a sweep another name; its trials, results and ids stay'
  static override examples = ['<%= config.bin %> rename params-1a2b3c4d mnist-widths']
  static override args = {
    sweep: namedSweepArg,
    name: Args.string({ description: 'letters, digits, dots, dashes and underscores, at most 100', required: true }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Rename)
    const store = await this.openStore(flags.store)
    const { renameSweep } = await import('../app/rename.js')
    const renamed = await renameSweep(store, await this.sweepId(store, args.sweep), args.name)
    this.log(`${renamed.was} is now ${renamed.sweep}`)
    if (renamed.inMlflow !== undefined)
      this.advise(
        `In MLflow it goes on as ${renamed.inMlflow}: --from finds it by either name where this store is, and mlds sync ${renamed.sweep} writes to the same runs`,
      )
    return renamed
  }
}
