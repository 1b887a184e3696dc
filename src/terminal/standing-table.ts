import { lookUp } from '../core/names.js'
import { goalsOf, hasFront } from '../core/objective.js'
import { writeValue } from '../core/param-value.js'
import type { Standing } from '../core/ranking.js'
import type { Objective } from '../core/trial.js'
import { formatTable } from './table.js'

/** Points with what they came to, a row each: of several objectives the mean of each, and the front that a point is on. */
export function standingTable(points: readonly Standing[], objective: Objective, axes: readonly string[]): string {
  const isFront = hasFront(objective)
  const goals = goalsOf(objective).map(({ metric }) => metric)
  const kept = (objective.constraints ?? []).map(({ metric }) => metric).filter((metric) => !goals.includes(metric))
  const rows = points.map((point, i) => [
    isFront ? (point.rank === undefined ? '' : point.rank + 1) : i + 1,
    ...(point.values.length === 0 ? ['diverged', ...goals.slice(1).map(() => '')] : (point.means ?? [point.mean])),
    ...kept.map((metric) => point.kept?.find((one) => one.metric === metric)?.mean ?? ''),
    ...(isFront ? [] : [point.values.length > 1 ? point.deviation.toPrecision(2) : '']),
    point.values.length,
    ...axes.map((axis) => writeValue(lookUp(point.params, axis))),
    notesOn(point),
  ])
  const head = [isFront ? 'front' : '#', ...goals, ...kept, ...(isFront ? [] : ['standard deviation'])]
  return formatTable([...head, objective.average === undefined ? 'seeds' : 'trials', ...axes, ''], rows)
}

function notesOn({ stopped, diverged, kept = [] }: Standing): string {
  const broken = kept.filter(({ violation }) => !(violation <= 0)).map(({ metric }) => metric)
  return [
    ...(broken.length === 0 ? [] : [`breaks ${broken.join(', ')}`]),
    ...(stopped === 0 ? [] : ['stopped early']),
    ...(diverged === 0 ? [] : [`${diverged} diverged`]),
  ].join(', ')
}
