import { importancesAmongBest } from '../../analysis/importance.js'
import type { ImportanceAxis } from '../../analysis/ped-anova.js'
import { lookUp } from '../../core/names.js'
import { goalsOf, lossOf } from '../../core/objective.js'
import { isSameValue } from '../../core/param-value.js'
import { rankRecords } from '../../core/ranking.js'
import { settingOf } from '../../core/setting.js'
import { classes, classOf, type Standing } from '../../core/standing.js'
import type { Objective, Params, ParamValue, TrialRecord } from '../../core/trial.js'

/** An axis that a search varies. */
export interface SearchedAxis {
  /** What the sweep's file calls it; the name that trials have for it is `axis.name`. */
  readonly title: string
  readonly axis: ImportanceAxis
  /** Of choices their values, in order. */
  readonly values?: readonly ParamValue[]
  /** It matters only where another axis has one of these values. */
  readonly when?: { readonly axis: string; readonly among: readonly ParamValue[] }
}

export interface Searched {
  readonly axes: readonly SearchedAxis[]
  readonly objective: Objective
}

/** What became of a setting, as a legend says it. */
export const kindsOfSetting = [
  'ran to its end',
  'stopped early',
  'with a seed that diverged',
  'breaks a constraint',
] as const
export type KindOfSetting = (typeof kindsOfSetting)[number]

/** A setting that has a value of every objective. */
export interface Setting {
  /** Its place in the search, from 1. */
  readonly number: number
  readonly standing: Standing
  readonly kind: KindOfSetting
  /** The mean of each objective. */
  readonly means: readonly number[]
  /** The same, all to be minimised. */
  readonly losses: readonly number[]
  /** By the names of axes: a number, or the index of a choice; an axis that does not matter there is absent. */
  readonly point: Readonly<Record<string, number>>
}

/**
 * The settings that have a value, in the order in which they were suggested; those without one are counted.
 * @param ranking of the same records, where there is one already.
 */
export function settingsOf(
  records: readonly TrialRecord[],
  { axes, objective }: Searched,
  ranking = rankRecords(records, objective),
): { readonly settings: readonly Setting[]; readonly without: number } {
  const byId = new Map(records.map((record) => [record.trial.id, record.trial]))
  const { confirm } = objective
  const keyOf = (params: Params): string => JSON.stringify(settingOf(params, objective))
  const numbers = new Map<string, number>()
  const own = records.filter(
    ({ trial }) => trial.parents.length === 0 && (confirm === undefined || trial.seeds.init <= confirm.after),
  )
  for (const { trial } of own.toSorted((a, b) => a.trial.index - b.trial.index)) {
    const key = keyOf(trial.params)
    if (!numbers.has(key)) numbers.set(key, numbers.size + 1)
  }
  const numberOf = (standing: Standing): number => {
    let trial = byId.get(standing.trials[0] ?? '')
    for (let up = trial; up !== undefined; up = byId.get(up.parents[0] ?? '')) trial = up
    return trial === undefined ? 0 : (numbers.get(keyOf(trial.params)) ?? 0)
  }
  const goals = goalsOf(objective)
  const settings = ranking
    .all()
    .flatMap((standing): Setting[] => {
      const kind = classOf(standing)
      const means = standing.means ?? [standing.mean]
      if (kind === classes.none || !means.every(Number.isFinite)) return []
      const losses = means.map((value, k) => lossOf(goals[k]!, value))
      const names: Readonly<Record<number, KindOfSetting>> = kindsByClass
      return [
        {
          number: numberOf(standing),
          standing,
          kind: names[kind]!,
          means,
          losses,
          point: pointOf(axes, standing.params),
        },
      ]
    })
    .sort((a, b) => a.number - b.number)
  return { settings, without: Math.max(0, numbers.size - settings.length) }
}

const kindsByClass = {
  [classes.finished]: kindsOfSetting[0],
  [classes.stopped]: kindsOfSetting[1],
  [classes.diverged]: kindsOfSetting[2],
  [classes.infeasible]: kindsOfSetting[3],
} as const

function pointOf(axes: readonly SearchedAxis[], params: Params): Record<string, number> {
  const point: Record<string, number> = Object.create(null) as Record<string, number>
  for (const { axis, values, when } of axes) {
    const value = lookUp(params, axis.name)
    const parent = when === undefined ? undefined : lookUp(params, when.axis)
    if (when !== undefined && !when.among.some((one) => isSameValue(one, parent))) continue
    const number = values === undefined ? value : values.findIndex((one) => isSameValue(one, value))
    if (typeof number === 'number' && Number.isFinite(number) && !(values !== undefined && number < 0))
      point[axis.name] = number
  }
  return point
}

/** Of fewer settings a tenth says nothing. */
const fewestForImportance = 20

/** The axes' shares of importance, the largest first; empty of one axis, and of fewer than 20 settings. */
export function importancesOf(settings: readonly Setting[], { axes }: Searched): [axis: SearchedAxis, share: number][] {
  if (axes.length < 2 || settings.length < fewestForImportance) return []
  const complete = settings.filter(({ kind }) => kind === kindsOfSetting[0] || kind === kindsOfSetting[3])
  const shares = importancesAmongBest(
    axes.map(({ axis }) => axis),
    complete.map(({ point }) => point),
    complete.map(({ losses }) => losses),
  )
  const all = axes.map((one): [SearchedAxis, number] => [one, shares.get(one.axis.name) ?? 0])
  return all.every(([, share]) => share === 0) ? [] : all.sort((a, b) => b[1] - a[1])
}

/** At most so many axes, the most important first where that is known, else in their order. */
export function chiefAxes(settings: readonly Setting[], searched: Searched, most: number): readonly SearchedAxis[] {
  const ranked = importancesOf(settings, searched).map(([axis]) => axis)
  return (ranked.length === 0 ? searched.axes : ranked).slice(0, most)
}

/** Settings with the share of the others that are behind each, by the order of all tables: 1 of the best. */
export function withShares(
  settings: readonly Setting[],
  records: readonly TrialRecord[],
  objective: Objective,
): Map<Setting, number> {
  const places = new Map(
    rankRecords(records, objective)
      .all()
      .map(({ trials }, i) => [trials[0], i]),
  )
  const order = settings.toSorted((a, b) => places.get(a.standing.trials[0])! - places.get(b.standing.trials[0])!)
  return new Map(order.map((one, i) => [one, order.length === 1 ? 1 : 1 - i / (order.length - 1)]))
}
