import { describe, expect, it } from 'vitest'
import { bandOf, smoothed } from '../../src/dashboard/page/band.js'
import { readFilter, writeChoice, writeRange } from '../../src/dashboard/page/filter.js'
import { shortLines } from '../../src/dashboard/page/format.js'
import { SweepModel } from '../../src/dashboard/page/model.js'
import { makeScale, suggestKind } from '../../src/dashboard/page/scale.js'
import { inOrder } from '../../src/dashboard/page/order.js'
import type { RowCells, Snapshot } from '../../src/dashboard/wire.js'

const widths = [4, 16, 64, 256]
const snapshot: Snapshot = {
  sweep: 's',
  ...{ title: '', question: '', objective: { metric: 'test/loss', direction: 'minimize' }, stages: ['main'] },
  axes: ['width', 'optimizer', 'in'],
  seeds: ['seed'],
  fixed: {},
  trials: widths.map((width, i) => [`t${i}`, 0, [width, i % 2 === 0 ? 'adam' : 'it"s', true], [i]]),
  metrics: ['test/loss'],
  rows: widths.map((width, i): RowCells => [
    ...([i, i === 3 ? 'failed' : 'finished', 1, 0, 1_500, 0, 'w', 3, 3, i === 3 ? 'no memory' : null] as const),
    [i === 3 ? null : i === 2 ? 'NaN' : 1 / width],
  ]),
}
const model = new SweepModel(snapshot)
const passing = (text: string): string[] => model.rows.filter(readFilter(text, model.columns())).map(({ id }) => id)

describe('a filter', () => {
  it.each([
    ['', ['t0', 't1', 't2', 't3']],
    ['width < 64', ['t0', 't1']],
    ['width < 64 and optimizer == "adam"', ['t0']],
    ['`test/loss` < 0.1', ['t1']],
    ['state == "failed" or seed == 0', ['t0', 't3']],
    ['width in [4, 256]', ['t0', 't3']],
    ['`in`', ['t0', 't1', 't2', 't3']],
    ['seconds > 1 and not (width >= 16)', ['t0']],
    ['memory', ['t3']],
    ['ADAM', ['t0', 't2']],
  ])('%s leaves %j', (text, ids) => expect(passing(text)).toEqual(ids))

  it('says what it does not understand, and runs nothing', () => {
    expect(() => passing('widht < 3')).toThrow(/unknown axis: widht/)
    expect(() => passing('width <')).toThrow(/a value was expected/)
    expect(() => passing('constructor == 1')).toThrow(/unknown axis/)
    expect(() => passing('`test/loss` + 1 > ')).toThrow(/a value was expected/)
  })

  it('is what a brush writes', () => {
    expect(passing(writeRange('width', 10, 70))).toEqual(['t1', 't2'])
    expect(passing(writeRange('test/loss', 0.01, 0.1))).toEqual(['t1'])
    expect(writeRange('width', undefined, 70)).toBe('width <= 70')
    expect(passing(writeChoice('optimizer', ['adam', 'it"s']))).toEqual(['t0', 't1', 't2', 't3'])
    expect(passing(writeChoice('in', [true]))).toHaveLength(4)
  })

  it('leaves of a brush over names just those, whatever they are made of', () => {
    const names = ['a', "it's", 'it"s', `both ' and "`, '`', ' in ', '<b>']
    const rows = names.map((name, i) => ({ ...model.rows[0]!, id: name, index: i, point: [4, name, true] }))
    const columns = model.columns()
    for (const chosen of [...names.map((name) => [name]), names, names.slice(2, 5), []]) {
      const filter = readFilter(writeChoice('optimizer', chosen, names), columns)
      expect(rows.filter(filter).map(({ id }) => id)).toEqual(chosen)
    }
  })
})

describe('the page', () => {
  it('sorts numbers before words before what is missing, either way, and keeps the plan’s order where equal', () => {
    const loss = model.columns().find(({ name }) => name === 'test/loss')
    const ids = (way: 1 | -1): string[] => inOrder(model.rows, loss, way).map(({ id }) => id)
    expect(ids(1)).toEqual(['t1', 't0', 't2', 't3'])
    expect(ids(-1)).toEqual(['t0', 't1', 't2', 't3'])
  })

  it('takes the mean and the sample standard deviation at each step, and corrects a moving average for its beginning', () => {
    const band = bandOf([
      { steps: [1, 2], values: [1, 4] },
      { steps: [1, 3], values: [3, NaN] },
    ])
    expect(band.steps).toEqual([1, 2])
    expect(band.mean).toEqual([2, 4])
    // √((1² + 1²)/1) = √2 about 2; one alone has no spread.
    expect(band.low[0]).toBeCloseTo(2 - Math.SQRT2, 12)
    expect(band.high[1]).toBe(4)
    // (0.5·0.5·2 + 0.5·4) / (1 − 0.25)
    expect(smoothed([2, 4], 0.5)[1]).toBeCloseTo(2.5 / 0.75, 12)
    const steady = smoothed([7, 7, NaN, 7], 0.9)
    for (const i of [0, 1, 3]) expect(steady[i]).toBeCloseTo(7, 12)
  })

  it('gives log axes to what spans decades, categories to words, and a place to every value', () => {
    expect(suggestKind([4, 16, 64, 256])).toBe('log')
    expect(suggestKind([1e-4, 1])).toBe('log')
    expect(suggestKind([2, 8])).toBe('linear')
    expect(suggestKind([0, 1, 2, 3])).toBe('linear')
    expect(suggestKind([0.1, 0.5, 0.6, 1.1])).toBe('linear')
    expect(suggestKind([1e-4, 1e-1, 5e-3])).toBe('log')
    expect(suggestKind(['a', 1])).toBe('category')
    const log = makeScale([1, 100], 'log')
    expect(log.place(10)).toBeCloseTo(0.5, 12)
    expect(log.valueAt(0.5)).toBeCloseTo(10, 9)
    expect(log.place(0)).toBeUndefined()
    expect(log.ticks.map(({ label }) => label)).toEqual(['1', '10', '100'])
    expect(makeScale([0, 10], 'linear').ticks.map(({ value }) => value)).toEqual([0, 2, 4, 6, 8, 10])
    for (const one of [3, 0, -7, 1e17, -1e300, 1.7e308, 5e-324, 1e-9])
      for (const kind of one > 0 ? (['linear', 'log'] as const) : (['linear'] as const)) {
        const alone = makeScale([one, one, NaN], kind)
        expect(alone.place(one), `${kind} ${one}`).toBeGreaterThanOrEqual(0)
        expect(alone.place(one), `${kind} ${one}`).toBeLessThanOrEqual(1)
        expect(alone.ticks.every(({ at }) => Number.isFinite(at))).toBe(true)
      }
    expect(makeScale([3, 3, NaN], 'linear').place(3)).toBe(0.5)
    const widest = makeScale([-1.7e308, 0, 1.7e308], 'linear')
    expect([-1.7e308, 0, 1.7e308].map((value) => widest.place(value))).toEqual([0, 0.5, 1])
    expect(widest.valueAt(1)).toBe(1.7e308)
    expect(makeScale(['b', 'a', null], 'category').place('b')).toBe(1)
    const many = Array.from({ length: 50 }, (_, i) => `name ${i}`)
    expect(makeScale(many, 'category').valuesWithin(0, 1)).toHaveLength(50)
  })

  it('cuts a line of a log that nobody reads', () => {
    expect(shortLines(`short\n${'x'.repeat(1e7)}`).length).toBeLessThan(2_100)
  })
})
