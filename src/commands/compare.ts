import { formatCount } from '../core/format.js'
import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { metricFlag, trustCodeFlag } from '../terminal/flags/flags.js'
import { formatTable } from '../terminal/table.js'
import { lookUp } from '../core/names.js'
import type { Comparison } from '../analysis/standings.js'
import type { Trial } from '../core/trial.js'

const sweepOf = (which: string) =>
  Args.string({ description: `the ${which} sweep: an id, or the beginning of one`, required: true })

export default class Compare extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    "Compares two sweeps point by point: trials with equal seeds in pairs, with Student's interval of their mean difference, and whether the second's metric is higher or lower beyond chance (Holm's correction for the number of points)"
  static override examples = ['<%= config.bin %> compare params-1a2b params-3c4d --metric test/loss']
  static override args = { first: sweepOf('first'), second: sweepOf('second') }
  static override flags = { metric: metricFlag, 'trust-code': trustCodeFlag }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Compare)
    const store = await this.openStore(flags.store)
    const { SweepFolder, resolveSweepId } = await import('../sweeps/sweep-folder.js')
    const { readRecords } = await import('../sweeps/verdicts.js')
    const { inheriting, settingAxes } = await import('../core/setting.js')
    const { mean } = await import('../analysis/statistics.js')
    const { compareRecords } = await import('../analysis/standings.js')
    const { DataError } = await import('../core/errors.js')
    const { objectiveOf } = await import('../app/objective.js')
    const open = async (id: string) => SweepFolder.open(store, await resolveSweepId(store, id))
    const [first, second] = [await open(args.first), await open(args.second)]
    const { metric } = await objectiveOf(first, { metric: flags.metric, trustCode: flags['trust-code'] })
    const average = [...new Set([first, second].flatMap(({ plan }) => plan.spec.average ?? []))]
    const averaging = average.length === 0 ? {} : { average }
    const [one, other] = [inheriting(readRecords(first)), inheriting(readRecords(second))]
    const trialsOf = (records: typeof one): Trial[] => records.map(({ trial }) => trial)
    const axes = [...new Set([one, other].flatMap((records) => settingAxes(trialsOf(records), averaging)))]
    const compared = compareRecords(one, other, metric, axes, averaging)
    if (compared.length === 0)
      throw new DataError(
        `${first.id} and ${second.id} have no point in common with a ${metric} (they vary: ${axes.join(', ')})`,
        {
          exitCode: 2,
        },
      )
    const { chanceOfPoints, weighPoints } = await import('../analysis/compared.js')
    const verdicts = weighPoints(compared)
    const rows = compared.map(({ point, first: a, second: b, difference, interval, pairs, unpaired, notFinite }, i) => [
      ...axes.map((axis) => String(lookUp(point, axis) ?? '')),
      mean(a),
      mean(b),
      difference,
      interval === undefined
        ? `none: ${whyNone({ pairs, notFinite })}`
        : `${interval[0].toPrecision(3)} to ${interval[1].toPrecision(3)}`,
      pairs === 0
        ? `${a.length}, ${b.length} unpaired`
        : `${formatCount(pairs, 'pair')}${unpaired === 0 ? '' : `, ${unpaired} left out`}`,
      verdicts[i]!.verdict,
    ])
    this.log(formatTable([...axes, first.id, second.id, 'difference', '95 % interval', 'seeds', 'verdict'], rows))
    const chance = chanceOfPoints(verdicts)
    if (chance !== '') this.log(chance)
    const points = compared.map((point, i) => ({ ...point, ...verdicts[i]! }))
    return { metric, first: first.id, second: second.id, points }
  }
}

function whyNone({ pairs, notFinite }: Pick<Comparison, 'pairs' | 'notFinite'>): string {
  if (notFinite > 0) return `${formatCount(notFinite, 'trial')} NaN or infinite`
  return pairs === 0 ? 'no equal seeds' : 'under 3 pairs'
}
