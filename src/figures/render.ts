import type { View } from 'vega'
import { printable } from '../core/printable.js'
import type { VegaLiteSpec } from './figure.js'
import { ownFont, type FigureFont } from './font.js'
import { estimateWidth } from './text-width.js'

/**
 * A specification as SVG text. The same specification gives the same bytes on every machine: text is measured by an
 * estimate, not by installed fonts, and element ids start anew.
 */
export async function renderSvg(spec: VegaLiteSpec, warn?: (message: string) => void): Promise<string> {
  const view = await viewOf(spec, warn)
  try {
    // XML has no control characters, which a value of an axis may have.
    return printable(await view.toSVG())
  } finally {
    view.finalize()
  }
}

/** A compiled specification, to be drawn and then finalised. */
export async function viewOf(spec: VegaLiteSpec, warn: (message: string) => void = () => {}): Promise<View> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  const logger = quietLogger(warn)
  const compiled = compile(structuredClone(spec) as never, { logger })
  vega.resetSVGDefIds()
  const { textMetrics } = vega as unknown as { textMetrics: { width: (item: MeasuredText, text?: unknown) => number } }
  textMetrics.width = (item, text) => estimateWidth(asText(text ?? item.text), item.fontSize ?? 11)
  return new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger })
}

/** Width and height of SVG text that {@link renderSvg} made, in pixels. */
export function sizeOfSvg(svg: string): { width: number; height: number } {
  const [, width, height] = /^<svg[^>]* width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? []
  return { width: Number(width), height: Number(height) }
}

/** The same drawing set to this width in pixels, at the same proportions. */
export function svgOfWidth(svg: string, widthPixels: number): string {
  const { width, height } = sizeOfSvg(svg)
  const heightPixels = Number(((height * widthPixels) / width).toFixed(3))
  return svg.replace(/ width="[\d.]+" height="[\d.]+"/, ` width="${widthPixels}" height="${heightPixels}"`)
}

/** Vega measures strings, numbers and missing texts. */
function asText(text: unknown): string {
  return typeof text === 'string' || typeof text === 'number' ? String(text) : ''
}

/** Vega's own name for it; its types leave it out. */
interface MeasuredText {
  readonly text?: unknown
  readonly fontSize?: number
}

/** Warnings are passed on; nothing is printed behind the caller's back. */
function quietLogger(warn: (message: string) => void) {
  const logger = {
    level: () => logger,
    error: (...message: unknown[]) => (warn(message.map(String).join(' ')), logger),
    warn: (...message: unknown[]) => (warn(message.map(String).join(' ')), logger),
    info: () => logger,
    debug: () => logger,
  }
  return logger
}

/** SVG text as pixels, so many in a row, each red, green, blue and opacity, in the font that comes with mlds. */
export async function renderBitmap(
  svg: string,
  widthPixels: number,
): Promise<{ readonly width: number; readonly height: number; readonly pixels: Uint8Array }> {
  const { Resvg } = await import('@resvg/resvg-js')
  const { regular, bold, family } = ownFont()
  const { width, height, pixels } = new Resvg(svg, {
    fitTo: { mode: 'width', value: widthPixels },
    font: { fontFiles: [regular, bold], loadSystemFonts: false, defaultFontFamily: family },
  }).render()
  return { width, height, pixels }
}

/** SVG text as PNG bytes, at twice its size unless a width is given, in the font that comes with mlds unless another is. */
export async function renderPng(
  svg: string,
  { widthPixels, font = ownFont() }: { widthPixels?: number; font?: FigureFont } = {},
): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js')
  const image = new Resvg(svg, {
    fitTo: widthPixels === undefined ? { mode: 'zoom', value: 2 } : { mode: 'width', value: widthPixels },
    font: { fontFiles: [font.regular, font.bold], loadSystemFonts: false, defaultFontFamily: font.family },
  })
  return image.render().asPng()
}
