import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { params, parameterCount } from '../../src/experiments/built-in/params.js'
import { drawFigures } from '../../src/figures/draw.js'
import { renderPng, renderSvg } from '../../src/figures/render.js'
import type { TrialRecord } from '../../src/core/trial.js'
import { readable } from '../helpers/figures.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-figures-'))
afterAll(() => rmSync(folder, { recursive: true }))
const read = () => Promise.reject(new Error('nothing was saved'))

/** Records shaped like the params sweep's: loss falls with size, seeds differ a little. */
function recordsFor(
  widths: readonly number[],
  seeds: readonly number[],
  broken: (width: number) => boolean = () => false,
): TrialRecord[] {
  return widths.flatMap((width) =>
    seeds.map((seed) => {
      const loss = 2.3 * Math.exp(-width / 30) + 0.1 + 0.01 * seed
      return {
        trial: {
          id: `${width}-${seed}`,
          index: 0,
          experiment: 'params',
          version: 1,
          stage: 'main',
          params: {
            width,
            depth: 3,
            dataset: 'mnist-10k',
            trainRows: 7500,
            batch: 100,
            epochs: 20,
            optimizer: 'adagrad',
            learningRate: 0.01,
          },
          seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
          parents: [],
          cost: 1,
        },
        state: 'finished',
        attempts: 1,
        metrics: {
          parameters: parameterCount(width),
          'train/loss': broken(width) ? NaN : loss,
          'validation/loss': loss + 0.05,
          'train/accuracy': 1 - loss / 3,
          'validation/accuracy': 0.97 - loss / 3,
        },
        artifacts: {},
        series: {},
      } satisfies TrialRecord
    }),
  )
}
const widths = [2, 8, 24, 64, 128, 256, 512]
const figure = (name: string) => params.figures.find((definition) => definition.name === name)!

describe('the figures of params', () => {
  it.each(params.figures.map(({ name }) => name))('%s is drawn from this specification', async (name) => {
    expect(readable(await figure(name).draw(recordsFor(widths, [0, 1, 2]), read))).toMatchSnapshot()
  })

  it.each(params.figures.map(({ name }) => name))(
    '%s compiles and renders without a warning, to the same bytes each time',
    async (name) => {
      const spec = (await figure(name).draw(recordsFor(widths, [0, 1, 2]), read))!
      const warnings: string[] = []
      const first = await renderSvg(spec, (message) => warnings.push(message))
      expect(warnings).toEqual([])
      expect(await renderSvg(spec)).toBe(first)
      expect(first).toContain('parameters')
      expect(first).toContain('3 seeds')
    },
  )

  it('name their axes with units, have a legend and say the settings', async () => {
    const svg = await renderSvg((await figure('loss-against-parameters-log').draw(recordsFor(widths, [0, 1]), read))!)
    for (const text of [
      'cross-entropy (nats)',
      'parameters',
      'train',
      'validation',
      '2 seeds',
      'mnist-10k, 7500 rows, 20 epochs, batch 100, adagrad 0.01',
    ])
      expect(svg).toContain(text)
  })

  it('leave out what is not finite, and say how many', async () => {
    const svg = await renderSvg(
      (await figure('loss-against-parameters-log').draw(
        recordsFor(widths, [0, 1], (width) => width === 64),
        read,
      ))!,
    )
    expect(svg).toContain('2 values that are not finite')
    expect(svg).not.toMatch(/NaN|Infinity/)
  })

  it('are not drawn from nothing, and have no band from one seed', async () => {
    expect(await figure('loss-against-parameters-log').draw([], read)).toBeUndefined()
    const spec = (await figure('loss-against-parameters-log').draw(recordsFor(widths, [0]), read)) as {
      layer: { mark: { type: string } }[]
    }
    expect(spec.layer.map(({ mark }) => mark.type)).toEqual(['line', 'point'])
  })

  it('become PNGs with text in them, without any font installed', async () => {
    const svg = await renderSvg(
      (await figure('accuracy-against-parameters-log').draw(recordsFor(widths, [0, 1]), read))!,
    )
    const png = await renderPng(svg)
    expect(Buffer.from(png.subarray(1, 4)).toString()).toBe('PNG')
    // The same picture without its words is a smaller file: the words are drawn.
    expect((await renderPng(svg.replaceAll(/<text[^>]*>[^<]*<\/text>/g, ''))).length).toBeLessThan(png.length * 0.8)
  })

  it('are drawn beside one that throws, which is named', async () => {
    const broken = { name: 'broken', caption: 'none', draw: () => Promise.reject(new Error('no ink')) }
    const told: string[] = []
    const definitions = [broken, ...params.figures.slice(0, 1)]
    const files = await drawFigures(definitions, recordsFor(widths, [0]), read, folder, (message) => told.push(message))
    expect(files).toHaveLength(5)
    expect(told).toEqual(['the figure broken could not be drawn: no ink'])
  })

  it('are written as SVG, PNG, a page, vega-lite JSON and the rows behind them', async () => {
    const files = await drawFigures(params.figures, recordsFor(widths, [0, 1]), read, folder, fail)
    expect(files).toHaveLength(20)
    expect(
      JSON.parse(
        readFileSync(
          files.find((file) => file.endsWith('.vl.json'))!,
          'utf8',
        ),
      ),
    ).toHaveProperty('layer')
  })
})

