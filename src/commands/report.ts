import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { sweepArg } from '../cli/flags.js'
import { MldsError } from '../errors.js'

export default class Report extends BaseCommand {
  static override description =
    'Writes one self-contained HTML page of a sweep (verdicts, figures, trials, manifest), and the same as Markdown'
  static override examples = ['<%= config.bin %> report latest', '<%= config.bin %> report latest --out widths.html']
  static override args = { sweep: sweepArg }
  static override flags = {
    out: Flags.string({
      char: 'o',
      description: "page to write, ending in .html; report.html in the sweep's folder when left out",
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Report)
    if (flags.out !== undefined && !/\.html?$/i.test(flags.out))
      throw new MldsError('USAGE', `--out: ${flags.out} is not the name of a page (it should end in .html)`)
    const store = await this.openStore(flags.store)
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { readRecords } = await import('../sweeps/conclude.js')
    const { experimentOf } = await import('../experiments/registry.js')
    const { artifactReader } = await import('../library/execute-sweep.js')
    const { planFacts } = await import('../cli/plan-facts.js')
    const { writeReport } = await import('../cli/write-report.js')
    const { buildReport } = await import('../report/report.js')
    const sweep = await SweepFolder.open(store, await resolveSweepId(store, args.sweep))
    const experiment = await experimentOf(sweep.plan)
    const facts = planFacts(store, sweep, experiment)
    const report = await buildReport({ experiment, facts, records: readRecords(sweep), read: artifactReader(store) })
    const files = await writeReport(report, flags.out ?? join(sweep.folder, 'report.html'))
    for (const trouble of report.troubles) this.warn(trouble)
    for (const file of files) this.log(file)
    return { sweep: sweep.id, files, verdicts: report.verdicts, troubles: report.troubles }
  }
}
