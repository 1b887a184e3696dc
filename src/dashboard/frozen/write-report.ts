import { basename, dirname, join } from 'node:path'
import { StoreError } from '../../core/errors.js'
import { problemOf } from '../../core/system-error.js'
import { renderPng } from '../../figures/render.js'
import { renderMarkdown } from '../../report/markdown.js'
import type { Report } from '../../report/report.js'
import { writeOutput } from '../../system/replace-file.js'
import { readPageAssets } from '../page-assets.js'
import { frozenPage } from './document.js'
import { freeze, type FreezeOptions } from './freeze.js'

/** Writes the page to `file`, and beside it the same as Markdown with its figures as PNG; returns the files. */
export async function writeReport(report: Report, file: string, options: FreezeOptions = {}): Promise<string[]> {
  const stem = join(dirname(file), basename(file).replace(/\.html?$/i, ''))
  const imagesFolder = `${stem}-figures`
  const files: string[] = []
  const write = async (path: string, content: string | Uint8Array): Promise<void> => {
    await writeOutput(path, content)
    files.push(path)
  }
  const assets = readPageAssets()
  try {
    await write(file, frozenPage(report, freeze(report, options), assets))
    await write(
      `${stem}.md`,
      renderMarkdown(report, (name) => `${basename(imagesFolder)}/${name}.png`),
    )
    for (const { name, svg } of report.figures) await write(join(imagesFolder, `${name}.png`), await renderPng(svg))
  } catch (error) {
    throw new StoreError(`the report could not be written: ${file}: ${problemOf(error)}`, { cause: error })
  }
  return files
}
