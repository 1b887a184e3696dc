import type { TrialRecord } from '../core/trial.js'
import { readJson, type FigureDefinition, type VegaLiteSpec } from './figure.js'
import { withResult } from './select.js'
import { frame, lossColour, size } from './style.js'

/** One weight vector in the plane, as a trial saves them (a JSON list). */
export interface CloudPoint {
  readonly x: number
  readonly y: number
  readonly loss: number
  readonly kind: 'step' | 'neighbour'
}

/** Points coloured by their loss; steps of the path are open crosses below their neighbours. */
export function cloud(options: {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly artifact: string
}): FigureDefinition {
  return {
    name: options.name,
    caption: options.caption,
    async draw(records, read): Promise<VegaLiteSpec | undefined> {
      const record = options
        .select(withResult(records))
        .find(({ artifacts }) => Object.hasOwn(artifacts, options.artifact))
      if (record === undefined) return undefined
      const all = await readJson<CloudPoint[]>(read, record, options.artifact)
      const points = all.filter(({ loss }) => Number.isFinite(loss) && loss > 0)
      if (points.length === 0) return undefined
      const at = (field: string, number: number) => ({
        field,
        type: 'quantitative',
        title: `component ${number}`,
        scale: { zero: false, padding: 12 },
        axis: { format: '~g', tickCount: 7 },
      })
      const encoding = {
        x: at('x', 1),
        y: at('y', 2),
        color: lossColour('.3~e'),
      }
      return {
        ...frame(options.title, [`seed ${record.trial.seeds.init} · ${points.length} weight vectors · crosses: steps`]),
        ...size,
        height: 460,
        layer: [
          {
            data: { values: points.filter(({ kind }) => kind === 'step') },
            mark: {
              type: 'point',
              shape: 'cross',
              filled: false,
              size: 130,
              strokeWidth: 1,
              color: '#333',
              opacity: 1,
            },
            encoding: { x: encoding.x, y: encoding.y },
          },
          {
            data: { values: points.filter(({ kind }) => kind === 'neighbour') },
            mark: { type: 'point', filled: true, size: 10, opacity: 0.6 },
            encoding,
          },
        ],
      }
    },
  }
}
