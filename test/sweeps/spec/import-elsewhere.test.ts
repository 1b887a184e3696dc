import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { planTarget } from '../../../src/app/planning/plan.js'
import type { Imported } from '../../../src/sweeps/spec/import/imported.js'
import { importNni } from '../../../src/sweeps/spec/import/nni.js'
import { chooseStudy, importOptuna } from '../../../src/sweeps/spec/import/optuna.js'
import { readOptunaStorage } from '../../../src/sweeps/spec/import/optuna-storage.js'
import { importRay } from '../../../src/sweeps/spec/import/ray.js'
import { readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'

/** Made with Optuna 5.0.0 and Ray 2.60.0 by the scripts beside them. */
const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'from-elsewhere')
const options = { program: 'train.py', tried: 10 }

/** The plan of what was printed. */
async function planned({ spec }: Imported) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'mine.yaml'), stringify(spec))
  writeFileSync(join(folder, 'train.py'), '')
  return (await planTarget(join(folder, 'mine.yaml'), { set: [] }, readStore(join(folder, 'store')))).plan
}

/** The same trials as Optuna itself gives them, written by it as JSON. */
interface TrialOfOptuna {
  readonly state: string
  readonly values: readonly number[] | null
  readonly params: Readonly<Record<string, unknown>>
}
const asOptunaSays = JSON.parse(readFileSync(join(fixtures, 'optuna', 'trials.json'), 'utf8')) as Readonly<
  Record<string, { readonly directions: readonly string[]; readonly trials: readonly TrialOfOptuna[] }>
>

describe.each(['study.db', 'journal.log'])('a storage of Optuna, %s', (name) => {
  const file = join(fixtures, 'optuna', name)

  it('is read as Optuna reads it: studies, directions, states, values and parameters', async () => {
    const studies = await readOptunaStorage(file)
    const read = Object.fromEntries(
      studies.map((study) => [
        study.name,
        {
          directions: study.directions,
          trials: study.trials.map(({ state, values, params }) => ({
            state,
            values: state === 'COMPLETE' ? values : null,
            params: Object.fromEntries([...params].map(([key, { value }]) => [key, value])),
          })),
        },
      ]),
    )
    expect(read).toEqual(asOptunaSays[name])
  })

  it('becomes ranges that hold every value which Optuna drew, and a search that tries its best settings first', async () => {
    const study = chooseStudy(await readOptunaStorage(file), file, 'mixed')
    const imported = importOptuna(study, file, options)
    expect(imported.leftOut).toEqual([])
    expect(imported.spec['search']).toMatchObject({
      sampler: 'tpe',
      axes: {
        lr: { log: [0.0001, 0.1] },
        layers: { int: [1, 5] },
        width: { int: [16, 256], step: 16 },
        batch: { 'log-int': [8, 512] },
        optimizer: ['adam', 'sgd', null],
        dropout: { uniform: [0, 0.5], step: 0.05 },
      },
    })
    const best = [...study.trials]
      .filter(({ state }) => state === 'COMPLETE')
      .sort((a, b) => b.values[0]! - a.values[0]!)
    const plan = await planned(imported)
    expect(Object.fromEntries([...best[0]!.params].map(([key, { value }]) => [key, value]))).toEqual(
      plan.trials[0]!.params,
    )
    expect(plan.trials.length).toBeGreaterThanOrEqual(best.length)
    expect(plan.spec.objective).toMatchObject({ direction: 'maximize' })
  })

  it('takes parameters that only some trials have for conditional ones, and has several objectives', async () => {
    const study = chooseStudy(await readOptunaStorage(file), file, 'conditional')
    const imported = importOptuna(study, file, options)
    const { leftOut, spec, taken } = imported
    expect(leftOut).toEqual([])
    expect(spec['when']).toEqual({ 'svc.c': { classifier: ['svc'] }, rf_depth: { classifier: ['rf'] } })
    expect(taken.join('\n')).toContain('rf depth: matters where classifier is rf, as in all 6 trials')
    const { trials } = await planned(imported)
    for (const { params } of trials)
      expect([params['svc.c'] === null, params['rf_depth'] === null]).toEqual(
        params['classifier'] === 'svc' ? [false, true] : [true, false],
      )
    expect(spec['objective']).toEqual([
      { metric: 'value0', direction: 'minimize' },
      { metric: 'value1', direction: 'maximize' },
    ])
    expect((spec['experiment'] as { command: string[] }).command).toContain('--rf depth={rf_depth}')
  })

  it('asks which study is meant', async () => {
    const studies = await readOptunaStorage(file)
    expect(() => chooseStudy(studies, file, undefined)).toThrow('several studies in it: mixed, conditional')
    expect(() => chooseStudy(studies, file, 'mixde')).toThrow('unknown study: mixde')
  })
})

