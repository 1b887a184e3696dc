/** A colour with its opacity, or a gradient: what a canvas fills and strokes with. */
type Paint = string | Gradient

/** A step of a path, in the page's coordinates. */
type Step = (doc: PDFKit.PDFDocument) => void

interface Stop {
  readonly offset: number
  readonly color: string
}

/** x' = a·x + c·y + e, y' = b·x + d·y + f. */
type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number]

/** `then` after `first`. */
function product(first: Matrix, [a, b, c, d, e, f]: Matrix): Matrix {
  const [A, B, C, D, E, F] = first
  return [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F]
}

/** A linear gradient in the page's coordinates. */
export class Gradient {
  readonly stops: Stop[] = []
  constructor(readonly ends: readonly [x1: number, y1: number, x2: number, y2: number]) {}

  addColorStop(offset: number, color: string): void {
    this.stops.push({ offset, color })
  }
}

/** What `save` keeps and `restore` brings back beside the clip. */
interface Style {
  matrix: Matrix
  fillStyle: Paint
  strokeStyle: Paint
  globalAlpha: number
  lineWidth: number
  lineCap: 'butt' | 'round' | 'square'
  lineJoin: 'miter' | 'round' | 'bevel'
  miterLimit: number
  lineDashOffset: number
  /** As in CSS: `bold 12px Family`. */
  font: string
  textAlign: 'left' | 'center' | 'right'
  dash: readonly number[]
}

const initial: Style = {
  matrix: [1, 0, 0, 1, 0, 0],
  fillStyle: '#000',
  strokeStyle: '#000',
  globalAlpha: 1,
  lineWidth: 1,
  lineCap: 'butt',
  lineJoin: 'miter',
  miterLimit: 10,
  lineDashOffset: 0,
  font: '11px sans-serif',
  textAlign: 'left',
  dash: [],
}

/** Names under which the document knows its regular and its bold font. */
export interface FontNames {
  readonly regular: string
  readonly bold: string
}

/**
 * The part of a canvas's 2D context that Vega draws marks with, writing to a PDF page instead: text stays text. A canvas
 * transforms a path's points as they come and keeps them until the next `beginPath`; a PDF takes no transform within a path
 * and forgets it when it is painted. So points are transformed here, and each painting writes them again.
 */
export class PdfContext implements Style {
  declare matrix: Matrix
  declare fillStyle: Paint
  declare strokeStyle: Paint
  declare globalAlpha: number
  declare lineWidth: number
  declare lineCap: Style['lineCap']
  declare lineJoin: Style['lineJoin']
  declare miterLimit: number
  declare lineDashOffset: number
  declare font: string
  declare textAlign: Style['textAlign']
  declare dash: readonly number[]

  #path: Step[] = []
  readonly #saved: Style[] = []

  constructor(
    private readonly doc: PDFKit.PDFDocument,
    private readonly fonts: FontNames,
  ) {
    Object.assign(this, initial)
  }

  save(): void {
    this.#saved.push(this.#style())
    this.doc.save()
  }

  restore(): void {
    Object.assign(this, this.#saved.pop() ?? initial)
    this.doc.restore()
  }

  translate(x: number, y: number): void {
    this.matrix = product(this.matrix, [1, 0, 0, 1, x, y])
  }

  scale(x: number, y: number): void {
    this.matrix = product(this.matrix, [x, 0, 0, y, 0, 0])
  }

  rotate(radians: number): void {
    const [cos, sin] = [Math.cos(radians), Math.sin(radians)]
    this.matrix = product(this.matrix, [cos, sin, -sin, cos, 0, 0])
  }

  setLineDash(dash: readonly number[]): void {
    this.dash = dash
  }

  beginPath(): void {
    this.#path = []
  }

  moveTo(x: number, y: number): void {
    const to = this.#place(x, y)
    this.#path.push((doc) => doc.moveTo(...to))
  }

  lineTo(x: number, y: number): void {
    if (this.#path.length === 0) return this.moveTo(x, y)
    const to = this.#place(x, y)
    this.#path.push((doc) => doc.lineTo(...to))
  }

  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    const [first, second, to] = [this.#place(x1, y1), this.#place(x2, y2), this.#place(x, y)]
    this.#path.push((doc) => doc.bezierCurveTo(...first, ...second, ...to))
  }

  quadraticCurveTo(x1: number, y1: number, x: number, y: number): void {
    const [control, to] = [this.#place(x1, y1), this.#place(x, y)]
    this.#path.push((doc) => doc.quadraticCurveTo(...control, ...to))
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.moveTo(x, y)
    this.lineTo(x + width, y)
    this.lineTo(x + width, y + height)
    this.lineTo(x, y + height)
    this.closePath()
  }

  closePath(): void {
    this.#path.push((doc) => doc.closePath())
  }

  /** Clockwise, in quarters of Bézier curves; a line leads to its start where a path is open. */
  arc(x: number, y: number, radius: number, from: number, to: number): void {
    const quarters = Math.max(1, Math.ceil(Math.abs(to - from) / (Math.PI / 2)))
    const angle = (to - from) / quarters
    const reach = (4 / 3) * Math.tan(angle / 4) * radius
    this.lineTo(x + radius * Math.cos(from), y + radius * Math.sin(from))
    for (let quarter = 0; quarter < quarters; quarter++) {
      const [a, b] = [from + quarter * angle, from + (quarter + 1) * angle]
      const [cosA, sinA, cosB, sinB] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)]
      const end = [x + radius * cosB, y + radius * sinB] as const
      this.bezierCurveTo(
        ...([x + radius * cosA - reach * sinA, y + radius * sinA + reach * cosA] as const),
        ...([end[0] + reach * sinB, end[1] - reach * cosB] as const),
        ...end,
      )
    }
  }

  fill(): void {
    this.#paint((doc) => {
      doc.fillColor(...this.#colour(this.fillStyle))
      this.#write()
      doc.fill()
    })
  }

