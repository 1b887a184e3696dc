import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { commandExperiment, parseCommand } from '../../../src/experiments/custom/command.js'
import { withAxes } from '../../../src/experiments/custom/command-axes.js'
import { fillWords } from '../../../src/experiments/custom/command-words.js'
import { importHydra } from '../../../src/sweeps/spec/import/hydra.js'
import type { Imported } from '../../../src/sweeps/spec/import/imported.js'
import { importWandb } from '../../../src/sweeps/spec/import/wandb.js'
import { examplesOf } from '../../../src/sweeps/spec/sampled-axis.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { parseSweepFile } from '../../../src/sweeps/spec/spec.js'

const read = ({ spec }: Imported) =>
  parseSweepFile(stringify(spec), 'imported.yaml', {
    parseCustom: (raw) => ({ kind: 'command', command: parseCommand(raw, '/') }),
  })

/** What is printed is a sweep file that can be planned. */
function planned(imported: Imported) {
  const spec = read(imported)
  const searched = Object.entries(spec.search?.axes ?? {}).map(([name, axis]) => [name, examplesOf(axis)])
  const values = { ...spec.axes, ...(Object.fromEntries(searched) as Record<string, unknown[]>) }
  if (spec.own?.kind !== 'command') throw new Error('not a command')
  const experiment = commandExperiment(withAxes(spec.own.command, values, spec))
  return { read: spec, trials: makePlan(experiment, spec, () => '').trials, ...spec.own.command }
}

/** The words that the program gets for each trial. */
function wordsOf(imported: Imported): string[][] {
  const { argv, trials } = planned(imported)
  return trials.map(({ params }) => fillWords(argv, params).slice(2))
}

describe('parameters of any name', () => {
  const names = [
    'größe',
    '日本',
    'Iİı',
    'a b',
    'a_b',
    'a-b',
    'a.b',
    'a:b',
    'a@b',
    '1st',
    '_',
    '__proto__',
    'constructor',
    'état',
  ]

  it('of a W&B sweep reach the program under their names with their values', () => {
    const parameters = Object.fromEntries(names.map((name, i) => [name, { value: i }]))
    const imported = importWandb(stringify({ program: 't.py', method: 'grid', parameters }), 'w.yaml')
    expect(wordsOf(imported)).toEqual([names.map((name, i) => `--${name}=${i}`)])
  })

  it('that Hydra takes reach the program under their names with their values', () => {
    const overrides = ['a.b', 'a_b', 'a-b', 'a/b', 'a@b.c', '1st', '__proto__'].map((name, i) => `${name}=${i}`)
    expect(wordsOf(importHydra(overrides.join(' '), 't.py'))).toEqual([overrides])
  })
})

