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
    labelOverlap: 'parity',
    labelSeparation: 6,
  },
  legend: {
    labelFontSize: 12,
    gradientOpacity: 1,
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

/** Labels of an axis of numbers: 40k and 1.5M from ten thousand on, 1e-4 below a hundredth, plain between. */
export const numberLabels =
  "datum.value === 0 ? '0' : abs(datum.value) >= 10000 ? format(datum.value, '~s')" +
  " : abs(datum.value) < 0.01 ? format(datum.value, '~e') : format(datum.value, '~g')"

/** 1, 2 and 5 times the powers of ten from one that is at most `least` to one that is at least `most`, ascending. */
function stepsAround(least: number, most: number): number[] {
  const steps: number[] = []
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const digit of [1, 2, 5]) steps.push(Number(`${digit}e${power}`))
  return steps
}

/** Powers of ten where three and more lie within a range, else 1, 2 and 5 times them. */
function ticksWithin(least: number, most: number): number[] {
  const steps = stepsAround(least, most).filter((step) => step >= least && step <= most)
  const powers = steps.filter((step) => step.toExponential().startsWith('1e'))
  return powers.length >= 3 ? powers : steps
}

const extentOf = (values: readonly number[]): [number, number] =>
  values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0])

/**
 * A logarithmic scale that holds the values (all above 0) and reaches to 1, 2 or 5 times a power of ten on both sides,
 * with that axis's labels.
 */
export function logarithmic(values: readonly number[]): { scale: object; axis: object } {
  const [least, most] = extentOf(values)
  const steps = stepsAround(least, most)
  const [low, high] = [steps.findLast((step) => step <= least)!, steps.find((step) => step >= most)!]
  return {
    scale: { type: 'log', domain: low === high ? [low / 2, high * 2] : [low, high], nice: false },
    axis: { values: ticksWithin(low, high), labelExpr: numberLabels },
  }
}

/** The same for values that stand side by side on an axis: it ends a little beyond the outermost. */
export function spread(values: readonly number[]): { scale: object; axis: object } {
  const ticks = ticksWithin(...extentOf(values))
  const labels = ticks.length >= 2 ? { values: ticks } : { tickCount: 5 }
  return { scale: { type: 'log', nice: false, padding: 12 }, axis: { ...labels, labelExpr: numberLabels, grid: true } }
}

const collator = new Intl.Collator('en', { numeric: true })
const numbersIn = /(\d+(?:\.\d+)?(?:e[+-]?\d+)?)/

/** Names in the order a reader expects: numbers by size, also those within words; words by the alphabet. */
export function inReadingOrder(names: Iterable<string>): string[] {
  // Texts and numbers in turn.
  const keyed = [...names].map((name) => ({ name, value: Number(name), parts: name.split(numbersIn) }))
  keyed.sort((a, b) => {
    if (a.value !== b.value && !Number.isNaN(a.value - b.value)) return a.value - b.value
    for (const [i, part] of a.parts.entries()) {
      const other = b.parts[i]
      if (other === undefined || part === other) continue
      return i % 2 === 1 ? Number(part) - Number(other) : collator.compare(part, other)
    }
    return collator.compare(a.name, b.name)
  })
  return keyed.map(({ name }) => name)
}
