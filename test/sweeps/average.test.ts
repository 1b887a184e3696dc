import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compareRecords } from '../../src/analysis/standings.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { openSweep, runSweep } from '../../src/app/library.js'
import { describeBest } from '../../src/core/describe-best.js'
import { rankRecords } from '../../src/core/ranking.js'
import { settingAxes, settingOf } from '../../src/core/setting.js'
import { integer, number } from '../../src/core/space.js'
import type { Objective, Params, TrialRecord } from '../../src/core/trial.js'
import { SweepModel } from '../../src/dashboard/page/model.js'
import { asPlanned } from '../../src/experiments/as-planned.js'
import { withClaimsOf } from '../../src/experiments/written-claims.js'
import { defaultFigures } from '../../src/figures/default-figures.js'
import { settingsOf } from '../../src/figures/search/settings.js'
import { makePlan } from '../../src/sweeps/plan.js'
import { observationOf } from '../../src/sweeps/searching/observe.js'
import { planSearch } from '../../src/sweeps/searching/plan-search.js'
import { parseSweepFile, parseSweepObject, placed } from '../../src/sweeps/spec/spec.js'
import { judge } from '../../src/sweeps/verdicts.js'
import { readStore } from '../../src/system/store.js'
import { SweepProjection } from '../../src/tracking/mlflow/projection/projection.js'
import { noise } from '../helpers/claims.js'
import { temporaryFolder } from '../helpers/cli.js'
import { plainExperiment } from '../helpers/experiments.js'
import { finishedTrial, readable, readSaved } from '../helpers/figures.js'
import { learning } from '../helpers/search-lab.js'

const plain: Objective = { metric: 'loss', direction: 'minimize' }
const averaged: Objective = { ...plain, average: ['fold'] }
const widths = [1, 2, 4, 8]
const folds = [0, 1, 2, 3, 4]
/** Folds differ far more from each other than settings do. */
const lossOf = (width: number, fold: number, seed = 0): number =>
  1 / width + noise(fold) + 0.001 * noise(seed + 10 * fold, width)

/** Five trials of each width: their numbers are the same, whether seeds or folds tell them apart. */
const recordsOf = (paramsOf: (width: number, k: number) => Params, seedOf: (k: number) => number): TrialRecord[] =>
  widths.flatMap((width, i) =>
    folds.map((k) => {
      const loss = lossOf(width, k)
      const record = finishedTrial({
        ...{ id: `${width}-${k}`, seed: seedOf(k), params: paramsOf(width, k), metrics: { loss } },
        series: { loss: { steps: [1, 2], values: [2 * loss, loss] } },
      })
      return { ...record, trial: { ...record.trial, index: folds.length * i + k } }
    }),
  )
const bySeed = recordsOf(
  (width) => ({ width }),
  (k) => k,
)
const byFold = recordsOf(
  (width, fold) => ({ width, fold }),
  () => 0,
)
const space = { width: number({ default: 1 }), fold: integer({ default: 0 }) }
const experiment = { ...plainExperiment(), objective: plain, figures: defaultFigures([{ name: 'main', space }], plain) }

