import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { listSweeps } from '../../src/app/list.js'
import { freezePlan } from '../../src/app/planning/freeze-plan.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { thoseWhere, type Candidate } from '../../src/app/where.js'
import type { Metrics, Params, Trial } from '../../src/core/trial.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

const sweep = (
  name: string,
  points: readonly Params[],
  tags: readonly string[] = [],
  failed = 0,
  results: readonly (Metrics | undefined)[] = [],
): Candidate => ({
  facts: { sweep: name, experiment: 'toy', failed },
  tags,
  trials: points.map((params, seed) => ({
    params,
    seeds: { init: seed } as Trial['seeds'],
    ...(results[seed] === undefined ? {} : { metrics: results[seed] }),
  })),
})
const all = [
  sweep(
    'a',
    [
      { lr: 0.001, act: 'relu' },
      { lr: 0.1, act: 'tanh' },
    ],
    ['paper', 'old'],
    2,
    [{ loss: 0.5, 'test/loss': 0.7 }, undefined],
  ),
  sweep('b', [{ lr: 0.01, act: 'relu' }], ['paper'], 0, [{ loss: 0.2, 'test/loss': NaN, lr: 7, 'a b-c': 1 }]),
  sweep('c', [{ width: 8, 'model.layers': 2, constructor: 'x' }]),
  sweep('d', [{ lr: 'auto' }], ['draft']),
]
const found = (condition: string): string[] =>
  thoseWhere(condition, all, (one) => one).map(({ facts }) => String(facts['sweep']))

describe('sweeps are found', () => {
  it.each([
    ['lr>=0.01 and tag=paper', ['a', 'b']],
    ['lr >= 0.01 and act = relu', ['b']],
    ["act == 'tanh'", ['a']],
    ['lr=auto', ['d']],
    ['tag!=paper', ['a', 'c', 'd']],
    ['failed > 0 or width = 8', ['c']],
    ['failed>0', ['a']],
    ['sweep=c', ['c']],
    ['seed=1', ['a']],
    ['model.layers=2', ['c']],
    ["constructor = 'x'", ['c']],
    ['toString = 1', []],
    ["act = 'a=b'", []],
    // What a trial came to: of one trial, as its axes are.
    ['loss<0.3', ['b']],
    ['loss<1 and lr<=0.001', ['a']],
    ['loss<1 and lr=0.1', []],
    ['test/loss<1', ['a']],
    ['`test/loss`<1 and test/loss>0.6', ['a']],
    ['(test/loss)*2>=1.4', ['a']],
    ['a b-c=1', ['b']],
    ['best<1 or loss<0.3', []],
    // An axis counts before a metric of its name.
    ['lr=7', []],
    ["'test/loss' = act", []],
  ])('by %s: %j', (condition, wanted) => {
    expect(found(condition)).toEqual(wanted)
  })

  it('with a word about which names nothing, and that is told', () => {
    const told: (readonly string[])[] = []
    thoseWhere(
      'los<1 and tag=paper and seed=0 and lr>0',
      all,
      (one) => one,
      (words) => told.push(words),
    )
    expect(told).toEqual([['los', 'paper']])
  })

  it.each([
    ['lr >', /./],
    ['', /./],
    ['1 + 1', /--where: 1 \+ 1: is a number/],
    ['lr >= 0.01; drop', /./],
    ['('.repeat(5000), /./],
  ])('%j is refused with a sentence', (condition, message) => {
    expect(() => found(condition)).toThrow(message)
    expect(() => found(condition)).toThrow(expect.objectContaining({ code: 'SPACE' }) as Error)
  })

  it('in a store, by the tags of their files and the parameters of their trials', async () => {
    const folder = temporaryFolder()
    const store = openStore(join(folder, 'store'))
    for (const [name, rest] of Object.entries({ one: 'tags: paper', two: 'tags: [paper, old]', three: 'repeat: 2' })) {
      const file = join(folder, `${name}.yaml`)
      writeFileSync(
        file,
        `experiment: {command: 'true {lr}'}\nname: ${name}\naxes: {lr: [${name.length / 100}]}\n${rest}\n`,
      )
      const { plan, experiment } = await planTarget(file, { set: [] }, store)
      await freezePlan(store, plan, experiment)
    }
    const names = async (where: string) => (await listSweeps(store, () => {}, where)).map(({ sweep }) => sweep).sort()
    expect(await names('lr>=0.03 and tag=paper')).toEqual(['one', 'two'])
    expect(await names('tag=old')).toEqual(['two'])
    expect(await names('lr=0.05 or missing>10')).toEqual(['three'])
    await expect(names('lr>')).rejects.toThrow()
  })
})