describe('a file that is no storage of Optuna', () => {
  it.each([
    ['absent', undefined, 'no such file'],
    ['of another kind', '{"a": 1}', 'neither a SQLite file'],
    ['an empty one', '', 'neither a SQLite file'],
    ['a SQLite file without its tables', 'SQLite format 3\0', "can't be read as a storage of Optuna"],
    ['a journal with a trial of no study', '{"op_code":4,"study_id":7}', 'a study that the file has not created'],
    [
      'a journal with a bad distribution',
      '{"op_code":0,"study_name":"a"}\n{"op_code":4,"study_id":0}\n{"op_code":5,"trial_id":0,"distribution":"{"}',
      'a distribution is not JSON',
    ],
  ])('is refused in a sentence: %s', async (_, text, said) => {
    const file = join(temporaryFolder(), 'study')
    if (text !== undefined) writeFileSync(file, text)
    await expect(readOptunaStorage(file)).rejects.toThrow(said)
  })

  it('a journal with a broken line between, for its trials are numbered by their lines', async () => {
    const file = join(temporaryFolder(), 'journal.log')
    writeFileSync(file, '{"op_code":0,"study_name":"a","directions":[1]}\n{"op_co\n{"op_code":4,"study_id":0}\n')
    await expect(readOptunaStorage(file)).rejects.toThrow('journal.log:2: this line of the journal is no JSON object')
  })

  it('but a journal whose last line is torn is read up to there', async () => {
    const file = join(temporaryFolder(), 'journal.log')
    writeFileSync(file, '{"op_code":0,"study_name":"__proto__","directions":[1]}\n{"op_code":4,"stu')
    expect(await readOptunaStorage(file)).toEqual([{ name: '__proto__', directions: ['minimize'], trials: [] }])
  })
})

describe('a results folder of Ray Tune', () => {
  it('becomes the settings of its trials one by one, with what is the same for all said once', async () => {
    const imported = importRay(join(fixtures, 'ray'), 'train.py')
    expect(imported.leftOut).toEqual([])
    expect(imported.spec['axes']).toEqual({ flag: [true], 'model.layers': [[64, 64]] })
    expect(imported.spec['points']).toHaveLength(4)
    const plan = await planned(imported)
    expect(plan.trials.map(({ params }) => params['model.width']).sort()).toEqual([23, 26, 41, 59])
    expect(plan.trials[0]!.params).toMatchObject({ 'model.layers': [64, 64], flag: true })
  })

  it('becomes a grid where the settings are the product of their values', async () => {
    const folder = temporaryFolder()
    for (const [i, params] of [1, 2].flatMap((a) => ['x', null].map((b) => ({ a, b }))).entries()) {
      mkdirSync(join(folder, `train_${i}`))
      writeFileSync(join(folder, `train_${i}`, 'params.json'), JSON.stringify(params))
    }
    const { spec } = importRay(folder, 't.py')
    expect(spec['axes']).toEqual({ a: [1, 2], b: ['x', null] })
    expect(spec['points']).toBeUndefined()
  })

  it('leaves the option out that a trial has not, and lists what is no number', async () => {
    const folder = temporaryFolder()
    const texts = ['{"a": 1, "b": 2}', '{"a": 3, "c": NaN, "d": -Infinity, "e": "NaN"}', '{"a": 1}']
    for (const [i, text] of texts.entries()) {
      mkdirSync(join(folder, `train_${i}`))
      writeFileSync(join(folder, `train_${i}`, 'params.json'), text)
    }
    const imported = importRay(folder, 't.py')
    expect(imported.leftOut).toEqual(['c: NaN', 'd: -Infinity'])
    const { trials } = await planned(imported)
    expect(trials.map(({ params: { a, b, e } }) => [a, b, e])).toEqual([
      [1, 2, null],
      [3, null, 'NaN'],
      [1, null, null],
    ])
  })

  it.each([
    ['no folder', undefined, 'no such file'],
    ['no trials', {}, 'no trial of Ray Tune'],
    ['no JSON', { 'params.json': '{' }, 'not JSON'],
    ['no mapping', { 'params.json': '[1]' }, 'a mapping is'],
  ])('is refused in a sentence: %s', (_, files, said) => {
    const folder = join(temporaryFolder(), 'results')
    if (files !== undefined) mkdirSync(join(folder, 'trial'), { recursive: true })
    for (const [name, text] of Object.entries<string>(files ?? {})) writeFileSync(join(folder, 'trial', name), text)
    expect(() => importRay(folder, 't.py')).toThrow(said)
  })
})

