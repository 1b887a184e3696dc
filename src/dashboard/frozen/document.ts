import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { codeVersion } from '../../core/version.js'
import { escapeHtml, svgSource } from '../../figures/page.js'
import { checkLine, headline, verdictCells, verdictColumns, verdictNotes } from '../../report/markdown.js'
import { formatCell, headingOf, type Report, type TrialTable } from '../../report/report.js'
import { checksOf, claimsOf } from '../../sweeps/tally.js'
import type { PageAssets } from '../page-assets.js'
import type { Frozen } from '../wire.js'

/** Rows of trials that stand in the page itself: its script shows all. */
const maxRows = 100

/**
 * The dashboard's page with all that a server would have told it inside, and what a reader without scripts needs. It asks for
 * nothing: a content policy admits its one script and its one style sheet by hash, and no connection at all.
 */
export function frozenPage(report: Report, frozen: Frozen, { script, style }: PageAssets): string {
  const policy = `default-src 'none'; img-src data: blob:; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeHtml(`${report.title} – ${report.sweep}`)}</title>
<style>${style}</style>
</head>
<body>
<div id="app">
${still(report)}
</div>
<footer>mlds ${escapeHtml(codeVersion)} · a report: what the journal said when it was written</footer>
<script type="application/gzip" id="frozen">${packed(frozen)}</script>
<script>${script}</script>
</body>
</html>
`
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Its JSON, gzipped, in base64: a third of the size, and nothing in it ends the element. Numbers that JSON lacks are words. */
function packed(frozen: Frozen): string {
  const text = JSON.stringify(frozen, (_, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
  return gzipSync(text).toString('base64')
}

/** What stands there until the script runs, and where none may. */
function still(report: Report): string {
  const { title, question, sweep, source, settings, table } = report
  const left = table.rows.length - maxRows
  return `<header>
<h1>${escapeHtml(title)}</h1>
<p class="question">${escapeHtml(question)}</p>
<p>Sweep <code>${escapeHtml(sweep)}</code>: ${escapeHtml(headline(report))} Source: ${escapeHtml(source)}.</p>${writtenOf(report)}
</header>
<main>
<h2>Verdicts</h2>
${verdictTable(report)}
<h2>Figures</h2>
${report.figures.length === 0 ? '<p>Nothing to draw yet.</p>' : ''}
${report.figures.map(figureOf).join('\n')}
${report.troubles.map((trouble) => `<p class="trouble">${escapeHtml(trouble)}</p>`).join('\n')}
<h2>Settings</h2>
${settings.rows.length === 0 ? '<p>No setting has a result yet.</p>' : tableOf(settings, 'The best first.')}
<h2>Trials</h2>
${tableOf({ ...table, rows: table.rows.slice(0, maxRows) }, left > 0 ? `The first ${maxRows} of ${table.rows.length}; the rest need scripts.` : 'In the order of the plan.')}
<h2>Manifest</h2>
<table class="facts"><tbody>
${report.manifest.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join('\n')}
</tbody></table>
</main>`
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
    const cells = verdictCells(verdict).map((cell, i) =>
      i === 0
        ? `<th scope="row">${escapeHtml(cell)}</th>`
        : `<td data-label="${escapeHtml(verdictColumns[i]!)}"${i === 1 ? ` class="${verdict.state.replace(' ', '-')}"` : ''}>${escapeHtml(cell)}</td>`,
    )
    return `<tr>${cells.join('')}</tr>`
  })
  const head = verdictColumns.map((column) => `<th scope="col">${column}</th>`).join('')
  return `<table class="verdicts"><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>${notes.join('')}`
}

function tableOf({ columns, rows }: TrialTable, caption: string): string {
  // A column of numbers stays one where a cell is missing.
  const classes = columns.map((_, i) => (rows.some((row) => typeof row[i] === 'number') ? ' class="number"' : ''))
  const head = columns.map((column, i) => `<th scope="col"${classes[i]}>${escapeHtml(column)}</th>`).join('')
  const lines = rows.map(
    (row) => `<tr>${row.map((cell, i) => `<td${classes[i]}>${escapeHtml(formatCell(cell))}</td>`).join('')}</tr>`,
  )
  return `<div class="wide"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}</tr></thead><tbody>\n${lines.join('\n')}\n</tbody></table></div>`
}

/** The script takes the drawing from here, by its name. */
function figureOf({ name, caption, svg }: Report['figures'][number]): string {
  return `<figure><h3>${escapeHtml(headingOf(name))}</h3>
<div class="drawing"><img alt="${escapeHtml(caption)}" data-figure="${escapeHtml(name)}" src="${svgSource(svg)}"></div>
<figcaption>${escapeHtml(caption)}</figcaption></figure>`
}
