import { createRequire } from 'node:module'
import type { VegaLiteSpec } from './figure.js'

/**
 * A specification as SVG text. The same specification gives the same bytes on every machine: text is measured by an
 * estimate, not by installed fonts, and element ids start anew.
 */
export async function renderSvg(spec: VegaLiteSpec, warn: (message: string) => void = () => {}): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  const logger = quietLogger(warn)
  const compiled = compile(structuredClone(spec) as never, { logger: logger })
  vega.resetSVGDefIds()
  const { textMetrics } = vega as unknown as { textMetrics: { width: (item: MeasuredText, text?: unknown) => number } }
  textMetrics.width = (item, text) => estimateWidth(asText(text ?? item.text), item.fontSize ?? 11)
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger: logger })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
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

/** Width of a text in DejaVu Sans, in pixels: advance widths by kind of letter, within a few per cent of the font's own. */
function estimateWidth(text: string, fontSize: number): number {
  let em = 0
  for (const letter of text)
    em += /[ijl.,:;|' ]/.test(letter)
      ? 0.31
      : /[frtI()[\]/-]/.test(letter)
        ? 0.39
        : /[mwMWÅ@%]/.test(letter)
          ? 0.95
          : /[A-Z]/.test(letter)
            ? 0.7
            : 0.63
  return em * fontSize
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

/** SVG text as PNG bytes, at twice its size unless a width is given, with a font that comes with mlds: a fresh container has none. */
export async function renderPng(svg: string, { widthPixels }: { widthPixels?: number } = {}): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js')
  const fonts = createRequire(import.meta.url)
  const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
    fonts.resolve(`dejavu-fonts-ttf/ttf/${file}`),
  )
  const image = new Resvg(svg, {
    fitTo: widthPixels === undefined ? { mode: 'zoom', value: 2 } : { mode: 'width', value: widthPixels },
    font: { fontFiles, loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' },
  })
  return image.render().asPng()
}
