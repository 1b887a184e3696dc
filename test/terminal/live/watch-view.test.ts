import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { drawScatter } from '../../../src/terminal/live/scatter.js'
import { isLogarithmic } from '../../../src/core/is-logarithmic.js'
import { Pace } from '../../../src/app/pace.js'
import { Best, type Watched } from '../../../src/terminal/live/standing.js'
import { widthOf } from '../../../src/terminal/terminal.js'
import { drawFrame } from '../../../src/terminal/live/watch-view.js'
import { SimulatedClock } from '../../../src/core/clock.js'
import { describeSeeds, makePlan } from '../../../src/sweeps/plan.js'
import { SweepState } from '../../../src/sweeps/journal/state.js'
import type { Metrics, Trial } from '../../../src/core/trial.js'
import { plainExperiment } from '../../helpers/experiments.js'

const titles = { xTitle: 'rate', yTitle: 'loss' }

describe('a scatter in text', () => {
  it('puts the least at the bottom left and the greatest at the top right, and writes both ends', () => {
    const lines = drawScatter(
      [
        { x: 0, y: 0 },
        { x: 10, y: 5 },
      ],
      { width: 20, height: 6, ...titles },
    )
    expect(lines).toEqual([
      '   loss',
      '5 ┤                ⠈',
      '  ┤',
      '0 ┤⡀',
      '  └─────────────────',
      '   0     rate     10',
    ])
  })

  it('is logarithmic, and says so, where positive values span more than fiftyfold', () => {
    const lines = drawScatter(
      [1, 10, 100].map((x) => ({ x, y: 1 })),
      { width: 26, height: 4, ...titles },
    )
    expect(lines.at(-1)).toMatch(/1 +rate \(log\) +100/)
    // Equal steps in the logarithm: the middle point is in the middle.
    const places = [...lines[1]!].flatMap((letter, i) => (letter > '\u2800' && letter <= '\u28ff' ? [i] : []))
    expect(Math.abs(places[1]! - (places[0]! + places[2]!) / 2)).toBeLessThanOrEqual(1)
  })

  it.each([
    ['a logspace', [1e-4, 0.00063095734448, 0.00398107170553, 0.0251188643151, 0.158489319246, 1], true],
    ['powers of two', [8, 16, 32, 64, 128], true],
    ['drawn from wide bounds', [0.0007, 0.011, 0.02, 0.9], true],
    ['two far apart', [0.001, 1], true],
    ['a linspace over a hundredfold', [1, 26, 51, 76, 101], false],
    ['a few neighbours', [1, 2, 4], false],
    ['with a zero', [0, 0.001, 1], false],
    ['with one below zero', [-1, 1, 100], false],
    ['one value', [5, 5], false],
    ['nothing', [], false],
  ])('takes values for logarithmic where they were spaced so: %s', (_, values, expected) => {
    expect(isLogarithmic(values)).toBe(expected)
  })

  it('goes by what its axis was planned to be, not by the few points that are there', () => {
    const lines = drawScatter(
      [1, 3].map((x) => ({ x, y: 1 })),
      { width: 26, height: 4, ...titles, xLogarithmic: true },
    )
    expect(lines.at(-1)).toMatch(/rate \(log\)/)
  })

  it('gives words a place each, and marks the point it is told to', () => {
    const lines = drawScatter(
      [
        { x: 0, y: 1 },
        { x: 1, y: 2 },
      ],
      { width: 30, height: 6, ...titles, categories: ['sgd', 'adam'], marked: { x: 1, y: 2 } },
    )
    expect(lines[1]!.at(-1)).toBe('◆')
    expect(lines.at(-1)).toMatch(/sgd +rate +adam/)
  })

  it('shows nothing of points that are no numbers, or where there is no room', () => {
    expect(drawScatter([{ x: NaN, y: 1 }], { width: 40, height: 10, ...titles })).toEqual([])
    expect(drawScatter([{ x: 1, y: 1 }], { width: 6, height: 2, ...titles })).toEqual([])
  })
})

