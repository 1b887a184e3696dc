import { floatsOf } from '../core/floats.js'
import { groupBy } from '../core/group-by.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { withResult } from './select.js'
import { apart, coloured, frame, inReadingOrder, size } from './style.js'

export interface CurvesOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  /** One curve each: the first record of a group is drawn. */
  group(record: TrialRecord): string
  /** The artifact that holds the curve: y as float32 on an even grid of `domain`. */
  readonly artifact: string
  readonly domain: readonly [number, number]
  readonly x: string
  readonly y: string
  /** What the curves should be, drawn wide and grey below them. */
  truth(record: TrialRecord): (x: number) => number
  /** Settings worth stating, such as `after 500 epochs`. */
  readonly settings?: (records: readonly TrialRecord[]) => string
}

/** Learnt curves over the truth, from what trials saved. */
export function curves(options: CurvesOptions): FigureDefinition {
  const { name, caption } = options
  return {
    name,
    caption,
    async draw(all, read): Promise<VegaLiteSpec | undefined> {
      const chosen = options
        .select(withResult(all))
        .filter((record) => Object.hasOwn(record.artifacts, options.artifact))
      const byGroup = groupBy(chosen, (record) => options.group(record))
      const groups = inReadingOrder(byGroup.keys()).map((group) => [group, byGroup.get(group)!] as const)
      const first = groups[0]?.[1][0]
      if (first === undefined) return undefined
      const drawn = await Promise.all(
        groups.map(async ([group, [record]]) => ({ group, y: floatsOf(await read(record!, options.artifact)) })),
      )
      const at = (i: number, points: number): number =>
        options.domain[0] + ((options.domain[1] - options.domain[0]) * i) / (points - 1)
      const truth = options.truth(first)
      const settings = options.settings === undefined ? [] : [options.settings(chosen)]
      const points = drawn.flatMap(({ group, y }) =>
        Array.from(y, (value, i) => ({ x: at(i, y.length), y: value, curve: group })),
      )
      const finest = drawn[0]!.y.length
      const reference = Array.from({ length: finest }, (_, i) => ({ x: at(i, finest), y: truth(at(i, finest)) }))
      const x = { field: 'x', type: 'quantitative', title: options.x, scale: { nice: false } }
      const y = { field: 'y', type: 'quantitative', title: options.y, scale: { zero: false } }
      const names = groups.map(([group]) => group)
      const color = coloured('curve', null, names)
      return {
        ...frame(options.title, [
          [`seed ${first.trial.seeds.init} of each`, 'wide grey: the truth', ...settings].join(' · '),
        ]),
        ...size,
        layer: [
          {
            data: { values: reference },
            mark: { type: 'line', strokeWidth: 7, color: '#c8c8c8' },
            encoding: { x, y },
          },
          {
            data: { values: points },
            mark: { type: 'line', strokeWidth: 1.6 },
            encoding: { x, y, color, ...apart('curve', null, names).line },
          },
        ],
      }
    },
  }
}
