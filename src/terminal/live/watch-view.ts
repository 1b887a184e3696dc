import { isLogarithmic } from '../../core/is-logarithmic.js'
import { lookUp } from '../../core/names.js'
import { inheriting } from '../../core/setting.js'
import { writeValue } from '../../core/param-value.js'
import { isResult } from '../../sweeps/journal/state.js'
import { drawRunning, drawShare } from './frame.js'
import { drawScatter } from './scatter.js'
import type { Pace } from '../../app/pace.js'
import type { Best, Watched } from './standing.js'
import { colours, fitLine, paint, type Styled } from '../terminal.js'

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

/** A whole screen: never more lines than `rows`, none longer than `columns`. */
export function drawFrame(frame: WatchFrame, { columns, rows }: { columns: number; rows: number }): string[] {
  const { watched, pace, best, standing, failures, keys } = frame
  const drawn = (line: Styled): string => paint({ ...line, text: fitLine(line.text, columns) })
  const head = [
    drawn({ text: `${watched.info.sweep}  ${standing}`, style: colours.bold }),
    drawShare(watched, pace, columns),
    drawn({ text: String(best) }),
  ]
  const foot = keys === '' ? [] : [drawn({ text: keys, style: colours.dim })]
  let room = rows - head.length - foot.length
  const middle = [
    ...drawRunning(watched, Math.min(8, Math.max(1, Math.floor(room / 3))), columns),
    ...failures.slice(-Math.min(3, Math.floor(room / 6))).map((text) => drawn({ text, style: colours.red })),
  ]
  room -= middle.length
  const preview = room < 7 ? [] : drawPreview(frame, columns, Math.min(room - 1, 24))
  return [...head, ...middle, ...(preview.length === 0 ? [] : ['', ...preview.map(drawn)]), ...foot].slice(0, rows)
}

function drawPreview({ watched, axis, metric, best }: WatchFrame, columns: number, rows: number): Styled[] {
  if (axis === undefined) return []
  // What a later stage comes to is of the settings that it derives from.
  const trials = inheriting([...watched.state.trials.values()]).filter(({ trial }) => Object.hasOwn(trial.params, axis))
  const values = [...new Set(trials.map(({ trial }) => lookUp(trial.params, axis)!))]
  // Numbers have a scale of their own; words get a place each, in the plan's order.
  const categories = values.every((value) => typeof value === 'number')
    ? undefined
    : [...new Set(values.map(writeValue))]
  const isLog = (numbers: readonly number[]): boolean =>
    isLogarithmic(numbers) || (watched.logarithmic?.has(axis) === true && numbers.every((value) => value > 0))
  const points = trials.flatMap((state) => {
    const y = isResult(state.outcome) ? lookUp(state.outcome.metrics, metric) : undefined
    const value = lookUp(state.trial.params, axis)!
    const x = categories === undefined ? (value as number) : categories.indexOf(writeValue(value))
    return y === undefined ? [] : [{ state, x, y }]
  })
  return drawScatter(points, {
    width: Math.min(columns, 100),
    height: rows,
    xTitle: axis,
    yTitle: metric,
    ...(categories === undefined ? { xLogarithmic: isLog(values as number[]) } : { categories }),
    marked: points.find(({ state }) => best.has(state)),
  }).map((text) => ({ text, style: colours.cyan }))
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
