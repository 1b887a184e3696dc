import { formatCount } from '../core/format.js'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { shellWord } from '../terminal/shell-word.js'
import { sweepArg, trackCheckpointsFlag, trustCodeFlag } from '../terminal/flags.js'
import { refuseIdle } from '../terminal/idle-flags.js'
import type { Store } from '../system/store.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

export default class Export extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Writes one row per trial, in plan order: id, parameters, seeds, final metrics'
  static override examples = ['<%= config.bin %> export latest --format csv > trials.csv']
  static override args = { sweep: sweepArg }
  static override flags = {
    format: Flags.option({
      description: 'rows as CSV or JSON lines, or a tree of files that MLflow opens',
      options: ['csv', 'jsonl', 'mlruns'] as const,
      default: 'csv' as const,
    })(),
    output: Flags.string({
      char: 'o',
      description: 'file to write (default: standard output), or the folder for mlruns (default: mlruns)',
      helpValue: 'FILE',
    }),
    'track-checkpoints': trackCheckpointsFlag,
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Export)
    const isRows = flags.format !== 'mlruns'
    refuseIdle(raw, {
      'track-checkpoints': isRows && `rows of ${flags.format} hold no weights (--format mlruns does)`,
      'trust-code': isRows && `rows of ${flags.format} run no code (--format mlruns does)`,
    })
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { readRecordsAsWritten } = await import('../sweeps/verdicts.js')
    const { formatCsv, formatJsonLines, exportRows } = await import('../sweeps/journal/export.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    if (flags.format === 'mlruns')
      return this.#mlruns(store, sweep, flags.output ?? 'mlruns', {
        checkpoints: flags['track-checkpoints'],
        trustCode: flags['trust-code'],
      })
    const rows = exportRows(readRecordsAsWritten(sweep))
    const text = flags.format === 'csv' ? formatCsv(rows) : formatJsonLines(rows)
    if (flags.output !== undefined) {
      const { writeExport } = await import('../app/export.js')
      await writeExport(flags.output, text)
      this.log(`${formatCount(rows.length, 'trial')} written to ${flags.output}`)
    } else if (!this.jsonEnabled()) process.stdout.write(text)
    return { sweep: sweep.id, rows }
  }

  async #mlruns(
    store: Store,
    sweep: SweepFolder,
    folder: string,
    { checkpoints, trustCode }: { checkpoints: boolean; trustCode: boolean },
  ): Promise<unknown> {
    const { exportRuns } = await import('../app/export.js')
    const warn = (message: string): void => void this.warn(message)
    const runs = await exportRuns(store, sweep, folder, { checkpoints, trustCode, warn })
    const word = shellWord(folder)
    this.log(`${formatCount(runs, 'run')} written to ${folder}. To look at them:
  MLFLOW_ALLOW_FILE_STORE=true mlflow server --backend-store-uri ${word} --artifacts-destination ${word}
or to take them into a database:
  mlflow migrate-filestore --source ${word} --target sqlite:///mlflow.db`)
    return { sweep: sweep.id, runs, folder }
  }
}
