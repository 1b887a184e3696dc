import { describe, expect, it } from 'vitest'
import { commandExperiment, hashCommand, parseCommand } from '../../../src/experiments/custom/command.js'
import { withAxes } from '../../../src/experiments/custom/command-axes.js'
import type { Experiment } from '../../../src/experiments/experiment.js'
import type { Params, Trial } from '../../../src/core/trial.js'
import { GridScheduler } from '../../../src/sweeps/scheduling/grid.js'

const axes = { epochs: [1, 10, 5], width: [2, 1], mode: ['fast', 'slow'], plan: [null, 3] }
const parsed = (cost: unknown) => parseCommand({ command: 'train {epochs} {width} {mode} {plan}', cost }, '/')
const costOf = (cost: unknown): ((params: Params) => number) =>
  costsOf(commandExperiment(withAxes(parsed(cost), axes, { language: 2 })))
const costsOf =
  ({ stages: [stage] }: Experiment) =>
  (params: Params): number =>
    stage.cost(params)

describe('the cost of a command', () => {
  it('is said by an expression over its axes, between braces as in its words or as elsewhere in a sweep file', () => {
    expect(costOf('{epochs} * {width}')({ epochs: 10, width: 2 })).toBe(20)
    expect(costOf('epochs * (mode == "slow" ? 3 : 1)')({ epochs: 10, mode: 'slow' })).toBe(30)
    expect(costOf(7)({})).toBe(7)
  })

  it('is the same for all where nothing is said', () => {
    expect(costOf(undefined)({ epochs: 10 })).toBe(1)
  })

  it.each(['1 / (epochs - 1)', '0 - epochs', 'log(0 - epochs)', '{plan} * 2'])(
    'is nothing for a point of which %s says none: a hint keeps no trial from running',
    (cost) => {
      expect(costOf(cost)({ epochs: 1, plan: null })).toBe(0)
    },
  )

  it.each([
    ['{epoch} * 2', 'unknown axis: epoch'],
    ['process.exit()', 'unknown function: process.exit'],
    ['constructor', 'unknown axis: constructor'],
    ['{a-b}', "cost: {a-b} can't stand in an expression"],
    ['"a"', 'gives a text (a number is wanted)'],
    ['{mode} * 2', 'takes a number: mode is a text'],
    ['{epochs', 'not understood'],
    ['('.repeat(500), 'more than 50 levels deep'],
    [{ epochs: 1 }, 'is not an expression over the axes'],
    [null, 'is not an expression over the axes'],
  ])('is refused in a sentence where it is %j', (cost, sentence) => {
    expect(() => costOf(cost)).toThrow(sentence)
    expect(() => costOf(cost)).not.toThrow(RangeError)
  })

  it('decides which trials run first, and nothing else: the command is the same', () => {
    const cost = costOf('{epochs} * {width}')
    const points = axes.epochs.flatMap((epochs) => axes.width.map((width) => ({ epochs, width })))
    const trials = points.map((params, index) => ({ id: `${index}`, index, params, parents: [], cost: cost(params) }))
    const scheduler = new GridScheduler(trials as unknown as Trial[])
    const order = trials.map(() => scheduler.suggest() as { trial: Trial }).map(({ trial }) => trial.cost)
    expect(order).toEqual([20, 10, 10, 5, 2, 1])
    expect(hashCommand(parsed('{epochs}'))).toBe(hashCommand(parsed(undefined)))
  })
})