function fail(message: string): never {
  throw new Error(message)
}

describe('the claims of params', () => {
  /** Seeds that differ, as seeds do. */
  const apart = (records: TrialRecord[]): TrialRecord[] =>
    records.map((record) => ({
      ...record,
      trial: { ...record.trial, params: { ...record.trial.params, validationRows: 2500 } },
      metrics: Object.fromEntries(
        Object.entries(record.metrics).map(([name, value]) => [
          name,
          name === 'parameters' ? value : value * (1 - 0.001 * record.trial.seeds.init),
        ]),
      ),
    }))
  const verdicts = (records: TrialRecord[]) =>
    Object.fromEntries(params.claims.map((claim) => [claim.id, claim.check(apart(records)).state]))

  it('are borne out by records that bear them out', () => {
    expect(verdicts(recordsFor([2, 8, 16, 24, 32, 64, 128, 256, 512], [0, 1, 2]))).toEqual({
      'parameter-formula': 'reproduced',
      'loss-falls-with-size': 'reproduced',
      'accuracy-saturates': 'reproduced',
      // Of so many sizes only three lie above rows × classes.
      'more-parameters-higher-training-accuracy': 'inconclusive',
      'more-parameters-higher-held-out-accuracy': 'inconclusive',
      'gap-of-large-nets': 'reproduced',
      // Of so many sizes only three are large.
      'gap-rises-with-size': 'inconclusive',
      'training-fits-above': 'reproduced',
      'double-descent': 'inconclusive',
    })
  })

  it('find a peak over noisy labels where it is, and none where there is none', () => {
    // 1000 rows of ten classes: a threshold of 10,000 parameters.
    const noisy = (lossOf: (parameters: number) => number, seeds = [0, 1, 2]): TrialRecord[] =>
      [1, 2, 4, 6, 10, 14, 20, 40, 80, 160].flatMap((width) =>
        recordsFor([width], seeds).map((record) => {
          const parameters = 795 * width + 10
          return {
            ...record,
            trial: {
              ...record.trial,
              params: { ...record.trial.params, depth: 1, bottleneck: 0, labelNoise: 0.2, trainRows: 1000 },
            },
            metrics: { ...record.metrics, parameters, 'validation/loss': lossOf(parameters), 'train/accuracy': 1 },
          }
        }),
      )
    const verdict = (lossOf: (parameters: number) => number, seeds?: number[]) =>
      params.claims.find(({ id }) => id === 'double-descent')!.check(apart(noisy(lossOf, seeds)))
    const peakAt = (at: number) => (parameters: number) => Math.exp(-(Math.log(parameters / at) ** 2))
    expect(verdict(peakAt(12_000))).toMatchObject({ state: 'reproduced' })
    expect(verdict(peakAt(12_000), [0]).state).toBe('inconclusive')
    expect(verdict(peakAt(12_000)).effect).toBeCloseTo(1.114, 3)
    expect(verdict(peakAt(60_000)).state).toBe('not reproduced')
    expect(verdict((parameters) => 1 / parameters)).toMatchObject({
      state: 'not reproduced',
      effect: expect.closeTo(0.0805, 4) as number,
    })
    // Labels of the other claims are right ones only.
    expect(verdicts(noisy(peakAt(1)))['loss-falls-with-size']).toBe('inconclusive')
  })

  it('are refuted by records that refute them', () => {
    const upside = recordsFor([2, 8, 16, 24, 32, 64, 128, 256, 512], [0, 1, 2]).map((record) => ({
      ...record,
      metrics: {
        ...record.metrics,
        parameters: record.metrics['parameters']! + 1,
        'train/loss': 3 - record.metrics['train/loss']!,
        'train/accuracy': 0.6,
      },
    }))
    expect(verdicts(upside)).toMatchObject({
      'parameter-formula': 'not reproduced',
      'loss-falls-with-size': 'not reproduced',
      'gap-of-large-nets': 'not reproduced',
      'training-fits-above': 'not reproduced',
    })
  })

  it('are inconclusive where there is too little to go by', () => {
    expect(new Set(Object.values(verdicts([])))).toEqual(new Set(['inconclusive']))
    expect(verdicts(recordsFor([2, 8], [0]))).toMatchObject({
      'loss-falls-with-size': 'inconclusive',
      'accuracy-saturates': 'inconclusive',
      'gap-of-large-nets': 'inconclusive',
    })
  })
})