describe('a frame of mlds watch', () => {
  it('fits any terminal, whatever the sweep holds', () => {
    const plan = makePlan(
      plainExperiment(),
      { experiment: 'toy', axes: { width: [1, 2, 4], kind: ['plain', 'fancy'] }, seeds: [0, 1] },
      () => '',
    )
    const outcome = fc.constantFrom('planned', 'running', 'finished', 'failed')
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 60 }),
        fc.array(outcome, { minLength: 12, maxLength: 12 }),
        fc.constantFrom('width', 'kind', undefined),
        fc.double({ noNaN: false }),
        (columns, rows, states, axis, loss) => {
          const state = new SweepState(plan.trials)
          plan.trials.forEach(({ id }, i) => {
            const facts = { trial: id, attempt: 1, atMs: i }
            if (states[i] === 'planned') return
            state.apply({ type: 'started', ...facts, worker: 'w' })
            state.apply({ type: 'report', ...facts, step: 1, metrics: { 'train/loss': loss } })
            if (states[i] === 'running') return
            state.apply({
              type: 'ended',
              ...facts,
              outcome:
                states[i] === 'failed'
                  ? { state: 'failed', error: { name: 'Error', message: 'a\nlong\nstory' } }
                  : { state: 'finished', metrics: { 'train/loss': loss * i }, artifacts: {} },
            })
          })
          const watched: Watched = {
            info: { sweep: 'toy', objective: { metric: 'train/loss', direction: 'minimize' } },
            state,
            clock: new SimulatedClock(),
            axes: ['width', 'kind'],
            describeSeeds,
            reword: (text) => text,
          }
          const lines = drawFrame(
            {
              watched,
              pace: new Pace(watched),
              best: new Best(watched),
              axis,
              metric: 'train/loss',
              standing: 'run by process 1',
              failures: states.filter((s) => s === 'failed').map(() => 'failed: a\n  log: b'),
              keys: 'q stops watching',
            },
            { columns, rows },
          )
          expect(lines.length).toBeLessThanOrEqual(rows)
          for (const line of lines) {
            expect(widthOf(stripVTControlCharacters(line))).toBeLessThanOrEqual(columns)
            expect(line).not.toContain('\n')
          }
        },
      ),
    )
  })

  it('draws an axis that is searched evenly in its logarithm so, and what derives from a setting over that setting', () => {
    const net = (width: number): Trial => ({
      ...{ id: `net-${width}`, index: width, experiment: 'e', version: 1, stage: 'main', params: { width } },
      ...{ seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 }, parents: [], cost: 1 },
    })
    const probe = (width: number): Trial => ({
      ...{ ...net(width), id: `probe-${width}`, stage: 'probe', params: {}, parents: [`net-${width}`] },
    })
    const widths = [10, 20, 30]
    const state = new SweepState([...widths.map(net), ...widths.map(probe)])
    for (const width of widths) {
      const facts = { attempt: 1, atMs: 0 }
      const outcome = (metrics: Metrics) => ({ state: 'finished', metrics, artifacts: {} }) as const
      for (const [trial, metrics] of [
        [`net-${width}`, {}],
        [`probe-${width}`, { loss: width }],
      ] as const) {
        state.apply({ type: 'started', trial, ...facts, worker: 'w' })
        state.apply({ type: 'ended', trial, ...facts, outcome: outcome(metrics) })
      }
    }
    const watched: Watched = {
      info: { sweep: 'toy', objective: { metric: 'loss', direction: 'minimize' } },
      ...{ state, clock: new SimulatedClock(), axes: ['width'], describeSeeds, reword: (text) => text },
      logarithmic: new Set(['width']),
    }
    const frame = { watched, pace: new Pace(watched), best: new Best(watched), axis: 'width', metric: 'loss' }
    const lines = drawFrame({ ...frame, standing: '', failures: [], keys: '' }, { columns: 40, rows: 20 })
    const text = lines.map(stripVTControlCharacters).join('\n')
    expect(text).toMatch(/10 +width \(log\) +30/)
    expect(text.match(/[\u2801-\u28ff◆]/g)).toHaveLength(3)
  })
})