describe('a W&B sweep', () => {
  it('as a grid is crossed axes over its program', () => {
    const imported = importWandb(
      'program: train.py\nmethod: grid\nmetric: {name: val_acc, goal: maximize}\nparameters:\n  lr: {values: [0.1, 0.01]}\n  width: {values: [8, 16]}\n  epochs: {value: 5}\n',
      'w.yaml',
    )
    const { trials, argv, read } = planned(imported)
    expect(trials).toHaveLength(4)
    expect(argv).toEqual(['python', 'train.py', '--lr={lr}', '--width={width}', '--epochs={epochs}'])
    expect(read.objective).toEqual({ metric: 'val_acc', direction: 'maximize' })
    expect(imported.leftOut).toEqual([])
  })

  it('at random is a search with its ranges and its early termination', () => {
    const imported = importWandb(
      'program: t.py\nmethod: bayes\nrun_cap: 12\nparameters:\n  lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}\n  n: {min: 1, max: 9}\n  o: {values: [a, b]}\n  z: {distribution: inv_log_uniform, min: 1, max: 2}\nearly_terminate: {type: hyperband, min_iter: 3, max_iter: 27, eta: 4}\n',
      'w.yaml',
    )
    const { search, scheduler } = read(imported)
    expect(search).toMatchObject({
      sampler: 'tpe',
      count: 12,
      axes: { lr: { kind: 'log', low: 1e-4, high: 0.1 }, n: { kind: 'int', low: 1, high: 9 }, o: { kind: 'choice' } },
    })
    expect(scheduler).toEqual([{ rule: 'asha', options: { maxSteps: 27, minSteps: 3, reduction: 4 } }])
    expect(imported.leftOut).toEqual([expect.stringMatching(/^parameters\.z: .*inv_log/)])
    expect(imported.taken).toEqual([expect.stringMatching(/^method: bayes/)])
  })

  it('has everything of its command, or says what is left out', () => {
    const command = (words: string) =>
      importWandb(`program: t.py\nmethod: grid\ncommand: ${words}\nparameters: { lr: { values: [1, 2] } }\n`, 'w.yaml')
    const usual = command("['${env}', CUDA_VISIBLE_DEVICES=0, '${interpreter}', '${program}', --fast, '${args}']")
    expect(planned(usual).argv).toEqual([
      '/usr/bin/env',
      'CUDA_VISIBLE_DEVICES=0',
      'python',
      't.py',
      '--fast',
      '--lr={lr}',
    ])
    expect(usual.leftOut).toEqual([])
    expect(command("[python, t.py, '${args_json_file}', '--gpu=${envvar:GPU}']").leftOut).toEqual([
      'command: ${args_json_file}',
      'command: --gpu=${envvar:GPU}',
    ])
    expect(planned(command("[python, t.py, '${args_json}']")).argv).toEqual(['python', 't.py', '{params}'])
  })

  it.each([
    'q: {distribution: q_uniform, min: 1, max: 8, q: 2}',
    'n: {parameters: {a: {distribution: inv_log_uniform, min: 1, max: 2}}}',
    'o: {values: [{a: 1}]}',
    'm: {distribution: inv_log_uniform, min: 1, max: 2}',
  ])('says that it leaves out the parameter %s', (parameter) => {
    const { leftOut } = importWandb(
      `program: t.py\nmethod: grid\nparameters: { ${parameter}, lr: {value: 1} }\n`,
      'w.yaml',
    )
    expect(leftOut).toHaveLength(1)
  })

  it('has its laws, steps, weights, and parameters within others', () => {
    const imported = importWandb(
      `program: t.py
method: random
run_cap: 9
parameters:
  q: {distribution: q_uniform, min: 2, max: 8, q: 2}
  f: {distribution: q_uniform, min: 0, max: 1, q: 0.25}
  l: {distribution: q_log_uniform_values, min: 8, max: 64, q: 8}
  n: {distribution: normal, mu: 1, sigma: 2}
  g: {distribution: q_log_normal, mu: 0, sigma: 1, q: 0.5}
  p: {values: [a, b], probabilities: [0.1, 0.9]}
  model: {parameters: {layers: {values: [[64, 64], [8]]}, 'opt im': {parameters: {lr: {min: 0.1, max: 1.5}}}}}
`,
      'w.yaml',
    )
    expect(imported.leftOut).toEqual([])
    expect(read(imported).search?.axes).toEqual({
      q: { kind: 'int', low: 2, high: 8, step: 2 },
      f: { kind: 'uniform', low: 0, high: 1, step: 0.25 },
      l: { kind: 'log', low: 8, high: 64, step: 8 },
      n: { kind: 'normal', mean: 1, deviation: 2 },
      g: { kind: 'log-normal', mean: 0, deviation: 1, step: 0.5 },
      p: { kind: 'choice', values: ['a', 'b'], weights: [0.1, 0.9] },
      'model.layers': { kind: 'choice', values: [[64, 64], [8]] },
      'model.opt_im.lr': { kind: 'uniform', low: 0.1, high: 1.5 },
    })
    const { argv, trials } = planned(imported)
    expect(argv.at(-1)).toBe('--model={model}')
    expect(trials).toHaveLength(9)
  })

  // What PyYAML 6.0.3 reads of the word, as `f'--x={value}'` of Python 3.11 writes it.
  it.each([
    ['True', 'True'],
    ['true', 'True'],
    ['yes', 'True'],
    ['No', 'False'],
    ['ON', 'True'],
    ['off', 'False'],
    ['y', 'y'],
    ['"yes"', 'yes'],
    ['None', 'None'],
    ['null', 'None'],
    ['~', 'None'],
    ['010', '8'],
    ['08', '08'],
    ['0o10', '0o10'],
    ['1_000', '1000'],
    ['-1_000', '-1000'],
    ['0b11', '3'],
    ['-0x1F', '-31'],
    ['1:30', '90'],
    ['12:99', '12:99'],
    ['1_0.5', '10.5'],
    ['1_e', '1_e'],
    ['[True, null, it]', "[True, None, 'it']"],
    [`["it's", 'a"b', "l\\n"]`, `["it's", 'a"b', 'l\\n']`],
  ])('gives the program of %s the word %s', (word, wanted) => {
    for (const parameter of [`{value: ${word}}`, `{values: [7, ${word}]}`]) {
      const imported = importWandb(`program: t.py\nmethod: grid\nparameters: {x: ${parameter}}\n`, 'w.yaml')
      expect(imported.leftOut).toEqual([])
      expect(wordsOf(imported).at(-1)).toEqual([`--x=${wanted}`])
    }
  })

  it('drops no key of a parameter in silence', () => {
    const parameters = '{a: {value: 1, odd: .inf}, n: {value: 3, parameters: {z: {value: 1, y: [.nan]}}}}'
    const { leftOut } = importWandb(`program: t.py\nmethod: grid\nparameters: ${parameters}\n`, 'w.yaml')
    expect(leftOut).toEqual(['parameters.a.odd: Infinity', 'parameters.n.value: 3', 'parameters.n.z.y: [NaN]'])
    const metric = (words: string) =>
      importWandb(`program: t.py\nmethod: grid\nparameters: {a: {value: 1}}\nmetric: ${words}\n`, 'w.yaml').leftOut
    expect(metric('{name: loss, target: 0.1}')).toEqual(['metric.target: 0.1'])
    expect(metric('{goal: minimize}')).toEqual(['metric: {"goal":"minimize"} (it has no name)'])
  })

  it('says where its words are not those of mlds, and keeps them in JSON', () => {
    const parameters = 'parameters: {x: {values: [True, 1]}, y: {value: 2}, n: {parameters: {z: {value: true}}}}'
    const words = importWandb(`program: t.py\nmethod: grid\n${parameters}\n`, 'w.yaml')
    expect(words.taken).toEqual(['parameters.x: the program gets True, as W&B writes it'])
    expect(planned(words).trials[0]?.params).toEqual({ x: 'True', y: 2, 'n.z': true })
    const json = importWandb(
      `program: t.py\nmethod: grid\ncommand: [python, t.py, '\${args_json}']\n${parameters}\n`,
      'w',
    )
    expect([json.taken, planned(json).trials[0]?.params]).toEqual([[], { x: true, y: 2, 'n.z': true }])
  })

  it.each([
    ['run_cap: many', 'run_cap: "many"'],
    ['run_cap: 0', 'run_cap: 0'],
    ['metric: {name: loss, goal: up}', 'metric.goal: "up"'],
  ])('lists what W&B would refuse: %s', (line, told) => {
    const imported = importWandb(
      `program: t.py\nmethod: random\nparameters: {x: {min: 1, max: 9}}\n${line}\n`,
      'w.yaml',
    )
    expect(imported.leftOut).toEqual([told])
    expect(planned(imported).trials.length).toBeGreaterThan(0)
  })

  it.each(['{min: 5, max: 1}', '{values: []}', '{values: [1, 2], probabilities: [0.5]}'])(
    'leaves out a parameter that has no values: %s',
    (parameter) => {
      const { leftOut } = importWandb(`program: t.py\nmethod: random\nparameters: {x: ${parameter}}\n`, 'w.yaml')
      expect(leftOut).toEqual([expect.stringMatching(/^parameters\.x: /)])
    },
  )

  it('has a method that is known, and tags that Python knows', () => {
    const read = (text: string) => importWandb(`program: t.py\n${text}\n`, 'w.yaml')
    expect(read('method: anneal\nparameters: {x: {value: 1}}').leftOut).toEqual(['method: "anneal"'])
    expect(() => read('method: grid\nparameters: {x: {value: !foo 1}}')).toThrow(/w\.yaml: Unresolved tag: !foo/)
  })

  it('gives braces of its command and program as they stand', () => {
    const imported = importWandb(
      "program: 'a{x}.py'\nmethod: grid\ncommand: [python, '${program}', '{x}', '{', '${args}']\nparameters: {x: {value: 1}}\n",
      'w.yaml',
    )
    const { argv, trials, escapes } = planned(imported)
    expect(fillWords(argv, trials[0]!.params, escapes)).toEqual(['python', 'a{x}.py', '{x}', '{', '--x=1'])
  })

  it('may use anchors and merges', () => {
    const text =
      'program: t.py\nmethod: grid\ncommon: &c {lr: {values: [1, 2]}}\nparameters:\n  <<: *c\n  w: {value: 3}\n'
    const imported = importWandb(text, 'w.yaml')
    expect(wordsOf(imported)).toEqual([
      ['--lr=1', '--w=3'],
      ['--lr=2', '--w=3'],
    ])
    expect(imported.leftOut).toEqual(['common: {"lr":{"values":[1,2]}}'])
  })

  it('that is none is refused', () => {
    expect(() => importWandb('a: 1\n', 'w.yaml')).toThrow(/w\.yaml: not a W&B sweep configuration/)
  })
})

