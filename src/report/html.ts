import { escapeHtml, pageHead, pageScripts, svgSource } from '../figures/page.js'
import { checksOf, claimsOf } from '../sweeps/tally.js'
import { checkLine, headline, verdictCells, verdictColumns, verdictNotes } from './markdown.js'
import { pageScript } from './page-script.js'
import { pageStyle } from './page-style.js'
import { formatCell, headingOf, type Report } from './report.js'

/** Rows that stand in the page itself; its script turns the leaves. */
const rowsPerPage = 100

/**
 * The report as one page that asks for nothing: scripts (`bundle`: vega, vega-lite, vega-embed), data and styles inside.
 * A content policy admits only the page's own scripts by hash and no connection at all.
 */
export function renderHtml(report: Report, bundle: readonly string[]): string {
  const scripts = [...bundle, pageScript]
  // A column of numbers stays one where a cell is missing.
  const numeric = report.table.columns.map((_, i) => report.table.rows.some((row) => typeof row[i] === 'number'))
  const classOf = (column: number): string => (numeric[column] === true ? ' class="number"' : '')
  const data = { figures: report.figures.map(({ spec }) => spec), table: report.table, numeric, rowsPerPage }
  return `<!doctype html>
<html lang="en">
${pageHead(`${report.title} – ${report.sweep}`, pageStyle, scripts, ['<meta name="color-scheme" content="light dark">'])}
<body>
<header>
<h1>${escapeHtml(report.title)}</h1>
<p class="question">${escapeHtml(report.question)}</p>
<p>Sweep <code>${escapeHtml(report.sweep)}</code>: ${escapeHtml(headline(report))} Source: ${escapeHtml(report.source)}.</p>${writtenOf(report)}
<nav aria-label="Sections"><a href="#verdicts">Verdicts</a> <a href="#figures">Figures</a> <a href="#trials">Trials</a> <a href="#manifest">Manifest</a></nav>
</header>
<main>
<section id="verdicts"><h2>Verdicts</h2>
${verdictTable(report)}
</section>
<section id="figures"><h2>Figures</h2>
${report.figures.length === 0 ? '<p>Nothing to draw yet.</p>' : ''}
${report.figures.map(figureOf).join('\n')}
${report.troubles.map((trouble) => `<p class="trouble">${escapeHtml(trouble)}</p>`).join('\n')}
</section>
<section id="trials"><h2>Trials</h2>
<div class="tools" hidden><label>Rows that contain <input id="filter" type="search" autocomplete="off"></label>
<span><button type="button" id="previous">Previous</button> <output id="position"></output> <button type="button" id="next">Next</button></span></div>
<div class="wide" tabindex="0" role="region" aria-label="Table of trials">
<table id="trial-table"><caption>One row per trial. A column's heading sorts by it.</caption>
<thead><tr>${report.table.columns.map((column, i) => `<th scope="col"${classOf(i)}>${escapeHtml(column)}</th>`).join('')}</tr></thead>
<tbody>
${report.table.rows
  .slice(0, rowsPerPage)
  .map((row) => `<tr>${row.map((cell, i) => `<td${classOf(i)}>${escapeHtml(formatCell(cell))}</td>`).join('')}</tr>`)
  .join('\n')}
</tbody></table></div>
${report.table.rows.length > rowsPerPage ? `<noscript><p>The first ${rowsPerPage} of ${report.table.rows.length} rows; the rest need scripts.</p></noscript>` : ''}
</section>
<section id="manifest"><h2>Manifest</h2>
<table class="facts"><tbody>
${report.manifest.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join('\n')}
</tbody></table>
</section>
</main>
${pageScripts('report-data', data, scripts)}
</body>
</html>
`
}

/** What people wrote of the sweep, as they wrote it. */
function writtenOf({ note }: Report): string {
  if (note === undefined) return ''
  const tags = note.tags.map((tag) => `<span class="tag">${escapeHtml(tag)}</span>`).join(' ')
  return `${tags === '' ? '' : `\n<p>${tags}</p>`}${note.note === '' ? '' : `\n<p class="written">${escapeHtml(note.note)}</p>`}`
}

function verdictTable({ verdicts }: Report): string {
  const notes = [...verdictNotes(verdicts), ...checksOf(verdicts).map(checkLine)].map(
    (note) => `\n<p class="note">${escapeHtml(note)}</p>`,
  )
  const claims = claimsOf(verdicts)
  if (claims.length === 0) return `<p>This experiment makes no claims.</p>${notes.join('')}`
  const rows = claims.map((verdict) => {
    const cells = verdictCells(verdict).map((cell, i) => {
      const label = escapeHtml(verdictColumns[i]!)
      return i === 0
        ? `<th scope="row">${escapeHtml(cell)}</th>`
        : `<td data-label="${label}"${i === 1 ? ` class="${verdict.state.replace(' ', '-')}"` : ''}>${escapeHtml(cell)}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  const head = verdictColumns.map((column) => `<th scope="col">${column}</th>`).join('')
  return `<table class="verdicts"><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>${notes.join('')}`
}

/** The still picture stands until the script has drawn its own: the page also reads where scripts may not run. */
function figureOf({ name, caption, svg }: Report['figures'][number]): string {
  return `<figure><h3>${escapeHtml(headingOf(name))}</h3>
<div class="drawing"><img alt="${escapeHtml(caption)}" src="${svgSource(svg)}"></div>
<figcaption>${escapeHtml(caption)}</figcaption></figure>`
}
