import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openPlainProgress, openProgress, type ProgressOptions } from '../../../src/terminal/live/progress.js'
import { canRedraw, fitLine, widthOf } from '../../../src/terminal/terminal.js'
import { SimulatedClock } from '../../../src/core/clock.js'
import { formatSetting } from '../../../src/core/format.js'
import { describeSeeds, makePlan } from '../../../src/sweeps/plan.js'
import { SweepState } from '../../../src/sweeps/journal/state.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { plainExperiment } from '../../helpers/experiments.js'

/** A terminal of that width, or a file, that keeps what is written. */
function outputOf(columns: number, isTTY = true): { output: NodeJS.WriteStream; written: string[] } {
  const written: string[] = []
  const output = { isTTY, columns, rows: 60, write: (text: string) => written.push(text) > 0 }
  return { output: output as unknown as NodeJS.WriteStream, written }
}

function toySweep(output: NodeJS.WriteStream): ProgressOptions & { readonly clock: SimulatedClock } {
  const axes = { width: [1, 2, 4], kind: ['plain', 'fancy'] }
  const plan = makePlan(plainExperiment(), { experiment: 'toy', axes, seeds: [0, 1] }, () => '')
  return {
    info: { sweep: '長い名前の掃引-of-a-long-name', objective: { metric: 'train/loss', direction: 'minimize' } },
    state: new SweepState(plan.trials),
    clock: new SimulatedClock(),
    axes: ['width', 'kind'],
    describeSeeds,
    reword: (text) => text,
    workers: 12,
    output,
  }
}

beforeEach(() => {
  vi.stubEnv('TERM', 'xterm-256color')
  vi.stubEnv('NO_COLOR', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

type End = 'planned' | 'running' | 'finished' | 'failed' | 'diverged'
const outcomes: readonly End[] = ['planned', 'running', 'finished', 'failed', 'diverged']

/** Takes every trial of a sweep as far as is said, telling the view. */
function play(sweep: ReturnType<typeof toySweep>, wanted: readonly End[], loss: number): void {
  const view = openProgress(sweep)
  const tell = (event: Parameters<typeof view.onEvent>[0]): void => {
    sweep.state.apply(event)
    view.onEvent(event)
    sweep.clock.advance(400)
  }
  ;[...sweep.state.trials.keys()].forEach((trial, i) => {
    const facts = { trial, attempt: 1, atMs: i }
    const state = wanted[i]!
    if (state === 'planned') return
    tell({ type: 'started', ...facts, worker: 'w' })
    tell({ type: 'report', ...facts, step: 1, metrics: { 'train/loss': loss, 精度: loss } })
    if (state === 'finished')
      tell({ type: 'ended', ...facts, outcome: { state, metrics: { 'train/loss': loss }, artifacts: {} } })
    if (state === 'failed')
      tell({ type: 'ended', ...facts, outcome: { state, error: { name: 'Error', message: 'no' } } })
    if (state === 'diverged')
      tell({ type: 'ended', ...facts, outcome: { state, metric: 'train/loss', value: 'NaN', step: 1 } as never })
  })
  view.close()
}

describe('the live view of mlds sweep', () => {
  it('fits any width, whatever the sweep holds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 160 }),
        fc.array(fc.constantFrom<End>(...outcomes), { minLength: 12, maxLength: 12 }),
        fc.double(),
        (columns, states, loss) => {
          const { output, written } = outputOf(columns)
          play(toySweep(output), states, loss)
          const lines = stripVTControlCharacters(written.join('')).split('\n')
          // A failure's lines stay, and so does the last, the best: those are for reading and copying whole.
          const last = lines.findLastIndex((line) => line.startsWith('best'))
          const cut = lines.filter((line, i) => i !== last && !/^failed: |^diverged: |^ {4}log: /.test(line))
          for (const line of cut) expect(widthOf(line), line).toBeLessThanOrEqual(columns)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('leaves the best whole on the screen, however narrow that is: a number cut short is another number', () => {
    for (const columns of [1, 12, 30, 40, 200]) {
      const { output, written } = outputOf(columns)
      play(
        toySweep(output),
        Array.from({ length: 12 }, () => 'finished'),
        1.25e-4,
      )
      const lines = stripVTControlCharacters(written.join('')).trimEnd().split('\n')
      expect(lines.at(-1)).toBe(
        'best by the mean over 2 seeds: width=1 kind=plain, train/loss 1.25e-4, standard deviation 0 (tied with 5 other points)',
      )
    }
  })

  it('leaves out the bar first, then what matters least, where the terminal is narrow', () => {
    const frames = [120, 60, 40, 12].map((columns) => {
      const { output, written } = outputOf(columns)
      const states = Array.from({ length: 12 }, (_, i) => (i < 2 ? 'finished' : i === 2 ? 'failed' : 'planned'))
      play(toySweep(output), states, 0.5)
      return stripVTControlCharacters(written.join(''))
        .split('\n')
        .findLast((line) => /\d\/12/.test(line))
    })
    expect(frames).toEqual([
      '██████░░░░░░░░░░░░░░░░░░  3/12  1 failed  3.6 s gone  30.0 s left  0.8333/s',
      '██░░░░░░░  3/12  1 failed  3.6 s gone  30.0 s left  0.8333/s',
      '3/12  1 failed  3.6 s gone  30.0 s left',
      '3/12',
    ])
  })

  it('says nothing of the time left where it is unknown or over', () => {
    const { output, written } = outputOf(120)
    play(
      toySweep(output),
      Array.from({ length: 12 }, (): End => 'finished'),
      0.5,
    )
    expect(written.join('')).not.toMatch(/unknown|0 ms left/)
    expect(written.join('')).toMatch(/\d s left/)
  })
})

describe('an output that is no terminal to draw on', () => {
  it.each([
    ['a file', false, { TERM: 'xterm' }],
    ['a terminal that is dumb', true, { TERM: 'dumb' }],
    ['a terminal with NO_COLOR', true, { TERM: 'xterm', NO_COLOR: '1' }],
  ])('gets plain lines: %s', (_, isTTY, environment) => {
    expect(canRedraw({ isTTY }, environment)).toBe(false)
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    const { output, written } = outputOf(80, isTTY)
    play(toySweep(output), outcomes.flatMap((state) => [state, state]).concat('finished', 'finished'), 0.5)
    expect(written.join('')).not.toContain('\x1b')
    expect(written.length).toBeGreaterThan(5)
  })

  it('is a terminal again with an ordinary TERM', () => {
    expect(canRedraw({ isTTY: true }, { TERM: 'xterm', NO_COLOR: '' })).toBe(true)
  })

  const run = join(import.meta.dirname, '..', '..', '..', 'bin', 'run.js')
  it.each([
    ['TERM=dumb', { TERM: 'dumb' }],
    ['NO_COLOR', { TERM: 'xterm', NO_COLOR: '1' }],
  ])('gets no escape sequence at all from a sweep, a watch or an error with %s', async (_, environment) => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'mine.ts'),
      `import { defineExperiment, number } from 'mlds'
       export default defineExperiment({ space: { x: number({ default: 0 }) }, run: async ({ x }) => ({ loss: x }) })`,
    )
    const { PATH, HOME } = process.env
    const commands = ['sweep mine.ts --set x=1..3 --workers 1', 'watch', 'sweep --help', 'status nowhere', 'true']
    const script = commands
      .map((command) => (command === 'true' ? command : `${process.execPath} ${run} ${command}`))
      .join('; ')
    // `script` gives its command a real terminal.
    const { stdout } = await promisify(execFile)('script', ['-qec', script, '/dev/null'], {
      cwd,
      env: { PATH, HOME, ...environment },
    })
    expect(stdout).toMatch(/3\/3 /)
    expect(stdout).toMatch(/nowhere/)
    expect(stdout).not.toContain('\x1b')
  })
})

describe('a line for a terminal', () => {
  it('is cut by columns, not by letters, and a control character moves nothing', () => {
    expect(fitLine('漢字の名前', 5)).toBe('漢字…')
    expect(fitLine('漢字の名前', 10)).toBe('漢字の名前')
    expect(fitLine('a\tb\x1b[2J', 40)).toBe('a\\x09b\\x1b[2J')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 30 }), (text, columns) => {
        expect(widthOf(fitLine(text, columns))).toBeLessThanOrEqual(columns)
      }),
    )
  })
})

