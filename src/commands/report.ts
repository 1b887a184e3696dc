import { dirname, join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { fromFlags, sweepNamed, trustCodeFlag } from '../terminal/flags/flags.js'
import { MldsError } from '../core/errors.js'
import type { LogPart } from '../dashboard/wire.js'
import type { Report as SweepReport } from '../report/report.js'

type Logs = Readonly<Record<string, LogPart>>

export default class Report extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    "Writes a sweep as one self-contained HTML page, the dashboard's own with all its views, and the same as Markdown"
  static override examples = [
    '<%= config.bin %> report latest',
    '<%= config.bin %> report latest --out widths.html',
    '<%= config.bin %> report --from http://127.0.0.1:5000 --sweep params-1a2b3c4d',
  ]
  static override args = {
    sweep: Args.string({ description: 'a sweep id, or the beginning of one (default: latest)' }),
  }
  static override flags = {
    ...fromFlags,
    out: Flags.string({
      char: 'o',
      description:
        "page to write, ending in .html; report.html in the sweep's folder when left out, or in reports/ID with --from",
      helpValue: 'FILE',
    }),
    full: Flags.boolean({
      description: "the course of every trial (default: of the best 20), and the end of each one's log, 64 kB at most",
    }),
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Report)
    if (flags.out !== undefined && !/\.html?$/i.test(flags.out))
      throw new MldsError('USAGE', `--out: ${flags.out} is not the name of a page (it should end in .html)`)
    const id = sweepNamed(args.sweep, flags)
    const trustCode = flags['trust-code']
    const warn = (message: string): void => void this.warn(message)
    if (flags.from !== undefined) {
      const { reportFromMlflow } = await import('../app/from-mlflow.js')
      const file = flags.out ?? join('reports', id, 'report.html')
      const firstName = await this.firstNameOf(flags.store, id)
      const report = await reportFromMlflow(flags.from, id, dirname(file), { warn, trustCode, firstName })
      return this.#write(report, file, flags.full ? {} : undefined)
    }
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { reportOf } = await import('../app/report.js')
    const { mustBeWritable } = await import('../system/store.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, id))
    if (flags.out === undefined)
      mustBeWritable(sweep.folder, `write it elsewhere with: mlds report ${sweep.id} -o FILE.html`)
    const report = await reportOf(store, sweep, { warn, trustCode })
    const { readLogs } = await import('../dashboard/frozen/logs.js')
    const logs = flags.full ? await readLogs(sweep, report.records) : undefined
    return this.#write(report, flags.out ?? join(sweep.folder, 'report.html'), logs)
  }

  /** @param logs of a full report. */
  async #write(report: SweepReport, file: string, logs?: Logs): Promise<unknown> {
    const { writeReport } = await import('../dashboard/frozen/write-report.js')
    const files = await writeReport(report, file, { full: logs && { logs } })
    for (const trouble of report.troubles) this.warn(trouble)
    for (const written of files) this.log(written)
    return { sweep: report.sweep, files, verdicts: report.verdicts, troubles: report.troubles }
  }
}
