import { Random } from '../core/seed.js'

const side = 28
const classes = 10

/**
 * A synthetic ten-class set of 28×28 images for tests and scale: each class is a handful of strokes, each row draws
 * them shifted, turned, scaled and speckled. Learnable, not trivial, and the same everywhere for the same size.
 */
export function drawGlyphs(rows: number): { features: Float32Array; labels: Int32Array } {
  const prototypes = Array.from({ length: classes }, (_, label) => strokesOf(label))
  const features = new Float32Array(new SharedArrayBuffer(rows * side * side * 4))
  const labels = new Int32Array(new SharedArrayBuffer(rows * 4))
  const random = new Random(0, 'glyphs', 'rows')
  for (let row = 0; row < rows; row++) {
    const label = row % classes
    labels[row] = label
    drawRow(features.subarray(row * side * side, (row + 1) * side * side), prototypes[label]!, random)
  }
  return { features, labels }
}

type Stroke = readonly [x0: number, y0: number, x1: number, y1: number]

/** Four strokes between points of the unit square around 0. */
function strokesOf(label: number): Stroke[] {
  const random = new Random(0, 'glyphs', 'class', label)
  const point = (): number => random.uniform() * 1.4 - 0.7
  return Array.from({ length: 4 }, () => [point(), point(), point(), point()] as const)
}

function drawRow(pixels: Float32Array, strokes: readonly Stroke[], random: Random): void {
  const angle = (random.uniform() - 0.5) * 0.5
  const scale = 9 + 3 * random.uniform()
  const [dx, dy] = [side / 2 + random.normal(), side / 2 + random.normal()]
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale]
  const steps = 24
  for (const [x0, y0, x1, y1] of strokes) {
    for (let i = 0; i <= steps; i++) {
      const x = x0 + ((x1 - x0) * i) / steps
      const y = y0 + ((y1 - y0) * i) / steps
      blot(pixels, cos * x - sin * y + dx, sin * x + cos * y + dy)
    }
  }
  for (let i = 0; i < pixels.length; i++) {
    // Whole 256ths keep the set exact in eight bits.
    pixels[i] = Math.round(255 * Math.min(1, Math.max(0, pixels[i]! + 0.08 * random.normal()))) / 255
  }
}

/** Darkens the four pixels around a point, the nearer the more. */
function blot(pixels: Float32Array, x: number, y: number): void {
  const [column, row] = [Math.floor(x), Math.floor(y)]
  for (const [i, wy] of [
    [row, 1 - (y - row)],
    [row + 1, y - row],
  ] as const) {
    for (const [j, wx] of [
      [column, 1 - (x - column)],
      [column + 1, x - column],
    ] as const) {
      if (i < 0 || j < 0 || i >= side || j >= side) continue
      const at = i * side + j
      pixels[at] = Math.min(1, pixels[at]! + wx * wy * 0.6)
    }
  }
}
