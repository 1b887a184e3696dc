import type { VegaLiteSpec } from './figure.js'
import { frame, palette } from './style.js'

/** A net to draw: its layers from the input on, each in words. */
export interface DrawnNet {
  readonly name: string
  readonly layers: readonly {
    readonly layer: string
    readonly output: string
    readonly activation: string
    readonly parameters: number
  }[]
}

/** Nets beside each other, a box a layer, from the input at the top; layers that train nothing have no colour. */
export function drawNets(title: string, nets: readonly DrawnNet[]): VegaLiteSpec {
  const total = ({ layers }: DrawnNet): number => layers.reduce((sum, { parameters }) => sum + parameters, 0)
  const heads = nets.map((net) => `${net.name}\n${total(net).toLocaleString('en-US')} parameters`)
  const values = nets.flatMap(({ layers }, i) =>
    layers.map(({ layer, output, activation, parameters }, row) => ({
      net: heads[i],
      row,
      layer: activation === '' ? layer : `${layer}, ${activation}`,
      output: parameters === 0 ? output : `${output} · ${parameters.toLocaleString('en-US')} parameters`,
      trains: parameters > 0,
    })),
  )
  const rows = nets.reduce((most, { layers }) => Math.max(most, layers.length), 0)
  const x = {
    field: 'net',
    type: 'nominal',
    sort: null,
    title: null,
    axis: {
      orient: 'top',
      labelAngle: 0,
      labelExpr: "split(datum.label, '\\n')",
      domain: false,
      ticks: false,
      labelFontWeight: 'bold',
      labelPadding: 20,
      labelLimit: 0,
    },
    scale: { paddingInner: 0.08, paddingOuter: 0.02 },
  }
  const y = { field: 'row', type: 'ordinal', sort: null, axis: null, scale: { paddingInner: 0.25, paddingOuter: 0.05 } }
  const text = (field: string, dy: number, fontSize: number, color: string): Record<string, unknown> => ({
    mark: { type: 'text', dy, fontSize, color, limit: 205 },
    encoding: { text: { field } },
  })
  return {
    ...frame(title, [
      'Each box is a layer: what it is, what comes out of it for one row, and how many parameters it trains.',
    ]),
    data: { values },
    width: 220 * nets.length,
    height: 56 * rows,
    encoding: { x, y },
    view: { stroke: null },
    layer: [
      {
        mark: { type: 'bar', cornerRadius: 4, stroke: '#888' },
        encoding: {
          color: {
            condition: { test: 'datum.trains', value: `${palette[5]}55` },
            value: '#f4f4f4',
          },
        },
      },
      text('layer', -8, 12, 'black'),
      text('output', 9, 11, '#444'),
    ],
  }
}
