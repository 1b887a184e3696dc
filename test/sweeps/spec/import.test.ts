import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { commandExperiment, fillWords, parseCommand, withAxes } from '../../../src/experiments/custom/command.js'
import { importHydra } from '../../../src/sweeps/spec/import/hydra.js'
import type { Imported } from '../../../src/sweeps/spec/import/imported.js'
import { importWandb } from '../../../src/sweeps/spec/import/wandb.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { parseSweepFile } from '../../../src/sweeps/spec/spec.js'

/** What is printed is a sweep file that can be planned. */
function planned({ spec }: Imported) {
  const read = parseSweepFile(stringify(spec), 'imported.yaml', (raw) => ({
    kind: 'command',
    command: parseCommand(raw, '/'),
  }))
  const searched = Object.entries(read.search?.axes ?? {}).map(([name, axis]) => [
    name,
    axis.kind === 'choice' ? axis.values : [axis.low, axis.high],
  ])
  const values = { ...read.axes, ...(Object.fromEntries(searched) as Record<string, unknown[]>) }
  if (read.own?.kind !== 'command') throw new Error('not a command')
  const experiment = commandExperiment(withAxes(read.own.command, values, read))
  return { read, trials: makePlan(experiment, read, () => '').trials, argv: read.own.command.argv }
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
      'program: t.py\nmethod: bayes\nrun_cap: 12\nparameters:\n  lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}\n  n: {min: 1, max: 9}\n  o: {values: [a, b]}\n  z: {distribution: normal, mu: 0, sigma: 1}\nearly_terminate: {type: hyperband, min_iter: 3, max_iter: 27, eta: 4}\n',
      'w.yaml',
    )
    const { read } = planned(imported)
    expect(read.search).toMatchObject({
      count: 12,
      axes: { lr: { kind: 'log', low: 1e-4, high: 0.1 }, n: { kind: 'int', low: 1, high: 9 }, o: { kind: 'choice' } },
    })
    expect(read.scheduler).toEqual([{ rule: 'asha', options: { maxSteps: 27, minSteps: 3, reduction: 4 } }])
    expect(imported.leftOut.join('\n')).toMatch(/parameters\.z: .*normal[\s\S]*method: bayes/)
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

  it('that need Hydra itself are listed', () => {
    const { leftOut, spec } = importHydra("lr=0.1 ~db x=${y} name='a b','c,d'", 'main.py')
    expect(leftOut).toEqual(['~db', 'x=${y}'])
    expect(spec['axes']).toMatchObject({ lr: [0.1], name: ['a b', 'c,d'] })
  })

  it('that are none are refused', () => {
    expect(() => importHydra('=3', 'main.py')).toThrow('not a Hydra override: =3')
  })
})
