import { eastAsianWidth } from 'get-east-asian-width'
import colors from 'picocolors'
import { printableLine } from '../core/printable.js'

/**
 * Whether lines of an output may be drawn over: it is a terminal that obeys escape sequences, and nobody asked for plain
 * text by `TERM=dumb` or `NO_COLOR`.
 */
export function canRedraw(output: { readonly isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): boolean {
  return output.isTTY === true && environment['TERM'] !== 'dumb' && (environment['NO_COLOR'] ?? '') === ''
}

/** Colours for what is printed: none where lines can't be drawn over, unless `FORCE_COLOR` asks for them. */
export const colours = colors.createColors(
  colors.isColorSupported && (canRedraw(process.stdout) || process.env['FORCE_COLOR'] !== undefined),
)

/** A text in one colour, or in the terminal's own. */
export interface Styled {
  readonly text: string
  readonly style?: ((text: string) => string) | undefined
}

export const paint = ({ text, style }: Styled): string => (style === undefined ? text : style(text))

/** How many columns a terminal needs for a text, at most: marks above a letter are counted as letters. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of text) width += eastAsianWidth(letter.codePointAt(0)!)
  return width
}

/** The first line of a text in at most that many columns; `…` stands for what was cut off. */
export function fitLine(text: string, columns: number): string {
  const line = printableLine(text.split('\n', 1)[0]!)
  if (widthOf(line) <= columns) return line
  let [fitting, width] = ['', 0]
  for (const letter of line) {
    width += widthOf(letter)
    if (width > columns - 1) break
    fitting += letter
  }
  return columns < 1 ? '' : `${fitting}…`
}

/** Texts beside each other in at most that many columns: the last ones are left out where there is no room. */
export function fitTexts(texts: readonly Styled[], columns: number): string {
  let [line, width] = ['', 0]
  for (const { text, style } of texts) {
    const gap = line === '' ? '' : '  '
    width += gap.length + widthOf(text)
    if (width > columns) return line === '' ? paint({ text: fitLine(text, columns), style }) : line
    line += gap + paint({ text, style })
  }
  return line
}