describe('a setting in a view', () => {
  it.each([
    [0.0251188643151, '0.0251'],
    [0.00063095734448, '6.31e-4'],
    [1234567.891, '1.23e+6'],
    [0.1234, '0.1234'],
    [0.3, '0.3'],
    [0.1 + 0.2, '0.3'],
    [60000, '60000'],
    [1e21, '1e+21'],
    ['relu', 'relu'],
    [true, 'true'],
    [undefined, ''],
  ])('%s is %s', (value, text) => {
    expect(formatSetting(value)).toBe(text)
  })
})

describe('plain lines', () => {
  it('tell no time left before any work is done, nor of less than a millisecond', () => {
    const { output, written } = outputOf(80, false)
    const sweep = toySweep(output)
    const view = openPlainProgress(sweep)
    const [trial] = [...sweep.state.trials.keys()]
    const facts = { trial: trial!, attempt: 1, atMs: 0 }
    const ended = { type: 'ended', ...facts, outcome: { state: 'finished', metrics: {}, artifacts: {} } } as const
    sweep.state.apply({ type: 'started', ...facts, worker: 'w' })
    sweep.state.apply(ended)
    view.onEvent(ended)
    expect(written.join('')).toMatch(/1\/12/)
    expect(written.join('')).not.toMatch(/left/)
  })
})

describe('the plain view', () => {
  it('looks at one trial alone when one ends: all of them at each end would be a square', () => {
    const { output, written } = outputOf(80, false)
    const sweep = toySweep(output)
    const view = openPlainProgress(sweep)
    vi.spyOn(sweep.state, 'counts').mockImplementation(() => {
      throw new Error('every trial was counted')
    })
    for (const trial of sweep.state.trials.keys())
      for (const event of [
        { type: 'started', trial, attempt: 1, atMs: 1, worker: 'w' },
        { type: 'ended', trial, attempt: 1, atMs: 2, outcome: { state: 'finished', metrics: {}, artifacts: {} } },
      ] as const) {
        sweep.state.apply(event)
        view.onEvent(event)
      }
    expect(written.at(-1)).toContain('12/12')
  })
})
