import { chanceNote, checksOf, claimsOf, stateWord } from '../sweeps/tally.js'
import type { ClaimVerdict } from '../sweeps/verdicts.js'
import { formatCell, headingOf, type Report } from './report.js'

/** Longer tables than this are for the page or `mlds export`. */
const maxRows = 200

/** The report as Markdown; the figures are at `imageOf(name)`, relative to the file. */
export function renderMarkdown(report: Report, imageOf: (name: string) => string): string {
  const { table } = report
  const shown = table.rows.slice(0, maxRows)
  return `${[
    `# ${escapeMarkdown(report.title)}`,
    escapeMarkdown(report.question),
    `Sweep ${escapeMarkdown(report.sweep)}: ${escapeMarkdown(headline(report))} Source: ${escapeMarkdown(report.source)}.`,
    ...writtenOf(report),
    '## Verdicts',
    claimsOf(report.verdicts).length === 0
      ? 'This experiment makes no claims.'
      : tableOf(verdictColumns, claimsOf(report.verdicts).map(verdictCells)),
    ...verdictNotes(report.verdicts),
    ...checksOf(report.verdicts).map((check) => `${escapeMarkdown(checkLine(check))}`),
    '## Figures',
    ...(report.figures.length === 0 ? ['Nothing to draw yet.'] : []),
    ...report.figures.flatMap(({ name, caption }) => [
      `### ${escapeMarkdown(headingOf(name))}`,
      `![${escapeMarkdown(caption)}](${encodeURI(imageOf(name))})`,
      escapeMarkdown(caption),
    ]),
    ...report.troubles.map(escapeMarkdown),
    '## Trials',
    tableOf(
      table.columns,
      shown.map((row) => row.map(formatCell)),
    ),
    ...(shown.length < table.rows.length
      ? [`The first ${shown.length} of ${table.rows.length}; \`mlds export\` writes them all.`]
      : []),
    '## Manifest',
    tableOf(['what', 'value'], report.manifest),
  ].join('\n\n')}\n`
}

/** What people wrote of the sweep, as text: its lines stay lines. */
function writtenOf({ note }: Report): string[] {
  if (note === undefined) return []
  const tags = note.tags.map((tag) => `#${tag}`).join(' ')
  return [tags, ...note.note.split(/\n{2,}/)].filter((part) => part.trim() !== '').map(escapeMarkdown)
}

/** What a reader wants first: how much ran, and what came of it. */
export function headline({ outcome, tally, best, importance }: Report): string {
  const ran = tally === '' ? outcome : `${outcome}; of its claims ${tally}`
  const sentences = [ran, best, importance].filter((one) => one !== '')
  return sentences.map((one, i) => `${i === 0 ? one : `${one[0]!.toUpperCase()}${one.slice(1)}`}.`).join(' ')
}

/** What to know of the claims' table. */
export const verdictNotes = (verdicts: readonly ClaimVerdict[]): string[] => [
  ...(claimsOf(verdicts).some(({ fragile }) => fragile) ? [fragileNote] : []),
  ...[chanceNote(verdicts)].filter((note) => note !== ''),
]

/** A check in one line: software that holds to it has shown nothing of the world. */
export const checkLine = (check: ClaimVerdict): string =>
  `Check ${stateWord(check)}: ${check.statement} (${check.summary}).`

const fragileNote =
  'A fragile claim is one that the literature disagrees on, or that its own source does not bear out: it is reported, not relied on.'

export const verdictColumns = ['claim', 'verdict', 'ours', 'published', 'effect', '95 % interval', 'seeds'] as const

/** One verdict as the cells of `verdictColumns`. */
export function verdictCells(verdict: ClaimVerdict): string[] {
  const notes = [
    ...(verdict.fragile ? ['fragile'] : []),
    ...(verdict.version > 1 ? [`version ${verdict.version} of the claim`] : []),
  ]
  return [
    verdict.statement,
    `${verdict.state}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`,
    verdict.summary,
    verdict.published,
    verdict.effect === undefined ? '–' : formatCell(verdict.effect),
    verdict.interval === undefined ? '–' : verdict.interval.map(formatCell).join(' to '),
    String(verdict.seeds),
  ]
}

function tableOf(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`
  return [line(columns), `|${columns.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/** Text from outside as nothing but text: no markup, no HTML, no line break. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/[\\`*_[\]|~#]/g, '\\$&')
}
