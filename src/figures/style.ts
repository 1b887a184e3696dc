/** One look for all figures: legible at 800 pixels, told apart by people of any colour vision. */

/** Okabe and Ito's palette without its yellow, which is faint on white. */
export const palette = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#8B5E3C'] as const

export const font = 'DejaVu Sans, Verdana, sans-serif'

export const size = { width: 640, height: 380 } as const

export const config = {
  background: 'white',
  font,
  padding: 16,
  title: { fontSize: 16, subtitleFontSize: 12, subtitleColor: '#555', anchor: 'start', offset: 14, subtitlePadding: 5 },
  axis: {
    labelFontSize: 12,
    titleFontSize: 13,
    titlePadding: 10,
    gridColor: '#e6e6e6',
    domainColor: '#888',
    tickColor: '#888',
    labelOverlap: 'greedy',
    labelSeparation: 6,
  },
  legend: {
    labelFontSize: 12,
    labelLimit: 320,
    titleFontSize: 12,
    symbolSize: 90,
    orient: 'top',
    direction: 'horizontal',
    offset: 6,
    columnPadding: 18,
    symbolOpacity: 1,
  },
  view: { stroke: '#bbb' },
  range: { category: [...palette] },
} as const

/** A specification's fixed parts; `subtitle` says seeds, settings and what was left out. */
export function frame(title: string, subtitle: readonly string[]): Record<string, unknown> {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: [...subtitle] },
    config,
  }
}

/** A colour for each name: the palette while it lasts, a sequence when there are more. */
export function coloured(field: string, title: string | null, domain: readonly string[]): Record<string, unknown> {
  const colours = domain.length <= palette.length ? { range: palette.slice(0, domain.length) } : { scheme: 'viridis' }
  return { field, type: 'nominal', title, sort: null, scale: { domain, ...colours } }
}

/** The loss of a point or a cell as a colour, evenly in its logarithm, with a scale beside the figure. */
export function lossColour(format: string): Record<string, unknown> {
  return {
    field: 'loss',
    type: 'quantitative',
    title: 'loss',
    scale: { type: 'log', scheme: 'viridis' },
    legend: { orient: 'right', direction: 'vertical', format, gradientLength: 300 },
  }
}
