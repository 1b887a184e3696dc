import { maxOf, minOf } from '../../core/extremes.js'
import { formatCount, formatNumber } from '../../core/format.js'
import { goalsOf, hasFront } from '../../core/objective.js'
import { writeValue } from '../../core/param-value.js'
import type { FigureDefinition } from '../figure.js'
import { frame, palette, size } from '../style.js'
import { placeOn, shareColour, shortened } from './scales.js'
import { chiefAxes, settingsOf, withShares, type Searched, type SearchedAxis } from './settings.js'

/** More uprights leave no room for their names. */
const maxAxes = 7
/** More lines are one grey; the best are kept. */
const maxLines = 400
/** The labels of all uprights side by side, in a column of a paper too. */
const lettersAcross = 54

interface Upright {
  readonly title: string
  /** Where the axis has labels, 0 to 1. */
  readonly labels: readonly { readonly place: number; readonly text: string }[]
  placeOf(setting: {
    readonly point: Readonly<Record<string, number>>
    readonly means: readonly number[]
  }): number | undefined
}

/** A line for each setting through its objectives and axes, the best drawn last. */
export function parallelCoordinates(searched: Searched): FigureDefinition {
  return {
    name: 'parallel-coordinates',
    caption: hasFront(searched.objective)
      ? 'Each setting is a line through its objectives and its values; those of the front are drawn last, in colour.'
      : 'Each setting is a line through what it came to and its values, the darker the fewer are better; the best are drawn last.',
    async draw(records) {
      const { settings } = settingsOf(records, searched)
      if (settings.length < 2 || searched.axes.length < 2) return undefined
      const goals = goalsOf(searched.objective)
      const axes = chiefAxes(settings, searched, Math.max(2, maxAxes - goals.length))
      const uprights = [
        ...goals.map(({ metric }, k) =>
          ofObjective(
            metric,
            k,
            settings.map(({ means }) => means[k]!),
          ),
        ),
        ...axes.map(ofAxis),
      ]
      const letters = Math.max(5, Math.floor(lettersAcross / uprights.length))
      const shares = withShares(settings, records, searched.objective)
      const byShare = settings.toSorted((a, b) => shares.get(a)! - shares.get(b)!)
      const drawn = byShare.slice(-maxLines)
      const rows = drawn.flatMap((setting, order) =>
        uprights.flatMap((upright, at) => {
          const place = upright.placeOf(setting)
          if (place === undefined) return []
          const front = setting.standing.rank === 0 && setting.kind !== 'breaks a constraint' ? 'front' : 'others'
          return [{ at, place, setting: setting.number, order, behind: shares.get(setting)!, front }]
        }),
      )
      const x = {
        ...{
          field: 'at',
          type: 'quantitative',
          title: null,
          scale: { domain: [-0.55, uprights.length - 0.75], nice: false },
        },
        axis: {
          values: uprights.map((_, i) => i),
          labelExpr: `${JSON.stringify(uprights.map(({ title }) => shortened(title, letters + 2)))}[datum.value]`,
          ...{ orient: 'top', domain: false, ticks: false, labelOverlap: false, gridColor: '#888' },
        },
      }
      const y = {
        field: 'place',
        type: 'quantitative',
        title: null,
        axis: null,
        scale: { domain: [-0.04, 1.04], nice: false },
      }
      const color = hasFront(searched.objective)
        ? {
            field: 'front',
            type: 'nominal',
            title: null,
            scale: { domain: ['front', 'others'], range: [palette[0], '#c4c4c4'] },
          }
        : shareColour
      const lines = (of: typeof rows): object => ({
        data: { values: of },
        mark: { type: 'line', strokeWidth: 1.2, opacity: 0.75 },
        encoding: { x, y, color, detail: { field: 'order' } },
      })
      const labels = uprights.flatMap(({ labels }, at) =>
        labels.map(({ place, text }) => ({ at, place, text: shortened(text, letters) })),
      )
      return {
        ...frame('Settings as lines through what they came to', [
          [
            drawn.length < settings.length
              ? `the best ${drawn.length} of ${settings.length} settings`
              : formatCount(settings.length, 'setting'),
            ...(axes.length < searched.axes.length
              ? [`the ${axes.length} axes of ${searched.axes.length} that matter most`]
              : []),
          ].join(' · '),
        ]),
        ...size,
        layer: [
          ...(hasFront(searched.objective)
            ? [
                lines(rows.filter(({ front }) => front === 'others')),
                lines(rows.filter(({ front }) => front === 'front')),
              ]
            : [lines(rows)]),
          {
            data: { values: labels },
            mark: {
              type: 'text',
              align: 'right',
              dx: -5,
              fontSize: 11,
              color: '#222',
              stroke: 'white',
              strokeWidth: 3,
            },
            encoding: { x, y, text: { field: 'text' } },
          },
          {
            data: { values: labels },
            mark: { type: 'text', align: 'right', dx: -5, fontSize: 11, color: '#222' },
            encoding: { x, y, text: { field: 'text' } },
          },
        ],
      }
    },
  }
}

/** A number as the axes of other figures write it. */
const brief = (value: number): string => {
  const size = Math.abs(value)
  const isFar = size !== 0 && (size < 1e-3 || size >= 1e5)
  return isFar
    ? String(Number(value.toPrecision(3)).toExponential()).replace('e+', 'e')
    : formatNumber(Number(value.toPrecision(3)))
}

function ofObjective(title: string, k: number, values: readonly number[]): Upright {
  const [least, most] = [minOf(values), maxOf(values)]
  const isLog = least > 0 && most / least >= 20
  const measure = (value: number): number => (isLog ? Math.log(value) : value)
  const range = measure(most) - measure(least)
  const place = (value: number): number => (range === 0 ? 0.5 : (measure(value) - measure(least)) / range)
  const ends = range === 0 ? [least] : [least, most]
  return {
    title,
    labels: ends.map((value) => ({ place: place(value), text: brief(value) })),
    placeOf: ({ means }) => place(means[k]!),
  }
}

function ofAxis(searched: SearchedAxis): Upright {
  const { title, axis, values } = searched
  const labelled =
    axis.kind === 'choice'
      ? values!.slice(0, 12).map((value, i) => [i, shortened(writeValue(value))] as const)
      : [axis.low, axis.high].map((value) => [value, brief(value)] as const)
  return {
    title,
    labels: labelled.map(([value, text]) => ({ place: placeOn(searched, value), text })),
    placeOf: ({ point }) => (point[axis.name] === undefined ? undefined : placeOn(searched, point[axis.name]!)),
  }
}
