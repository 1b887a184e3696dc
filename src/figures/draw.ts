import { join } from 'node:path'
import { StoreError } from '../core/errors.js'
import { replaceFile } from '../system/replace-file.js'
import { problemOf } from '../core/system-error.js'
import { serialiseError, type TrialRecord } from '../core/trial.js'
import { readBrowserBundle } from './browser-bundle.js'
import type { FigureDefinition, ReadArtifact, VegaLiteSpec } from './figure.js'
import { renderFigurePage } from './page.js'
import { renderPng, renderSvg } from './render.js'
import { withSafeTitles } from './safe-titles.js'

/**
 * Draws every figure that has something to show into `folder`, each as SVG, PNG, vega-lite JSON and a page of its own
 * that needs nothing else, and returns the files' paths. A file is replaced as a whole or not at all. A figure that
 * throws is told to `warn`. @throws StoreError when a file can't be written.
 */
export async function drawFigures(
  definitions: readonly FigureDefinition[],
  records: readonly TrialRecord[],
  read: ReadArtifact,
  folder: string,
  warn: (message: string) => void,
): Promise<string[]> {
  const files: string[] = []
  let bundle: readonly string[] | undefined
  for (const definition of definitions) {
    const drawn = await drawFigure(definition, records, read)
    if (drawn === undefined) continue
    if ('trouble' in drawn) {
      warn(drawn.trouble)
      continue
    }
    const { spec, svg } = drawn
    const write = async (extension: string, content: string | Uint8Array): Promise<void> => {
      const file = join(folder, `${definition.name}.${extension}`)
      await replaceFile(file, content).catch((error: Error) => {
        throw new StoreError(`a figure could not be written: ${file}: ${problemOf(error)}`, { cause: error })
      })
      files.push(file)
    }
    await write('svg', svg)
    await write('png', await renderPng(svg))
    await write('vl.json', `${JSON.stringify(spec, null, 1)}\n`)
    bundle ??= await readBrowserBundle()
    const { name, caption } = definition
    await write('html', renderFigurePage({ name, caption, spec, svg }, bundle))
  }
  return files
}

/** A figure, or why it could not be drawn; `undefined` when it has nothing to show. Whatever its author does, never throws. */
export async function drawFigure(
  definition: FigureDefinition,
  records: readonly TrialRecord[],
  read: ReadArtifact,
): Promise<{ readonly spec: VegaLiteSpec; readonly svg: string } | { readonly trouble: string } | undefined> {
  try {
    const drawn = await definition.draw(records, read)
    if (drawn === undefined) return undefined
    const spec = withSafeTitles(drawn)
    return { spec, svg: await renderSvg(spec) }
  } catch (error) {
    return { trouble: `the figure ${definition.name} could not be drawn: ${serialiseError(error).message}` }
  }
}