describe('a configuration of NNI', () => {
  const write = (config: object): string => {
    const file = join(temporaryFolder(), 'config.yaml')
    writeFileSync(file, stringify(config))
    return file
  }
  const space = { lr: { _type: 'loguniform', _value: [1e-4, 0.1] }, batch: { _type: 'choice', _value: [16, 32] } }

  it('becomes a search, with its tuner, number of trials, assessor and time limit', async () => {
    const imported = importNni(
      write({
        searchSpace: space,
        trialCommand: 'python3 mnist.py',
        maxTrialNumber: 20,
        trialConcurrency: 2,
        tuner: { name: 'TPE', classArgs: { optimize_mode: 'minimize' } },
        assessor: { name: 'Medianstop', classArgs: { optimize_mode: 'minimize', start_step: 5 } },
        maxTrialDuration: '10m',
        trainingService: { platform: 'local' },
      }),
    )
    expect(imported.leftOut).toEqual([])
    const plan = await planned({
      ...imported,
      spec: { ...imported.spec, experiment: { command: 'python3 train.py {args}' } },
    })
    expect(plan.spec).toMatchObject({
      search: { sampler: 'tpe', count: 20 },
      objective: { metric: 'default', direction: 'minimize' },
      scheduler: [{ rule: 'median', options: { graceSteps: 5 } }],
      timeLimitMs: 600_000,
    })
  })

  it('has every type of parameter that NNI has, or says that it has not', () => {
    const types = {
      randint: [[0, 5], { int: [0, 4] }],
      uniform: [[0, 1], { uniform: [0, 1] }],
      quniform: [[32, 128, 32], { int: [32, 128], step: 32 }],
      qloguniform: [[1, 100, 1], { log: [1, 100], step: 1 }],
      normal: [[0, 2], { normal: [0, 2] }],
      qnormal: [[0, 2, 0.5], { normal: [0, 2], step: 0.5 }],
      lognormal: [[0, 2], { 'log-normal': [0, 2] }],
      qlognormal: [[0, 2, 1], { 'log-normal': [0, 2], step: 1 }],
    } as const
    const config = Object.fromEntries(
      Object.entries(types).map(([type, [value]]) => [type, { _type: type, _value: value }]),
    )
    const { spec, leftOut } = importNni(
      write({ ...config, odd: { _type: 'quniform', _value: [1, 10, 4] }, new: { _type: 'laplace', _value: [0, 1] } }),
    )
    expect((spec['search'] as { axes: object }).axes).toEqual(
      Object.fromEntries(Object.entries(types).map(([type, [, axis]]) => [type, axis])),
    )
    expect(leftOut).toEqual(['odd: {"_type":"quniform","_value":[1,10,4]}', 'new: {"_type":"laplace","_value":[0,1]}'])
  })

  it('with a choice within a choice is what the example says by hand', async () => {
    const folder = join(import.meta.dirname, '..', '..', '..', 'examples', 'from-elsewhere', '07-nni-nested')
    const imported = importNni(join(folder, 'original.json'))
    const byHand = parse(readFileSync(join(folder, 'mlds.yaml'), 'utf8')) as { when: object }
    expect(imported.leftOut).toEqual([])
    expect(imported.spec['when']).toEqual(byHand.when)
    const plan = await planned({
      ...imported,
      spec: { ...imported.spec, experiment: { ...(imported.spec['experiment'] as object), command: 'true {args}' } },
    })
    for (const { params } of plan.trials) expect(params['layer.kernel'] === null).toBe(params['layer.name'] === 'dense')
  })

  it('drops nothing of a parameter, a tuner or a time in silence, and reads seconds', () => {
    const { leftOut, spec } = importNni(
      write({
        searchSpace: {
          a: { _type: 'uniform', _value: [0, 1, 5] },
          b: { _type: 'uniform', _value: [0, 1], odd: 1 },
          c: { _type: 'uniform', _value: [0, 1] },
        },
        tuner: { className: 'mine.Tuner', classArgs: { optimize_mode: 'most' } },
        maxTrialDuration: 600,
      }),
    )
    expect(leftOut).toEqual([
      'a: {"_type":"uniform","_value":[0,1,5]}',
      'b: {"_type":"uniform","_value":[0,1],"odd":1}',
      'tuner.className: "mine.Tuner"',
      'tuner.classArgs.optimize_mode: "most"',
    ])
    expect(spec['timeout']).toBe('600s')
    expect(importNni(write({ searchSpace: space, maxTrialDuration: -1 })).leftOut).toEqual(['maxTrialDuration: -1'])
  })

  it('lists what has no counterpart', () => {
    const { leftOut } = importNni(
      write({
        searchSpace: space,
        tuner: { name: 'SMAC', classArgs: { x: 1 } },
        assessor: { name: 'Curvefitting' },
        nniManagerIp: '10.0.0.1',
      }),
    )
    expect(leftOut).toEqual([
      'nniManagerIp: "10.0.0.1"',
      'tuner.classArgs.x: 1',
      'tuner: "SMAC" (random is taken)',
      'assessor: {"name":"Curvefitting"}',
    ])
  })
})
