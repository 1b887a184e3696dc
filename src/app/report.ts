import { basename, dirname, join } from 'node:path'
import { writeOutput } from '../system/replace-file.js'
import { StoreError } from '../core/errors.js'
import { sweepObjective } from '../core/objective.js'
import { readBrowserBundle } from '../figures/browser-bundle.js'
import { renderPng } from '../figures/render.js'
import { renderHtml } from '../report/html.js'
import { renderMarkdown } from '../report/markdown.js'
import { problemOf } from '../core/system-error.js'
import { experimentToRead, type CodeTrust } from '../experiments/registry.js'
import { buildReport, type Report } from '../report/report.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { noteOf } from '../sweeps/sweep-note.js'
import { readRecords } from '../sweeps/verdicts.js'
import type { Store } from '../system/store.js'
import { artifactReader } from './conclude.js'
import { describeImportances, importancesOf } from './importance.js'
import { planFacts } from './planning/plan-facts.js'

/** The report of a sweep as it stands, from its own folder. */
export async function reportOf(
  store: Store,
  sweep: SweepFolder,
  trust: CodeTrust & { readonly warn: (message: string) => void },
): Promise<Report> {
  const experiment = await experimentToRead(sweep, trust)
  const objective = sweepObjective(sweep.plan.spec, experiment)
  const importances = importancesOf(sweep, objective)
  return buildReport({
    experiment,
    objective,
    ...(importances === undefined ? {} : { importance: describeImportances(importances) }),
    facts: planFacts(store, sweep, experiment),
    records: readRecords(sweep),
    read: artifactReader(store),
    note: noteOf(sweep),
  })
}

/** Writes the page to `file`, and beside it the same as Markdown with its figures as PNG; returns the files. */
export async function writeReport(report: Report, file: string): Promise<string[]> {
  const stem = join(dirname(file), basename(file).replace(/\.html?$/i, ''))
  const imagesFolder = `${stem}-figures`
  const files: string[] = []
  const write = async (path: string, content: string | Uint8Array): Promise<void> => {
    await writeOutput(path, content)
    files.push(path)
  }
  try {
    await write(file, renderHtml(report, await readBrowserBundle()))
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
