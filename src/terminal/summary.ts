import { chanceNote, checksOf, claimsOf, stateWord } from '../sweeps/tally.js'
import type { ClaimVerdict } from '../sweeps/verdicts.js'
import type { SweepSummary } from '../app/summary.js'
import { describeCounts, isComplete } from '../sweeps/journal/state.js'
import { formatDuration } from '../core/format.js'
import { colours } from './terminal.js'

/** What a sweep came to, for a person: counts, what it shows, where the figures are. */
export function formatSummary(summary: SweepSummary): string {
  const { finished, unique } = summary
  return [
    '',
    ...(summary.verdicts.length === 0 ? [] : [formatVerdicts(summary.verdicts), '']),
    ...(summary.figures.length === 0
      ? []
      : ['Figures', ...summary.figures.filter((file) => !file.endsWith('.json')).map((file) => `  ${file}`), '']),
    `${colours.bold(summary.sweep)}: ${describeCounts(summary)} in ${formatDuration(summary.durationMs)}, at most ${summary.peakMemoryMb} MB of memory${unique === finished ? '' : ` (only ${unique} of them different)`}`,
    ...(summary.decision === undefined ? [] : [summary.decision]),
    ...(summary.link === undefined ? [] : [`In MLflow: ${summary.link}`]),
    ...(summary.storyLink === undefined ? [] : [`  its story: ${summary.storyLink}`]),
    ...(summary.compareLink === undefined ? [] : [`  side by side: ${summary.compareLink}`]),
    ...(summary.cutShort === undefined ? [] : [`It ended early: ${summary.cutShort}.`]),
    ...(isComplete(summary) && summary.mayGoOn !== true ? [] : [whatIsLeft(summary)]),
  ].join('\n')
}

function whatIsLeft({ sweep, missing, detached, failedAlike, advice }: SweepSummary): string {
  if (advice !== undefined) return advice
  // The same trials would fail alike again, and end a resume as they ended this.
  if (failedAlike === true && missing > 0)
    return `Run the rest, whatever fails, with: mlds resume ${sweep} --only missing --failing-alike 0`
  if (failedAlike === true) return `Run all that failed again with: mlds resume ${sweep} --failing-alike 0`
  if (detached !== true)
    return `Run ${missing > 0 ? 'the rest' : 'again what has no result'} with: mlds resume ${sweep}`
  return `${missing === 1 ? '1 trial is' : `${missing} trials are`} left to the workers; see them with: mlds status ${sweep}, collect them with: mlds resume ${sweep}`
}

const marks = { reproduced: colours.green('✓'), 'not reproduced': colours.red('✗'), inconclusive: colours.yellow('?') }

/** Claims with what they rest on, then checks. */
export function formatVerdicts(verdicts: readonly ClaimVerdict[]): string {
  const [claims, checks, note] = [claimsOf(verdicts), checksOf(verdicts), chanceNote(verdicts)]
  return [
    ...(claims.length === 0 ? [] : ['What it shows', ...claims.map(formatVerdict)]),
    ...(note === '' ? [] : [`  ${note}`]),
    ...(checks.length === 0 ? [] : ['Checks', ...checks.map(formatVerdict)]),
  ].join('\n')
}

const formatVerdict = (verdict: ClaimVerdict): string =>
  `  ${marks[verdict.state]} ${stateWord(verdict)}: ${verdict.statement}\n      ${verdict.summary}`
