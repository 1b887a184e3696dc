import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { drawFigure } from '../../src/figures/draw.js'
import { figureCsv } from '../../src/figures/figure-data.js'
import { ownFont, systemFont } from '../../src/figures/font.js'
import { parseWidthInches } from '../../src/figures/formats.js'
import { renderPdf } from '../../src/figures/pdf.js'
import { forPrint } from '../../src/figures/print.js'
import { renderPng, renderSvg, sizeOfSvg } from '../../src/figures/render.js'
import { scatter } from '../../src/figures/scatter.js'
import { readSaved } from '../helpers/figures.js'
import { kinds } from '../helpers/figure-kinds.js'
import { requireService } from '../helpers/services.js'

const readsPdf = requireService(
  'pdftotext',
  spawnSync('pdftotext', ['-v']).status === 0,
  'apt-get install poppler-utils',
)
const folder = mkdtempSync(join(tmpdir(), 'mlds-print-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.each(Object.entries(kinds))('in print a figure of kind %s', (kind, { figure, records, says }) => {
  const draw = async () => (await figure.draw(records, readSaved))!

  it.each([3.25, 6.75])('is %s inches wide with its labels, and says what it says on a screen', async (widthInches) => {
    const svg = await renderSvg(await forPrint(await draw(), { widthInches }))
    expect(Math.abs(sizeOfSvg(svg).width - widthInches * 96)).toBeLessThanOrEqual(2)
    const text = svg.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
    for (const word of says) expect(text).toContain(word)
  })

  it('has no title where none is asked for, and nothing but greys', async () => {
    const svg = await renderSvg(await forPrint(await draw(), { titled: false, grey: true }))
    expect(svg).not.toContain('role-title"')
    const colours = [...svg.matchAll(/(?:fill|stroke|stop-color)="(#[\da-f]{3,6}|rgb\([^)]*\))"/gi)].map(
      ([, one]) => one!,
    )
    const parts = (colour: string) =>
      colour.startsWith('#')
        ? colour.slice(1).match(colour.length === 4 ? /./g : /../g)!
        : colour.slice(4, -1).split(/,\s*/)
    expect(colours.filter((colour) => new Set(parts(colour)).size > 1)).toEqual([])
  })

  it('is a PDF of the same bytes each time, as wide as is asked for', async () => {
    const spec = await draw()
    const pdf = await renderPdf(spec, { widthPoints: 234 })
    expect(await renderPdf(spec, { widthPoints: 234 })).toEqual(pdf)
    expect(Buffer.from(pdf).toString('latin1')).toMatch(/\/MediaBox \[0 0 234 /)
  })

  it.skipIf(!readsPdf)('is a PDF whose words can be read', async () => {
    const file = join(folder, `${kind.replaceAll(' ', '-')}.pdf`)
    writeFileSync(file, await renderPdf(await draw()))
    const text = execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' })
    for (const word of says) expect(text.replaceAll(/\s+/g, ' ')).toContain(word)
  })

  it('has its rows as CSV', async () => {
    const [header, ...rows] = figureCsv(await draw())
      .trimEnd()
      .split('\r\n')
    expect(header!.split(',').length).toBeGreaterThan(1)
    expect(rows.length).toBeGreaterThan(0)
  })
})

describe('a figure in print', () => {
  it('keeps lines apart without colour: each has dashes and marks of its own', async () => {
    const { figure, records } = kinds['against-steps']!
    const svg = await renderSvg(await forPrint((await figure.draw(records, readSaved))!, { grey: true }))
    expect(svg).toContain('stroke-dasharray="6,3"')
  })

  it.each([0.5, 1, 3.25])('is exactly %s inches wide, whatever its labels ask for', async (widthInches) => {
    const { figure, records } = kinds['contour']!
    const drawn = await drawFigure(figure, records, readSaved, { widthInches })
    expect(sizeOfSvg((drawn as { svg: string }).svg).width).toBeCloseTo(widthInches * 96, 9)
  })

  it('labels each axis by its own values', async () => {
    const figure = scatter({
      name: 'far-apart',
      caption: '',
      title: () => 'far apart',
      select: (records) => records,
      x: { title: 'x', of: () => 1e-9 },
      y: { title: 'y', of: () => 7 },
    })
    const { encoding } = (await figure.draw(kinds['scatter']!.records, readSaved)) as {
      encoding: Record<'x' | 'y', { axis: { labelExpr: string } }>
    }
    expect(encoding.x.axis.labelExpr).toContain('~e')
    expect(encoding.y.axis.labelExpr).toBe("format(datum.value, '~g')")
  })

  it('is a PNG of 300 points an inch', async () => {
    const { figure, records } = kinds['scatter']!
    const svg = await renderSvg(await forPrint((await figure.draw(records, readSaved))!, { widthInches: 3.25 }))
    const png = Buffer.from(await renderPng(svg, { widthPixels: Math.round(3.25 * 300) }))
    expect(png.readUInt32BE(16)).toBe(975)
  })

  it.each([
    ['3.25in', 3.25],
    ['84mm', 84 / 25.4],
    ['8.4cm', 8.4 / 2.54],
    ['234pt', 3.25],
  ])('reads the width %s', (text, inches) => expect(parseWidthInches(text)).toBeCloseTo(inches, 12))

  it.each(['', '3.25', '0in', '41in', '-3in', '1e1in', '3 in', 'NaNin', '100px'])(
    'refuses the width %j in a sentence',
    (text) => expect(() => parseWidthInches(text)).toThrow(`width: ${text} is not one of print`),
  )

  it.each(['No Such Font', '', '--help', 'a:b', '\\'])(
    'refuses the font %j, which this system has not',
    async (family) => {
      await expect(systemFont(family)).rejects.toThrow(`font: ${family}: `)
    },
  )

  it('embeds the font that comes with mlds, regular and bold', () => {
    const { regular, bold } = ownFont()
    for (const file of [regular, bold]) expect(readFileSync(file).readUInt32BE(0)).toBe(0x00010000)
  })
})
