import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { SimulatedClock } from '../../../src/core/clock.js'
import { literal } from '../../../src/core/space.js'
import { defaultFigures } from '../../../src/figures/default-figures.js'
import { drawFigure, type DrawnFigure } from '../../../src/figures/draw.js'
import { askForImages, type AskedTerminal } from '../../../src/terminal/images/ask-terminal.js'
import { itermImage, kittyImage, sixelImage, type Bitmap } from '../../../src/terminal/images/encode.js'
import { plainFigure } from '../../../src/terminal/images/plain-figure.js'
import { shown } from '../../../src/terminal/images/show-figures.js'
import { finishedTrial, readSaved } from '../../helpers/figures.js'

/** A terminal that answers what it is asked with `answer`, piece by piece, or never. */
function terminal(answer: readonly string[], environment: NodeJS.ProcessEnv = { TERM: 'xterm-256color' }) {
  const clock = new SimulatedClock()
  const input = Object.assign(new PassThrough(), {
    ...{ isTTY: true, isRaw: false },
    setRawMode(raw: boolean) {
      input.isRaw = raw
      return input
    },
  })
  const written: string[] = []
  const output = {
    isTTY: true,
    write(text: string) {
      written.push(text)
      for (const piece of answer) input.write(piece)
      if (answer.length === 0) clock.advanceToNext()
      return true
    },
  }
  return { asked: { input, output, environment, clock } as unknown as AskedTerminal, input, written }
}

describe('a terminal that is asked for images', () => {
  it.each([
    [
      'Kitty',
      ['\x1b_Gi=31;OK\x1b\\', '\x1b[6;20;10t\x1b[?62;c'],
      { protocol: 'kitty', cell: { width: 10, height: 20 } },
    ],
    ['one with Sixel', ['\x1b[?62;4;', '22c'], { protocol: 'sixel' }],
    ['one of the class 64 without Sixel', ['\x1b[?64;1;2c'], undefined],
    ['one that answers nothing', [], undefined],
    ['one that answers rubbish', ['\x1b[6;0;0t', 'q'.repeat(10_000), '\x1b[?1;2c'], undefined],
  ])('is known by what it answers: %s', async (_, answer, expected) => {
    const { asked, input } = terminal(answer)
    expect(await askForImages(asked)).toEqual(expected)
    expect({ raw: input.isRaw, listeners: input.listenerCount('data') }).toEqual({ raw: false, listeners: 0 })
  })

  it('is iTerm2 by its environment, but not behind tmux', async () => {
    const environment = { TERM: 'xterm', TERM_PROGRAM: 'iTerm.app' }
    expect(await askForImages(terminal(['\x1b[?62c'], environment).asked)).toEqual({ protocol: 'iterm' })
    expect(await askForImages(terminal(['\x1b[?62c'], { ...environment, TMUX: '/tmp/t' }).asked)).toBeUndefined()
  })

  it.each([{ TERM: 'dumb' }, { TERM: 'xterm', NO_COLOR: '1' }])(
    'is asked nothing where it is to be plain: %j',
    async (environment) => {
      const { asked, written } = terminal(['\x1b_Gi=31;OK\x1b\\\x1b[?62c'], environment)
      expect(await askForImages(asked)).toBeUndefined()
      expect(written).toEqual([])
    },
  )
})

/** What a Sixel terminal would show: colours of pixels, from 0 to 100. */
function decodeSixel(text: string): Map<string, readonly number[]> {
  const body = /^\x1bP0;1q"1;1;\d+;\d+(.*)\x1b\\$/s.exec(text)![1]!
  const palette = new Map<number, readonly number[]>()
  const pixels = new Map<string, readonly number[]>()
  let [x, top, colour] = [0, 0, 0]
  for (const [token, number, r, g, b, count, letter] of body.matchAll(
    /#(\d+)(?:;2;(\d+);(\d+);(\d+))?|(?:!(\d+))?([?-~])|[$-]/g,
  )) {
    if (token === '$') x = 0
    else if (token === '-') [x, top] = [0, top + 6]
    else if (letter !== undefined)
      for (let n = Number(count ?? 1); n > 0; n--, x++)
        for (let row = 0; row < 6; row++)
          if (((letter.charCodeAt(0) - 63) >> row) & 1) pixels.set(`${x},${top + row}`, palette.get(colour)!)
          else continue
    else {
      colour = Number(number)
      if (r !== undefined) palette.set(colour, [r, g, b].map(Number))
    }
  }
  return pixels
}

