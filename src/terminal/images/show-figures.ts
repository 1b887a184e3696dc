import { systemClock } from '../../core/clock.js'
import { printableLine } from '../../core/printable.js'
import type { DrawnFigure } from '../../figures/draw.js'
import { renderBitmap, renderPng } from '../../figures/render.js'
import { askForImages, type ImageTerminal } from './ask-terminal.js'
import { itermImage, kittyImage, sixelImage } from './encode.js'
import { plainFigure } from './plain-figure.js'

/** A figure is no wider, however wide the terminal. */
const maxColumns = 100

/** Shows figures in this process's terminal: as images where it draws them, else, and where output goes to a file, as letters. */
export async function showFigures(figures: readonly DrawnFigure[]): Promise<void> {
  const { stdin: input, stdout: output, env: environment } = process
  const terminal = await askForImages({ input, output, environment, clock: systemClock })
  const columns = Math.min(maxColumns, output.columns || 80)
  for (const figure of figures) output.write(await shown(figure, columns, terminal))
}

/** A figure as a terminal takes it, under its caption. */
export async function shown(
  { name, caption, spec, svg }: DrawnFigure,
  columns: number,
  terminal: ImageTerminal | undefined,
): Promise<string> {
  if (terminal === undefined) {
    const lines = plainFigure(spec, columns)
    const text = lines.length === 0 ? ['(of no points that letters could show)', ''] : lines
    return [`${printableLine(name)}`, ...text].map((line) => `${printableLine(line).slice(0, columns)}\n`).join('')
  }
  const head = `${printableLine(caption)}\n`
  const widthPixels = Math.round(columns * (terminal.cell?.width ?? 8))
  if (terminal.protocol === 'sixel') return `${head}${sixelImage(await renderBitmap(svg, widthPixels))}\n`
  const png = await renderPng(svg, { widthPixels: Math.max(widthPixels, 800) })
  return `${head}${terminal.protocol === 'kitty' ? kittyImage(png, columns) : itermImage(png, columns)}\n`
}
