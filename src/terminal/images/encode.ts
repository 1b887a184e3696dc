/** Bytes of base64 in one of Kitty's messages. */
const kittyChunk = 4_096

/** A PNG by Kitty's graphics protocol, so many columns wide; the terminal keeps its proportions. */
export function kittyImage(png: Uint8Array, columns: number): string {
  const text = Buffer.from(png).toString('base64')
  const chunks = Array.from({ length: Math.ceil(text.length / kittyChunk) }, (_, i) =>
    text.slice(i * kittyChunk, (i + 1) * kittyChunk),
  )
  return chunks
    .map((chunk, i) => {
      const more = i < chunks.length - 1 ? 1 : 0
      const keys = i === 0 ? `a=T,f=100,q=2,c=${columns},m=${more}` : `m=${more}`
      return `\x1b_G${keys};${chunk}\x1b\\`
    })
    .join('')
}

/** A PNG by iTerm2's inline images, so many columns wide. */
export function itermImage(png: Uint8Array, columns: number): string {
  const keys = `inline=1;size=${png.length};width=${columns};preserveAspectRatio=1`
  return `\x1b]1337;File=${keys}:${Buffer.from(png).toString('base64')}\x07`
}

/** Pixels in rows from the top, four bytes each: red, green, blue, opacity. */
export interface Bitmap {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** Levels of red, green and blue: 252 colours, where a terminal has 256. */
const levels = [6, 7, 6] as const

/** A bitmap as Sixel (DEC STD 070): bands of six rows, in each the colours that it has, runs shortened. */
export function sixelImage({ width, height, pixels }: Bitmap): string {
  const colours = colourIndexes(pixels)
  const used = [...new Set(colours)].sort((a, b) => a - b)
  const palette = used.map((colour) => `#${colour};2;${percentages(colour).join(';')}`).join('')
  const bands: string[] = []
  for (let top = 0; top < height; top += 6) {
    const rows = Math.min(6, height - top)
    const inBand = new Map<number, Uint8Array>()
    for (let row = 0; row < rows; row++)
      for (let x = 0; x < width; x++) {
        const colour = colours[(top + row) * width + x]!
        const cells = inBand.get(colour) ?? new Uint8Array(width)
        inBand.set(colour, cells)
        cells[x]! |= 1 << row
      }
    bands.push([...inBand].map(([colour, cells]) => `#${colour}${runs(cells)}`).join('$'))
  }
  return `\x1bP0;1q"1;1;${width};${height}${palette}${bands.join('-')}\x1b\\`
}

/** Of each pixel on white the nearest colour's number. */
function colourIndexes(pixels: Uint8Array): Uint8Array {
  const indexes = new Uint8Array(pixels.length / 4)
  for (let i = 0; i < indexes.length; i++) {
    const opacity = pixels[4 * i + 3]! / 255
    let index = 0
    for (const [channel, count] of levels.entries()) {
      const value = pixels[4 * i + channel]! * opacity + 255 * (1 - opacity)
      index = index * count + Math.round((value / 255) * (count - 1))
    }
    indexes[i] = index
  }
  return indexes
}

/** A colour as Sixel states it, from 0 to 100 each. */
function percentages(colour: number): number[] {
  const [, green, blue] = levels
  const parts = [Math.floor(colour / (green * blue)), Math.floor(colour / blue) % green, colour % blue]
  return parts.map((part, i) => Math.round((100 * part) / (levels[i]! - 1)))
}

/** Six pixels a letter; four and more alike are a count and one of them. */
function runs(cells: Uint8Array): string {
  let text = ''
  for (let from = 0; from < cells.length;) {
    let to = from + 1
    while (to < cells.length && cells[to] === cells[from]) to++
    const letter = String.fromCharCode(63 + cells[from]!)
    text += to - from > 3 ? `!${to - from}${letter}` : letter.repeat(to - from)
    from = to
  }
  return text
}
