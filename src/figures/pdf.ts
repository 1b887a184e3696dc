import { PdfContext } from './pdf-context.js'
import { ownFont, type FigureFont } from './font.js'
import type { VegaLiteSpec } from './figure.js'
import { sizeOfSvg, viewOf } from './render.js'

interface PdfOptions {
  readonly widthPoints?: number
  /** Default: the font that comes with mlds. */
  readonly font?: FigureFont
}

/**
 * A specification as a PDF page of `widthPoints` (default: a pixel of the figure is three quarters of a point), with its
 * text as text in fonts that are embedded. The same specification and font give the same bytes: neither the date nor the
 * document's id changes.
 */
export async function renderPdf(
  spec: VegaLiteSpec,
  { widthPoints, font = ownFont() }: PdfOptions = {},
): Promise<Uint8Array> {
  const { default: Document } = await import('pdfkit')
  const view = await viewOf(spec)
  try {
    const { width, height } = sizeOfSvg(await view.toSVG())
    const scale = (widthPoints ?? width * 0.75) / width
    const doc = new Document({
      size: [width * scale, height * scale],
      margin: 0,
      info: { Creator: 'mlds', Producer: 'mlds', CreationDate: new Date(0) },
    })
    const whole = collect(doc)
    doc.registerFont('regular', font.regular).registerFont('bold', font.bold)
    doc.scale(scale)
    const context = new PdfContext(doc, { regular: 'regular', bold: 'bold' })
    await view.toCanvas(1, { externalContext: context })
    doc.end()
    return await whole
  } finally {
    view.finalize()
  }
}

function collect(doc: PDFKit.PDFDocument): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    doc.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    doc.on('end', () => resolve(Buffer.concat(chunks)))
    doc.on('error', reject)
  })
}
