import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { namedSweepArg } from '../terminal/flags/flags.js'
import { MldsError } from '../core/errors.js'

export default class Note extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description = 'Keeps a note in Markdown with a sweep, or prints the one it has'
  static override examples = [
    '<%= config.bin %> note params-1a2b3c4d "the wide nets were stopped by hand"',
    '<%= config.bin %> note params-1a2b3c4d',
    '<%= config.bin %> note params-1a2b3c4d --clear',
  ]
  static override args = {
    sweep: namedSweepArg,
    text: Args.string({ description: 'the note; it takes the place of the one before' }),
  }
  static override flags = { clear: Flags.boolean({ description: 'remove the note' }) }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Note)
    if (flags.clear && args.text !== undefined)
      throw new MldsError('USAGE', '--clear: a note is removed or written, not both (leave out one of them)')
    const isRead = args.text === undefined && !flags.clear
    const store = await this.openStore(flags.store, isRead ? 'reads' : 'changes')
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { noteOf } = await import('../sweeps/sweep-note.js')
    const { changeNote } = await import('../app/annotate.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const now = isRead ? noteOf(sweep) : await changeNote(sweep, args.text ?? '')
    this.log(now.note === '' ? `${sweep.id} has no note` : now.note)
    return { sweep: sweep.id, ...now }
  }
}
