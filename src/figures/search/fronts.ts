import { hypervolume, paretoFront, referencePoint } from '../../analysis/pareto.js'
import { formatCount, formatNumber } from '../../core/format.js'
import { goalsOf, lossOf } from '../../core/objective.js'
import type { FigureDefinition } from '../figure.js'
import { coloured, frame, numberLabels, palette, size } from '../style.js'
import { objectiveScale } from './scales.js'
import { settingsOf, type Searched, type Setting } from './settings.js'

/** The volume under more points of more objectives takes too long to be drawn beside the rest. */
const maxFront = { plain: 2_000, many: 80 } as const

/** More panels do not fit a page. */
const maxPairs = 4

const ranksShown = ['front', 'second front', 'further fronts', 'breaks a constraint'] as const
type RankShown = (typeof ranksShown)[number]

function rankOf({ kind, standing }: Setting): RankShown {
  if (kind === 'breaks a constraint' || standing.rank === undefined) return ranksShown[3]
  return ranksShown[Math.min(2, standing.rank)]!
}

/** The settings over pairs of objectives, coloured by their front. */
export function paretoFronts(searched: Searched): FigureDefinition {
  const goals = goalsOf(searched.objective)
  return {
    name: 'front',
    caption: `What the settings came to in ${goals.length === 2 ? 'both' : 'pairs of the'} objectives: no setting is better than one of the front in all of them.`,
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      if (settings.length < 2) return undefined
      const present = ranksShown.filter((rank) => settings.some((one) => rankOf(one) === rank))
      const both = goals.flatMap((_, a) => goals.slice(a + 1).map((_, i) => [a, a + 1 + i] as const)).slice(0, maxPairs)
      const color = { ...coloured('rank', null, present), legend: present.length > 1 ? {} : null }
      const shape = {
        field: 'rank',
        type: 'nominal',
        title: null,
        scale: { domain: present, range: present.map((rank) => shapes[rank]) },
      }
      const views = both.map(([a, b]) => {
        const titleOf = (k: number): string => `${goals[k]!.metric} (${goals[k]!.direction})`
        const encodingOf = (field: string, k: number): object => ({
          ...{ field, type: 'quantitative', title: titleOf(k) },
          ...objectiveScale(settings.map(({ means }) => means[k]!)),
        })
        const [x, y] = [encodingOf('x', a), encodingOf('y', b)]
        const rowOf = (one: Setting): object => ({
          x: one.means[a]!,
          y: one.means[b]!,
          rank: rankOf(one),
          setting: one.number,
        })
        const front = settings.filter((one) => rankOf(one) === 'front').sort((p, q) => p.means[a]! - q.means[a]!)
        const side = both.length === 1 ? size : { width: 272, height: 220 }
        const step = {
          data: { values: front.map(rowOf) },
          // Between two points of the front nothing is known but what both reach.
          mark: {
            ...{ type: 'line', color: palette[0], strokeWidth: 1.2, opacity: 0.7 },
            interpolate: goals[a]!.direction === 'minimize' ? 'step-after' : 'step-before',
          },
          encoding: { x, y },
        }
        const points = {
          data: { values: settings.toReversed().map(rowOf) },
          mark: { type: 'point', filled: true, size: 52, opacity: 0.9 },
          encoding: { x, y, color, shape },
        }
        return { ...side, layer: goals.length === 2 ? [step, points] : [points] }
      })
      const count = settings.filter((one) => rankOf(one) === 'front').length
      const head = frame('The front of the settings', [
        `${formatCount(settings.length, 'setting')} · ${count} on the front${goals.length > 3 ? ` · ${maxPairs} of ${(goals.length * (goals.length - 1)) / 2} pairs of objectives` : ''}`,
      ])
      return views.length === 1 ? { ...head, ...views[0] } : { ...head, concat: views, columns: 2, spacing: 22 }
    },
  }
}

const shapes: Readonly<Record<RankShown, string>> = {
  ...{ front: 'circle', 'second front': 'square', 'further fronts': 'triangle-up', 'breaks a constraint': 'cross' },
}

/** The hypervolume of the settings so far: how much of what lies before the reference point they reach. */
export function hypervolumeSoFar(searched: Searched): FigureDefinition {
  const goals = goalsOf(searched.objective)
  return {
    name: 'hypervolume',
    caption:
      'How much of the space before the reference point the settings so far reach, in parts of all that they came to reach; it rises where the front moves. The reference point lies a tenth behind the worst value of each objective.',
    async draw(records) {
      const { settings, without } = settingsOf(records, searched)
      const kept = settings.filter(({ kind }) => kind !== 'breaks a constraint')
      if (kept.length < 2) return undefined
      const reference = referencePoint(kept.map(({ losses }) => losses))
      const most = goals.length <= 3 ? maxFront.plain : maxFront.many
      const rows: { number: number; volume: number }[] = []
      let front: (readonly number[])[] = []
      for (const { number, losses } of kept) {
        const all = [...front, losses]
        const next = paretoFront(all).map((i) => all[i]!)
        if (next.length > most) return undefined
        const moved = next.length !== front.length || next.some((one) => one === losses)
        front = next
        if (moved) rows.push({ number, volume: hypervolume(front, reference) })
      }
      const whole = rows.at(-1)!.volume
      if (!(whole > 0)) return undefined
      const last = settings.at(-1)!.number
      const line = [
        ...rows.map(({ number, volume }) => ({ number, share: volume / whole })),
        { number: last, share: 1 },
      ]
      const named = goals.map(
        (goal, k) => `${goal.metric} ${formatNumber(Number(lossOf(goal, reference[k]!).toPrecision(3)))}`,
      )
      return {
        ...frame('Hypervolume so far', [
          [
            formatCount(last, 'setting'),
            ...(without === 0 ? [] : [`${without} without a value`]),
            `reference point: ${named.join(', ')}`,
          ].join(' · '),
        ]),
        ...size,
        data: { values: line },
        mark: {
          type: 'line',
          interpolate: 'step-after',
          color: palette[0],
          strokeWidth: 2,
          point: { filled: true, color: palette[0], size: 30 },
        },
        encoding: {
          x: {
            ...{
              field: 'number',
              type: 'quantitative',
              title: 'setting',
              scale: { domain: [0, last + 1], nice: false },
            },
            axis: { tickMinStep: 1, format: 'd', tickCount: 8 },
          },
          y: {
            ...{ field: 'share', type: 'quantitative', title: 'hypervolume, of that at the end' },
            scale: { domain: [0, 1.02], nice: false },
            axis: { labelExpr: numberLabels([0.1, 1]) },
          },
        },
      }
    },
  }
}