describe('an axis that is averaged pools as seeds do', () => {
  it('in the ranking, in its words and in its table', () => {
    const [seeds, pooled] = [rankRecords(bySeed, plain), rankRecords(byFold, averaged)]
    expect(pooled.all()).toEqual(seeds.all().map((standing) => ({ ...standing, seeds: 1 })))
    expect(rankRecords(byFold, plain).all()).toHaveLength(widths.length * folds.length)
    expect(describeBest(pooled, averaged, ['width', 'fold'])).toBe(
      describeBest(seeds, plain, ['width']).replace('5 seeds', '5 trials (1 seed, each over fold)'),
    )
    expect(
      settingAxes(
        byFold.map(({ trial }) => trial),
        averaged,
      ),
    ).toEqual(['width'])
  })

  it('in every figure: the same points and bands', async () => {
    const draw = async (records: readonly TrialRecord[], average?: readonly string[]) => {
      const { figures } = asPlanned({ ...(average && { average }) }, experiment)
      const drawn = figures.map(async (figure) => [figure.name, await figure.draw(records, readSaved)] as const)
      const specs = (await Promise.all(drawn)).filter(([, spec]) => spec !== undefined)
      // What is said of them tells seeds and folds apart.
      return specs.map(([name, spec]) => [name, readable({ ...spec, title: undefined, layer: undefined })])
    }
    const [seeds, pooled] = [await draw(bySeed), await draw(byFold, ['fold'])]
    expect(seeds.map(([name]) => name)).toEqual(['course', 'result-against-width'])
    expect(pooled).toEqual(seeds)
    expect((await draw(byFold)).map(([name]) => name)).toContain('result-against-fold')
    const captions = asPlanned({ average: ['fold'] }, experiment).figures.map(({ caption }) => caption)
    for (const caption of captions) expect(caption).toContain('pooled over fold as over seeds')
  })

  it('in what a search learns, and in its figures', () => {
    const ends = byFold.map(({ trial, metrics }) => ({
      trial,
      outcome: { state: 'finished' as const, metrics, artifacts: {} },
    }))
    for (const width of widths) {
      const own = ends.filter(({ trial }) => trial.params['width'] === width)
      const [mean] = observationOf(own, averaged, 'worst').values!
      expect(mean).toBe(
        rankRecords(byFold, averaged)
          .all()
          .find(({ params }) => params['width'] === width)!.mean,
      )
    }
    const axes = [{ title: 'width', axis: { name: 'width', kind: 'float' as const, low: 1, high: 8 } }]
    const settings = (records: readonly TrialRecord[], objective: Objective) =>
      settingsOf(records, { axes, objective }).settings.map(({ number, means, point }) => ({ number, means, point }))
    expect(settings(byFold, averaged)).toEqual(settings(bySeed, plain))
  })

  it('in the groups of the runs in MLflow, and in those of the dashboard', () => {
    const trials = byFold.map(({ trial }) => trial)
    const info = { sweep: 's', name: 's', experiment: 'toy', question: '', spec: {}, planHash: '', codeVersion: '0' }
    const groupsOf = (objective: Objective): number => {
      const projection = new SweepProjection(
        { ...info, objective, trials, openedAtMs: 0 },
        { readLog: async () => undefined },
      )
      const attempt = { attempt: 1, startedAtMs: 0, reports: [] }
      return new Set(trials.map((trial) => projection.child({ ...attempt, trial } as never, 'p').tags['mlds.group']))
        .size
    }
    expect([groupsOf(averaged), groupsOf(plain)]).toEqual([widths.length, trials.length])

    const modelOf = (objective: Objective): SweepModel =>
      new SweepModel({
        ...{ sweep: 's', title: '', question: '', objective, stages: ['main'], axes: ['width', 'fold'], seeds: [] },
        trials: trials.map(({ id, params }) => [id, 0, [params['width'], params['fold']], []] as const),
        ...{ fixed: {}, metrics: [], rows: [] },
      })
    const model = modelOf(averaged)
    const keysOf = (one: SweepModel): number => new Set(one.rows.map((row) => one.settingKey(row))).size
    expect([keysOf(model), keysOf(modelOf(plain))]).toEqual([widths.length, trials.length])
    expect(model.describe(model.rows[1]!, { setting: true })).toBe('width=1')
    expect(model.describe(model.rows[1]!)).toBe('width=1 fold=1')
  })

  it('where parameters have the names of an object’s own', () => {
    const params = Object.fromEntries([
      ['__proto__', 1],
      ['constructor', 2],
    ]) as Params
    expect(Object.entries(settingOf(params, { average: ['constructor'] }))).toEqual([['__proto__', 1]])
  })
})

describe('folds are no replications', () => {
  const spec = parseSweepObject({
    experiment: 'toy',
    objective: plain,
    average: 'fold',
    claims: {
      wider: { compare: [{ width: 8 }, { width: 1 }], below: 0 },
      low: { of: { width: 8 }, below: 10 },
      falls: { trend: 'width', below: 0 },
    },
  })
  const { claims } = withClaimsOf(spec, { ...plainExperiment(), stages: [{ ...plainExperiment().stages[0], space }] })
  const records = (seeds: number, lacks: (width: number, fold: number, seed: number) => boolean = () => false) =>
    widths.flatMap((width) =>
      folds.flatMap((fold) =>
        Array.from({ length: seeds }, (_, seed) => seed).flatMap((seed) =>
          lacks(width, fold, seed)
            ? []
            : finishedTrial({
                ...{ id: `${width}-${fold}-${seed}`, seed, params: { width, fold } },
                metrics: { loss: lossOf(width, fold, seed) },
              }),
        ),
      ),
    )

  it('so claims are judged by as many numbers as there are seeds, and not by those of one', () => {
    expect(judge(claims, records(1)).map(({ state, seeds }) => [state, seeds])).toEqual(
      claims.map(() => ['inconclusive', 1]),
    )
    const verdicts = judge(claims, records(4))
    expect(verdicts.map(({ claim, seeds }) => [claim, seeds])).toEqual([
      ['wider', 4],
      ['low', 4],
      ['falls', 4],
    ])
    expect(verdicts[0]!.state).toBe('reproduced')
  })

  it('so a comparison is of equal folds: one that a setting lacks is left out of the other too', () => {
    const hardest = folds.reduce((a, b) => (noise(b) > noise(a) ? b : a))
    const [whole] = judge(claims, records(4))
    const [partial] = judge(
      claims,
      records(4, (width, fold) => width === 8 && fold === hardest),
    )
    // Without its hardest fold a mean falls by far more than settings differ.
    expect(partial!.effect).toBeCloseTo(whole!.effect!, 2)
  })

  it('so two sweeps are compared in pairs of equal folds, whose differences make one of each seed', () => {
    const first = records(4)
    const shifted = first.map((record) => ({ ...record, metrics: { loss: record.metrics['loss']! + 0.5 } }))
    const compared = compareRecords(first, shifted, 'loss', ['width'], { average: ['fold'] })
    expect(compared.map(({ pairs, difference }) => [pairs, Math.round(1e9 * difference) / 1e9])).toEqual(
      widths.map(() => [4, 0.5]),
    )
    const [single] = compareRecords(records(1), shifted, 'loss', ['width'], { average: ['fold'] })
    expect([single!.pairs, single!.interval]).toEqual([1, undefined])
  })
})

