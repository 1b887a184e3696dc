import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { formatTable } from '../terminal/table.js'

export default class List extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Lists the sweeps in the store, newest first'
  static override examples = ['<%= config.bin %> list', "<%= config.bin %> list --where 'lr>=0.01 and tag=paper'"]
  static override flags = {
    where: Flags.string({
      description:
        'only sweeps of which a trial fulfils this: axes, seed, final metrics, tag, sweep, experiment, profile, finished …',
      helpValue: 'CONDITION',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(List)
    const store = await this.openStore(flags.store)
    const { listSweeps } = await import('../app/list.js')
    let texts: readonly string[] = []
    const newestFirst = await listSweeps(
      store,
      (message) => void process.stderr.write(`${message}\n`),
      flags.where,
      (words) => (texts = words),
    )
    // A column of nothing would only take room.
    const hasWords = newestFirst.some(({ tags, note }) => tags !== undefined || note !== undefined)
    const rows = newestFirst.map((sweep) => [
      sweep.sweep,
      sweep.file ?? sweep.experiment,
      // A custom experiment mostly has none: there it is said where it was asked for.
      sweep.file === undefined || sweep.profile !== 'reduced' ? sweep.profile : '',
      sweep.planned,
      sweep.finished,
      sweep.failed + sweep.dead,
      sweep.diverged,
      sweep.missing,
      sweep.createdAt.replace('T', ' ').slice(0, 19),
      sweep.runningPid === undefined ? '' : `running (pid ${sweep.runningPid})`,
      ...(hasWords ? [wordsOf(sweep)] : []),
    ])
    this.log(
      formatTable(
        [
          'sweep',
          'experiment',
          'profile',
          'planned',
          'finished',
          'failed',
          'diverged',
          'missing',
          'created (UTC)',
          '',
          ...(hasWords ? ['tags, note'] : []),
        ],
        rows,
      ) ||
        (flags.where === undefined
          ? this.inNamedStore('No sweeps yet. Start one with: mlds sweep params')
          : [`No sweep has a trial of which this is true: ${flags.where}`, ...describeTexts(texts)].join('\n')),
    )
    return newestFirst
  }
}

/** What of a condition may be a slip of the hand: words that name nothing. */
const describeTexts = (words: readonly string[]): string[] =>
  words.length === 0 ? [] : [`No sweep has an axis or a final metric of this name; read as a text: ${words.join(', ')}`]

/** Tags, then the note's first line as far as a table has room. */
function wordsOf({ tags = [], note = '' }: { readonly tags?: readonly string[]; readonly note?: string }): string {
  const [line = ''] = note.split('\n')
  const first = line.length > 40 ? `${line.slice(0, 39)}…` : line
  return [tags.map((tag) => `#${tag}`).join(' '), first].filter((part) => part !== '').join('  ')
}