  stroke(): void {
    this.#paint((doc) => {
      doc.strokeColor(...this.#colour(this.strokeStyle))
      doc.lineWidth(this.lineWidth).lineCap(this.lineCap).lineJoin(this.lineJoin).miterLimit(this.miterLimit)
      // A gap of 0 is a solid line, which pdfkit does not take for one.
      if (this.dash.length > 0 && !this.dash.includes(0))
        doc.dash([...this.dash] as never, { phase: this.lineDashOffset })
      this.#write()
      doc.stroke()
    })
  }

  clip(): void {
    this.#write()
    this.doc.clip()
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.beginPath()
    this.rect(x, y, width, height)
    this.fill()
  }

  fillText(text: string, x: number, y: number): void {
    const [, style = '', size = '11'] = /^(.*?)\b([\d.]+)px/.exec(this.font) ?? []
    this.#paint((doc) => {
      const isBold = /\b(bold|[6-9]00)\b/.test(style)
      doc.font(isBold ? this.fonts.bold : this.fonts.regular).fontSize(Number(size))
      doc.fillColor(...this.#colour(this.fillStyle))
      doc.transform(...this.matrix)
      const width = doc.widthOfString(text)
      const shift = this.textAlign === 'center' ? width / 2 : this.textAlign === 'right' ? width : 0
      doc.text(text, x - shift, y, { lineBreak: false, baseline: 'alphabetic' })
    })
  }

  createLinearGradient(x1: number, y1: number, x2: number, y2: number): Gradient {
    return new Gradient([...this.#place(x1, y1), ...this.#place(x2, y2)])
  }

  #place(x: number, y: number): readonly [number, number] {
    const [a, b, c, d, e, f] = this.matrix
    return [a * x + c * y + e, b * x + d * y + f]
  }

  #write(): void {
    for (const step of this.#path) step(this.doc)
  }

  /** Colours, dashes and opacities of a PDF hold until they are changed; here they end with the mark. */
  #paint(draw: Step): void {
    this.doc.save()
    draw(this.doc)
    this.doc.restore()
  }

  #colour(paint: Paint): [PDFKit.Mixins.ColorValue, number] {
    if (paint instanceof Gradient) {
      const gradient = this.doc.linearGradient(...paint.ends)
      for (const { offset, color } of paint.stops) gradient.stop(offset, parseColour(color)[0] as never)
      return [gradient, this.globalAlpha]
    }
    const [colour, opacity] = parseColour(paint)
    return [colour, opacity * this.globalAlpha]
  }

  #style(): Style {
    const { matrix, fillStyle, strokeStyle, globalAlpha, lineWidth, lineCap, lineJoin, miterLimit } = this
    const { lineDashOffset, font, textAlign, dash } = this
    return {
      ...{ matrix, fillStyle, strokeStyle, globalAlpha, lineWidth, lineCap, lineJoin, miterLimit },
      ...{ lineDashOffset, font, textAlign, dash },
    }
  }
}

/** `rgb(…)` and `rgba(…)` as three numbers up to 255 with an opacity; what pdfkit reads itself, names and `#…`, as it is. */
function parseColour(colour: string): [PDFKit.Mixins.ColorValue, opacity: number] {
  if (colour === 'transparent') return ['white', 0]
  const parts = /^rgba?\(([^)]*)\)$/.exec(colour)?.[1]?.split(/[\s,/]+/)
  if (parts === undefined) return [colour, 1]
  const [red, green, blue, opacity = 1] = parts.map(Number)
  return [[red!, green!, blue!], opacity]
}