describe('Hydra overrides', () => {
  it('become axes and seeds, and the program gets the names it knows', () => {
    const { trials, argv, read } = planned(
      importHydra('-m lr=1e-3,1e-2 model.depth=choice(2,4) seed=range(5)', 'main.py'),
    )
    expect(argv).toEqual(['python', 'main.py', 'lr={lr}', 'model.depth={model_depth}', 'seed={seed}'])
    expect(read.seeds).toEqual([0, 1, 2, 3, 4])
    expect(trials).toHaveLength(2 * 2 * 5)
  })

  it('are taken as the words that a shell has parted', () => {
    expect(wordsOf(importHydra(['-m', 'lr=1,2', 'name=a b'], 'main.py'))).toEqual([
      ['lr=1', "name='a b'"],
      ['lr=2', "name='a b'"],
    ])
  })

  it('of Hydra itself are no axes', () => {
    const { leftOut, spec } = importHydra('hydra/launcher=joblib hydra.sweep.dir=x lr=1,2', 'main.py')
    expect(leftOut).toEqual(['hydra/launcher=joblib', 'hydra.sweep.dir=x'])
    expect(spec['axes']).toEqual({ lr: [1, 2] })
  })

  it('that need Hydra itself are listed', () => {
    const { leftOut, spec } = importHydra("lr=0.1 ~db x=${y} name='a b','c,d'", 'main.py')
    expect(leftOut).toEqual(['x=${y}'])
    expect(spec['axes']).toMatchObject({ lr: [0.1], name: ['a b', 'c,d'] })
  })

  // What Hydra 1.3.8 printed of each.
  it.each([
    ["x='\\${y}'", '${y}'],
    ['x="a\\\\\\${y}"', 'a\\${y}'],
    ["x='a\\\\b \\${y}'", 'a\\\\b ${y}'],
    ["x='$y'", '$y'],
    ['x=\\${y}', '${y}'],
  ])('with an interpolation that is escaped are texts: %s', (override, value) => {
    const { leftOut, spec } = importHydra([override], 'main.py')
    expect(spec['axes']).toEqual({ x: [value] })
    // Hydra would read it again, and no quotes around a placeholder keep it from that.
    expect(leftOut).toHaveLength(value.includes('${') ? 1 : 0)
  })

  it.each(["x='${y}'", "x='\\\\${y}'", "x=['${y}']", "x='a','${'"])(
    'with an interpolation need Hydra, in quotes too: %s',
    (override) => {
      const { leftOut, spec } = importHydra([override], 'main.py')
      expect([leftOut, spec['axes']]).toEqual([[override], {}])
    },
  )

  // Hydra 1.3 refuses each.
  it.each(['x=[1', 'x=1]', 'x=choice(1,2', 'x=(1]', 'x=1,', 'x=,1', 'x=choice(1,,2)', 'x=f(1)', "x=a'"])(
    'that Hydra would not read are listed: %s',
    (override) => {
      const { leftOut, spec } = importHydra([override], 'main.py')
      expect([leftOut, spec['axes']]).toEqual([[override], {}])
    },
  )

  it('that are none are refused', () => {
    expect(() => importHydra('=3', 'main.py')).toThrow('not a Hydra override: =3')
  })

  it.each<[string, string[]]>([
    ['python train.py -m lr=1,2', ['python', 'train.py', 'lr={lr}']],
    ['/usr/bin/python3.11 -u src/train.py --multirun lr=1,2', ['/usr/bin/python3.11', '-u', 'src/train.py', 'lr={lr}']],
    ['python -m my.train -m lr=1,2', ['python', '-m', 'my.train', 'lr={lr}']],
    ['train.py -m lr=1,2', ['python', 'train.py', 'lr={lr}']],
    ['./train.py -m lr=1,2', ['./train.py', 'lr={lr}']],
    ["-m 'lr=1,2'", ['python', 'main.py', 'lr={lr}']],
    [
      `python train.py -m "lr=1,2" '+model.name=[a,b],[c]'`,
      ['python', 'train.py', 'lr={lr}', '+model.name={model_name}'],
    ],
  ])('is read from the line as it was typed: %s', (line, argv) => {
    for (const typed of [line, ...(/['"]/.test(line) ? [] : [line.split(' ')])]) {
      const imported = importHydra(typed, 'main.py')
      expect(imported.leftOut).toEqual([])
      expect((imported.spec['experiment'] as { command: string[] }).command).toEqual(argv)
      expect(imported.spec['axes']).toMatchObject({ lr: [1, 2] })
    }
  })

  it('gives the program the variables that the line begins with', () => {
    const { spec } = importHydra('CUDA_VISIBLE_DEVICES=0 A={b} python train.py -m lr=1,2', 'main.py')
    expect(spec['experiment']).toMatchObject({ env: { CUDA_VISIBLE_DEVICES: '0', A: '{{b}}' } })
    expect(spec['axes']).toEqual({ lr: [1, 2] })
  })
})