describe('an image for a terminal', () => {
  const png = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 31) % 256)

  it('comes whole through Kitty’s messages, of 4096 letters each, and through iTerm’s', () => {
    const parts = [...kittyImage(png, 60).matchAll(/\x1b_G([^;]*);([^\x1b]*)\x1b\\/g)]
    expect(parts.map(([, keys]) => keys)).toEqual(['a=T,f=100,q=2,c=60,m=1', 'm=1', 'm=1', 'm=0'])
    expect(parts.every(([, , text]) => text!.length <= 4096)).toBe(true)
    expect(Buffer.from(parts.map(([, , text]) => text).join(''), 'base64')).toEqual(Buffer.from(png))
    const [, keys, text] = /^\x1b\]1337;File=([^:]*):([^\x07]*)\x07$/.exec(itermImage(png, 60))!
    expect(keys).toBe('inline=1;size=10000;width=60;preserveAspectRatio=1')
    expect(Buffer.from(text!, 'base64')).toEqual(Buffer.from(png))
  })

  it('as Sixel has every pixel, in a colour at most a tenth from its own', () => {
    const [width, height] = [17, 14]
    const pixels = Uint8Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : (i * 37) % 256))
    const bitmap: Bitmap = { width, height, pixels }
    const decoded = decodeSixel(sixelImage(bitmap))
    expect(decoded.size).toBe(width * height)
    for (const [place, colour] of decoded) {
      const [x, y] = place.split(',').map(Number) as [number, number]
      const own = [...pixels.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)].map((value) => (100 * value) / 255)
      for (const [i, value] of own.entries()) expect(Math.abs(value - colour[i]!)).toBeLessThanOrEqual(10.5)
    }
  })
})

describe('a figure in a terminal', async () => {
  const trials = [1e-3, 1e-2, 1e-1].flatMap((lr, i) =>
    ['relu', 'tanh'].map((act, j) =>
      finishedTrial({ id: `${i}${j}`, params: { lr, act: `${act}\x1b[31m` }, metrics: { loss: 1 + i + 10 * j } }),
    ),
  )
  const space = { lr: literal({ default: 0 }), act: literal({ default: '' }) }
  const drawn: DrawnFigure[] = []
  for (const { name, caption, ...figure } of defaultFigures([{ name: 'main', space }], { metric: 'loss' })) {
    const one = await drawFigure({ name, caption, ...figure }, trials, readSaved)
    if (one !== undefined && 'spec' in one) drawn.push({ name, caption, ...one })
  }

  it.each([40, 80])('without images is letters, no wider than its %i columns', async (columns) => {
    expect(drawn.map(({ name }) => name)).toEqual(['result-against-lr', 'result-against-act'])
    for (const figure of drawn) {
      const text = await shown(figure, columns, undefined)
      expect(text).toContain('loss')
      expect(text).toMatch(/[\u2801-\u28ff]/)
      expect(text).not.toContain('\x1b')
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
    }
    expect(await shown(drawn[0]!, columns, undefined)).toContain('lr (log)')
  })

  it.each(['kitty', 'iterm', 'sixel'] as const)('of %s is an image under its caption', async (protocol) => {
    const text = await shown(drawn[0]!, 60, { protocol, cell: { width: 9, height: 18 } })
    expect(text.startsWith(drawn[0]!.caption)).toBe(true)
    expect(text).toContain({ kitty: '\x1b_Ga=T', iterm: '\x1b]1337;File=', sixel: '\x1bP0;1q"1;1;540;' }[protocol])
  })

  it('as letters reaches over all that the figure draws, not over what it draws last alone', async () => {
    const space = { width: literal({ default: 1 }) }
    const crowd = Array.from({ length: 20 }, (_, i) =>
      finishedTrial({
        id: String(i),
        params: { width: i },
        series: { loss: { steps: [1, 50, 100], values: [9, 4, 1 + i / 40] } },
      }),
    )
    const course = defaultFigures([{ name: 'main', space }], { metric: 'loss' }).find(({ name }) => name === 'course')!
    const lines = plainFigure((await course.draw(crowd, readSaved))!, 60)
    expect(lines.join('\n')).toMatch(/9 ┤/)
    expect(lines.find((line) => line.includes('step'))).toMatch(/^ *1 +step +100$/)
  })
})
