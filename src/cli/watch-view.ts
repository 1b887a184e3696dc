import colors from 'picocolors'
import { formatDuration, formatNumber } from '../format.js'
import { lookUp } from '../names.js'
import { isResult } from '../sweeps/state.js'
import { drawScatter } from './scatter.js'
import { describeRunning, type Best, type Pace, type Watched } from './standing.js'

export interface WatchFrame {
  readonly watched: Watched
  readonly pace: Pace
  readonly best: Best
  /** The axis of the preview; `undefined` when nothing varies. */
  readonly axis: string | undefined
  /** What the preview shows over it: a final metric. */
  readonly metric: string
  /** Who runs it, or that nobody does. */
  readonly standing: string
  /** What went wrong, the newest last. */
  readonly failures: readonly string[]
  /** Which keys do something; empty where none are read. */
  readonly keys: string
}

interface Line {
  readonly text: string
  readonly style?: (text: string) => string
}

/** A whole screen: never more lines than `rows`, none longer than `columns`. */
export function drawFrame(frame: WatchFrame, { columns, rows }: { columns: number; rows: number }): string[] {
  const { watched, pace, best, standing, failures, keys } = frame
  const { state, info } = watched
  const counts = state.counts()
  const ended = counts.planned - counts.missing - counts.running
  const failed = counts.failed + counts.dead
  const perSecond = ended / Math.max(0.001, pace.elapsedMs() / 1000)
  const head: Line[] = [
    { text: `${info.sweep}  ${standing}`, style: colors.bold },
    {
      text: [
        bar(ended / Math.max(1, counts.planned), Math.min(24, Math.max(4, columns - 56))),
        `${ended}/${counts.planned}`,
        ...(failed === 0 ? [] : [`${failed} failed`]),
        ...(counts.diverged === 0 ? [] : [`${counts.diverged} diverged`]),
        ...(counts.stopped === 0 ? [] : [`${counts.stopped} stopped early`]),
        `${formatDuration(pace.elapsedMs())} gone`,
        ...(ended === counts.planned ? [] : [`${formatDuration(pace.leftMs())} left`, `${formatNumber(perSecond)}/s`]),
      ].join('  '),
      style: colors.green,
    },
    { text: String(best) },
  ]
  const foot: Line[] = keys === '' ? [] : [{ text: keys, style: colors.dim }]
  let room = rows - head.length - foot.length

  const running = [...state.trials.values()].filter((trial) => trial.state === 'running')
  const shown = Math.min(running.length, 8, Math.max(1, Math.floor(room / 3)))
  const middle: Line[] = running.slice(0, shown).map((trial) => ({
    text: `  ${trial.trial.id.slice(0, 8)} ${describeRunning(trial, watched)}`,
  }))
  if (running.length > shown) middle.push({ text: `  and ${running.length - shown} more run`, style: colors.dim })
  for (const text of failures.slice(-Math.min(3, Math.floor(room / 6))).map((text) => ({ text, style: colors.red })))
    middle.push(text)
  room -= middle.length

  const preview = room < 7 ? [] : drawPreview(frame, columns, Math.min(room - 1, 24))
  const lines = [...head, ...middle, ...(preview.length === 0 ? [] : [{ text: '' }, ...preview]), ...foot]
  return lines.slice(0, rows).map(({ text, style }) => {
    const clipped = clip(text.split('\n', 1)[0]!, columns)
    return style === undefined ? clipped : style(clipped)
  })
}

function drawPreview({ watched, axis, metric, best }: WatchFrame, columns: number, rows: number): Line[] {
  if (axis === undefined) return []
  const trials = [...watched.state.trials.values()].filter(({ trial }) => Object.hasOwn(trial.params, axis))
  const values = [...new Set(trials.map(({ trial }) => lookUp(trial.params, axis)!))]
  // Numbers have a scale of their own; words get a place each, in the plan's order.
  const categories = values.every((value) => typeof value === 'number') ? undefined : values.map(String)
  const points = trials.flatMap((state) => {
    const y = isResult(state.outcome) ? lookUp(state.outcome.metrics, metric) : undefined
    const value = lookUp(state.trial.params, axis)!
    const x = categories === undefined ? (value as number) : categories.indexOf(String(value))
    return y === undefined ? [] : [{ state, x, y }]
  })
  return drawScatter(points, {
    width: Math.min(columns, 100),
    height: rows,
    xTitle: axis,
    yTitle: metric,
    ...(categories === undefined ? {} : { categories }),
    marked: points.find(({ state }) => best.has(state)),
  }).map((text) => ({ text, style: colors.cyan }))
}

function bar(share: number, width: number): string {
  const filled = Math.round(share * width)
  return '█'.repeat(filled) + '░'.repeat(width - filled)
}

function clip(text: string, width: number): string {
  const letters = [...text]
  return letters.length <= width ? text : `${letters.slice(0, Math.max(0, width - 1)).join('')}…`
}

/** A whole terminal of its own: what was there before comes back when it closes. */
export function openScreen(output: NodeJS.WriteStream): {
  show(lines: readonly string[]): void
  size(): { columns: number; rows: number }
  close(): void
} {
  let last = ''
  output.write('\x1b[?1049h\x1b[?25l')
  return {
    show(lines) {
      // Each line wipes its own rest, so that nothing flickers and nothing of a wider frame stays.
      const text = `\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`
      if (text === last) return
      last = text
      output.write(text)
    },
    size: () => ({ columns: output.columns || 80, rows: output.rows || 24 }),
    close: () => void output.write('\x1b[?25h\x1b[?1049l'),
  }
}
