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

interface CloudOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly artifact: string
}

/** Points coloured by their loss; steps of the path are open crosses below their neighbours. */
export function cloud(options: CloudOptions): FigureDefinition {
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
      return {
        ...frame(options.title, [`seed ${record.trial.seeds.init} · ${points.length} weight vectors · crosses: steps`]),
        ...size,
        height: 460,
        layer: layersOf(points),
      }
    },
  }
}

/** The path's steps, and their neighbours above them. */
function layersOf(points: readonly CloudPoint[]): object[] {
  const axisOf = (field: string, number: number) => ({
    field,
    type: 'quantitative',
    title: `component ${number}`,
    scale: { zero: false, padding: 12 },
    axis: { format: '~g', tickCount: 7 },
  })
  const [x, y] = [axisOf('x', 1), axisOf('y', 2)]
  const cross = { type: 'point', shape: 'cross', filled: false, size: 130, strokeWidth: 1, color: '#333', opacity: 1 }
  return [
    { data: { values: points.filter(({ kind }) => kind === 'step') }, mark: cross, encoding: { x, y } },
    {
      data: { values: points.filter(({ kind }) => kind === 'neighbour') },
      mark: { type: 'point', filled: true, size: 10, opacity: 0.6 },
      encoding: { x, y, color: lossColour('.3~e') },
    },
  ]
}
