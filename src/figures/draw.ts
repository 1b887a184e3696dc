import { join } from 'node:path'
import { StoreError } from '../core/errors.js'
import { replaceFile } from '../system/replace-file.js'
import { problemOf } from '../core/system-error.js'
import { serialiseError, type TrialRecord } from '../core/trial.js'
import { readBrowserBundle } from './browser-bundle.js'
import type { FigureDefinition, ReadArtifact, VegaLiteSpec } from './figure.js'
import { figureCsv } from './figure-data.js'
import { renderFigurePage } from './page.js'
import { figureFormats, type FigureFormat } from './formats.js'
import { forPrint, pixelsPerInch, type PrintOptions } from './print.js'
import { renderPng, renderSvg, svgOfWidth } from './render.js'
import { withSafeTitles } from './safe-titles.js'

export interface DrawOptions extends PrintOptions {
  /** Default: all but `pdf`. */
  readonly formats?: readonly FigureFormat[]
  /** Told of each figure that was drawn, when its files are written. Default: nobody is. */
  readonly onDrawn?: (figure: DrawnFigure) => void
}

/** A figure that has something to show. */
export interface DrawnFigure {
  readonly name: string
  readonly caption: string
  readonly spec: VegaLiteSpec
  readonly svg: string
}

/** What papers ask of a PNG. */
const printedPixelsPerInch = 300

const extensionOf: Readonly<Record<FigureFormat, string>> = {
  ...{ svg: 'svg', png: 'png', pdf: 'pdf', html: 'html', json: 'vl.json', csv: 'csv' },
}

/**
 * Draws every figure that has something to show into `folder`, each in every format that is asked for, and returns the
 * files' paths. A file is replaced as a whole or not at all. A figure that throws is told to `warn`. @throws StoreError when
 * a file can't be written.
 */
export async function drawFigures(
  definitions: readonly FigureDefinition[],
  records: readonly TrialRecord[],
  read: ReadArtifact,
  folder: string,
  warn: (message: string) => void,
  { formats = figureFormats.filter((format) => format !== 'pdf'), onDrawn, ...print }: DrawOptions = {},
): Promise<string[]> {
  const files: string[] = []
  let scripts: Promise<string[]> | undefined
  for (const definition of definitions) {
    const drawn = await drawFigure(definition, records, read, print)
    if (drawn === undefined) continue
    if ('trouble' in drawn) {
      warn(drawn.trouble)
      continue
    }
    for (const format of formats) {
      const file = join(folder, `${definition.name}.${extensionOf[format]}`)
      const content = await contentOf(format, {
        ...drawn,
        definition,
        print,
        scripts: () => (scripts ??= readBrowserBundle()),
      })
      await replaceFile(file, content).catch((error: Error) => {
        throw new StoreError(`a figure could not be written: ${file}: ${problemOf(error)}`, { cause: error })
      })
      files.push(file)
    }
    onDrawn?.({ name: definition.name, caption: definition.caption, ...drawn })
  }
  return files
}

interface Drawn {
  readonly spec: VegaLiteSpec
  readonly svg: string
}

interface Page extends Drawn {
  readonly definition: FigureDefinition
  readonly print: PrintOptions
  /** What draws a figure in a browser. */
  readonly scripts: () => Promise<readonly string[]>
}

async function contentOf(
  format: FigureFormat,
  { spec, svg, definition, print, scripts }: Page,
): Promise<string | Uint8Array> {
  const { widthInches, font } = print
  const fontGiven = font === undefined ? {} : { font }
  switch (format) {
    case 'svg':
      return svg
    case 'png':
      return renderPng(svg, {
        ...fontGiven,
        ...(widthInches === undefined ? {} : { widthPixels: Math.round(widthInches * printedPixelsPerInch) }),
      })
    case 'pdf': {
      const { renderPdf } = await import('./pdf.js')
      return renderPdf(spec, { ...fontGiven, ...(widthInches === undefined ? {} : { widthPoints: widthInches * 72 }) })
    }
    case 'html':
      return renderFigurePage({ name: definition.name, caption: definition.caption, spec, svg }, await scripts())
    case 'json':
      return `${JSON.stringify(spec, null, 1)}\n`
    case 'csv':
      return figureCsv(spec)
  }
}

/** A figure, or why it could not be drawn; `undefined` when it has nothing to show. Whatever its author does, never throws. */
export async function drawFigure(
  definition: FigureDefinition,
  records: readonly TrialRecord[],
  read: ReadArtifact,
  print: PrintOptions = {},
): Promise<Drawn | { readonly trouble: string } | undefined> {
  try {
    const drawn = await definition.draw(records, read)
    if (drawn === undefined) return undefined
    const spec = await forPrint(withSafeTitles(drawn), print)
    const svg = await renderSvg(spec)
    // Labels alone can be wider than what was asked for; then all of it shrinks, as in PNG and PDF.
    const { widthInches } = print
    return { spec, svg: widthInches === undefined ? svg : svgOfWidth(svg, widthInches * pixelsPerInch) }
  } catch (error) {
    return { trouble: `the figure ${definition.name} could not be drawn: ${serialiseError(error).message}` }
  }
}
