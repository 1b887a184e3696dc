import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { namedSweepArg } from '../terminal/flags/flags.js'
import { MldsError } from '../core/errors.js'

export default class Tag extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description = 'Gives a sweep tags, takes them away with --remove, or prints those it has'
  static override examples = [
    '<%= config.bin %> tag params-1a2b3c4d baseline paper:fig-2',
    '<%= config.bin %> tag params-1a2b3c4d baseline --remove',
  ]
  static override args = {
    sweep: namedSweepArg,
    tags: Args.string({ description: 'letters, digits and . _ : = / - after the first, at most 50' }),
  }
  static override flags = { remove: Flags.boolean({ description: 'take these tags away' }) }
  static override strict = false

  async run(): Promise<unknown> {
    const { args, argv, flags } = await this.parse(Tag)
    const named = (argv as string[]).slice(1)
    if (flags.remove && named.length === 0)
      throw new MldsError('USAGE', `--remove: no tag is named (such as: mlds tag ${args.sweep} baseline --remove)`)
    const isRead = named.length === 0
    const store = await this.openStore(flags.store, isRead ? 'reads' : 'changes')
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { noteOf } = await import('../sweeps/sweep-note.js')
    const { changeTags } = await import('../app/annotate.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const now = isRead ? noteOf(sweep) : await changeTags(sweep, flags.remove ? { remove: named } : { add: named })
    this.log(now.tags.length === 0 ? `${sweep.id} has no tags` : now.tags.join(' '))
    return { sweep: sweep.id, ...now }
  }
}
