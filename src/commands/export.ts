import { formatCount } from '../core/format.js'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { shellWord } from '../core/shell-word.js'
import { sweepArg, trackCheckpointsFlag, trustCodeFlag } from '../terminal/flags/flags.js'
import { refuseIdle } from '../terminal/flags/idle-flags.js'
import type { Store } from '../system/store.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

export default class Export extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    'Writes one row per trial, in plan order: id, parameters, seeds, final metrics; or all that a sceptic needs to recompute the verdicts'
  static override examples = ['<%= config.bin %> export latest --format csv > trials.csv']
  static override args = { sweep: sweepArg }
  static override flags = {
    format: Flags.option({
      description:
        'rows as CSV or JSON lines, a tree of files that MLflow opens, or evidence: weights, rows and the claims’ arithmetic',
      options: ['csv', 'jsonl', 'mlruns', 'evidence'] as const,
      default: 'csv' as const,
    })(),
    output: Flags.string({
      char: 'o',
      description:
        'file to write (default: standard output), or the folder for mlruns or evidence (default: that word)',
      helpValue: 'FILE',
    }),
    'track-checkpoints': trackCheckpointsFlag,
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Export)
    const isRows = flags.format === 'csv' || flags.format === 'jsonl'
    refuseIdle(raw, {
      'track-checkpoints':
        flags.format === 'evidence'
          ? 'evidence always holds weights'
          : isRows && `rows of ${flags.format} hold no weights (--format mlruns does)`,
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
    if (flags.format === 'evidence')
      return this.#evidence(store, sweep, flags.output ?? 'evidence', flags['trust-code'])
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

  async #evidence(store: Store, sweep: SweepFolder, folder: string, trustCode: boolean): Promise<unknown> {
    const { exportEvidence } = await import('../app/evidence.js')
    const warn = (message: string): void => void this.warn(message)
    const { trials, claims } = await exportEvidence(store, sweep, folder, { trustCode, warn })
    this.log(
      `${formatCount(trials, 'trial')} and the arithmetic of ${formatCount(claims, 'claim')} written to ${folder} (docs/recompute.md reads them with numpy alone)`,
    )
    return { sweep: sweep.id, trials, claims, folder }
  }
}
