import { formatDuration, formatNumber } from '../../core/format.js'
import type { Pace } from '../../app/pace.js'
import { describeRunning, type Watched } from './standing.js'
import { colours, fitLine, fitTexts, widthOf, type Styled } from '../terminal.js'

const [narrowestBar, widestBar] = [4, 24]

/** How far a sweep is, in one line: a bar where there is room for one, counts, and how long it takes. */
export function drawShare({ state }: Watched, pace: Pace, columns: number): string {
  const counts = state.counts()
  const ended = counts.planned - counts.missing - counts.running
  const failed = counts.failed + counts.dead
  const left = pace.describeLeft()
  const perSecond = ended / Math.max(0.001, pace.elapsedMs() / 1000)
  const facts: Styled[] = [
    { text: `${ended}/${counts.planned}`, style: colours.green },
    ...(failed === 0 ? [] : [{ text: `${failed} failed`, style: colours.red }]),
    ...(counts.diverged === 0 ? [] : [{ text: `${counts.diverged} diverged`, style: colours.yellow }]),
    ...(counts.stopped === 0 ? [] : [{ text: `${counts.stopped} stopped early` }]),
    { text: `${formatDuration(pace.elapsedMs())} gone` },
    ...(left === undefined ? [] : [{ text: left }]),
    ...(ended === 0 || ended === counts.planned ? [] : [{ text: `${formatNumber(perSecond)}/s` }]),
  ]
  const room = columns - facts.reduce((sum, { text }) => sum + widthOf(text) + 2, 0)
  const bar = room < narrowestBar ? '' : `${drawBar(ended / Math.max(1, counts.planned), Math.min(widestBar, room))}  `
  return bar + fitTexts(facts, columns - (bar === '' ? 0 : 2 + Math.min(widestBar, room)))
}

function drawBar(share: number, width: number): string {
  const filled = Math.round(share * width)
  return colours.green('█'.repeat(filled)) + colours.dim('░'.repeat(width - filled))
}

/** The trials that run, a line each, and how many more there are. */
export function drawRunning(watched: Watched, atMost: number, columns: number): string[] {
  const running = [...watched.state.trials.values()].filter((trial) => trial.state === 'running')
  const lines = running.slice(0, atMost).map((trial) => {
    const line = fitLine(`  ${trial.trial.id.slice(0, 8)} ${describeRunning(trial, watched)}`, columns)
    return line.slice(0, 2) + colours.dim(line.slice(2, 10)) + line.slice(10)
  })
  if (running.length > atMost) lines.push(colours.dim(fitLine(`  and ${running.length - atMost} more run`, columns)))
  return lines
}
