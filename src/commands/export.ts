import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { sweepArg } from '../cli/flags.js'

export default class Export extends BaseCommand {
  static override description = 'Writes one row per trial, in plan order: id, parameters, seeds, final metrics'
  static override examples = ['<%= config.bin %> export latest --format csv > trials.csv']
  static override args = { sweep: sweepArg }
  static override flags = {
    format: Flags.option({
      description: 'how rows are written',
      options: ['csv', 'jsonl'] as const,
      default: 'csv' as const,
    })(),
    output: Flags.string({ char: 'o', description: 'file to write; standard output when left out', helpValue: 'FILE' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Export)
    const store = await this.openStore(flags.store)
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { readRecords } = await import('../sweeps/conclude.js')
    const { formatCsv, formatJsonLines, exportRows } = await import('../sweeps/export.js')
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const rows = exportRows(readRecords(sweep))
    const text = flags.format === 'csv' ? formatCsv(rows) : formatJsonLines(rows)
    if (flags.output !== undefined) {
      const { writeFile } = await import('node:fs/promises')
      await writeFile(flags.output, text)
      this.log(`${rows.length} trials written to ${flags.output}`)
    } else if (!this.jsonEnabled()) process.stdout.write(text)
    return { sweep: sweep.id, rows }
  }
}