describe('average in a sweep file', () => {
  const toy = plainExperiment()
  const file = (text: string) => parseSweepFile(`experiment: toy\n${text}`, 'my.yaml')
  const planOf = (text: string) => makePlan(toy, file(text), () => 'none')

  it('changes no id of a trial', () => {
    const axes = 'axes: { width: [1, 2], rate: [0.1, 0.2], kind: [plain, fancy] }\n'
    const ids = planOf(axes).trials.map(({ id }) => id)
    expect(planOf(`${axes}average: rate\n`).trials.map(({ id }) => id)).toEqual(ids)
    expect(planOf(`${axes}average: [rate, kind]\n`).trials.map(({ id }) => id)).toEqual(ids)
    expect(planOf(`${axes}average: rate\n`).hash).toBe(planOf(axes).hash)
  })

  it.each([
    ['average: fodl', /my\.yaml:2:10: unknown axis: fodl/],
    ['average: [rate, kidn]', /my\.yaml:2:17: unknown axis: kidn$/],
    ['average: seed', /unknown axis: seed/],
    ['average: []', /average: names no axis/],
    ['average:', /average: null is not the name of an axis/],
    ['average: 3', /average: 3 is not the name/],
    ['average: {fold: 1}', /average: {"fold":1} is not the name/],
    ["average: ['']", /average: "" is not the name/],
    ['average: [rate, rate]', /average: rate is there twice/],
    ['average: main.rate', /average: main\.rate: trials call it rate/],
    ['average: __proto__', /unknown axis: __proto__/],
    ['search: { count: 2, axes: { rate: { log: [0.1, 1] } } }\naverage: rate', /average: rate: it is searched/],
  ])('%s is refused in a sentence with its place', (text, sentence) => {
    const attempt = (): unknown => {
      const spec = file(text)
      try {
        return makePlan(toy, spec, () => 'none')
      } catch (error) {
        throw placed(spec, error)
      }
    }
    expect(attempt).toThrow(sentence)
  })

  it('lets a search that learns try each setting on every fold', async () => {
    const axes = { width: { kind: 'log-int' as const, low: 1, high: 1000 } }
    const search = { sampler: 'tpe', count: 6, seed: 0, axes, learning }
    const spec = { experiment: 'toy', axes: { rate: [0.1, 0.2, 0.3] }, search }
    const plan = await planSearch(toy, { ...spec, average: ['rate'] }, () => 'none')
    expect(plan.suggested!.map(({ trials }) => trials.length)).toEqual(plan.suggested!.map(() => 6))
    await expect(planSearch(toy, spec, () => 'none')).rejects.toThrow(/rate has 3 values: .*average: rate/)
  })

  it('ranks what a program measured by the mean over folds, now and when it is said later', async () => {
    const folder = temporaryFolder()
    const store = join(folder, 'store')
    const write = (average: string): string => {
      const text = `experiment: { command: 'echo loss={lr}{fold}' }\nname: cv\naxes: { lr: [1, 2], fold: [0, 1, 2] }\n${average}`
      writeFileSync(join(folder, 'cv.yaml'), text)
      return join(folder, 'cv.yaml')
    }
    await runSweep(write(''), { store, workers: 1 })
    expect(await (await openSweep('cv', { store, trustCode: true })).best()).toHaveLength(6)
    const { summary } = await runSweep(write('average: fold\n'), { store, workers: 1 })
    expect([summary.planned, summary.finished]).toEqual([6, 6])
    const best = await (await openSweep('cv', { store, trustCode: true })).best()
    expect(best.map(({ params, mean, values, seeds }) => [params, mean, values.length, seeds])).toEqual([
      [{ lr: 1 }, 11, 3, 1],
      [{ lr: 2 }, 21, 3, 1],
    ])
    const { plan } = await planTarget(write('average: fold\n'), { set: [] }, readStore(store))
    expect(plan.spec.average).toEqual(['fold'])
  })
})
