import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { metricFlag, sweepArg, trustCodeFlag } from '../terminal/flags/flags.js'
import type { TrialRecord } from '../core/trial.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'

/** Of one objective. */
const defaultTop = 10

export default class Best extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    'Ranks the points of a sweep by their objective, averaged over seeds; of several objectives, the front'
  static override examples = [
    '<%= config.bin %> best latest',
    '<%= config.bin %> best latest --metric test/loss --top 5',
  ]
  static override args = { sweep: sweepArg }
  static override flags = {
    metric: metricFlag,
    'trust-code': trustCodeFlag,
    maximize: Flags.boolean({ description: 'take larger for better', exclusive: ['minimize'] }),
    minimize: Flags.boolean({ description: 'take smaller for better', exclusive: ['maximize'] }),
    top: integerFlag({
      description: `how many points (default: ${defaultTop}, or the whole front)`,
      min: 1,
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Best)
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { readRecords } = await import('../sweeps/verdicts.js')
    const { settingAxes } = await import('../core/setting.js')
    const { describeBest } = await import('../core/describe-best.js')
    const { rankRecords } = await import('../core/ranking.js')
    const { hasFront } = await import('../core/objective.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const { objectiveOf } = await import('../app/objective.js')
    const objective = await objectiveOf(sweep, {
      metric: flags.metric,
      direction: flags.maximize ? 'maximize' : flags.minimize ? 'minimize' : undefined,
      trustCode: flags['trust-code'],
      warn: (message) => void this.warn(message),
    })
    const records = readRecords(sweep)
    const ranking = rankRecords(records, objective)
    const ranked = ranking.all()
    const why = ranking.whyNone()
    const { UnknownNameError } = await import('../core/errors.js')
    const known = [...new Set(records.flatMap(({ metrics }) => Object.keys(metrics)))]
    if (ranked.length === 0 && (flags.metric !== undefined || known.length > 0) && !hasDiverged(records))
      throw new UnknownNameError('metric, or one that no trial has yet', objective.metric, known)
    const axes = settingAxes(sweep.plan.trials, objective)
    const isFront = hasFront(objective)
    const front = ranking.front()
    const points = ranked.slice(0, flags.top ?? (isFront && front.length > 0 ? front.length : defaultTop))
    const { standingTable } = await import('../terminal/standing-table.js')
    if (points.length > 0) this.log(standingTable(points, objective, axes))
    if (why !== undefined || ranked.length === 0 || isFront || objective.confirm !== undefined)
      this.log(describeBest(ranking, objective, axes))
    const { describeImportances, importancesOf } = await import('../app/importance.js')
    const importances = importancesOf(sweep, objective)
    if (importances !== undefined) this.log(describeImportances(importances))
    return { sweep: sweep.id, objective, points, ...(importances === undefined ? {} : { importances }) }
  }
}

const hasDiverged = (records: readonly TrialRecord[]): boolean => records.some(({ state }) => state === 'diverged')
