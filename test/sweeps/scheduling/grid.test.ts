import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GridScheduler } from '../../../src/sweeps/scheduling/grid.js'
import type { Outcome, Trial } from '../../../src/core/trial.js'

const trial = (id: string, cost = 1, parents: string[] = [], index = 0): Trial => ({
  id,
  index,
  experiment: 'toy',
  version: 1,
  stage: parents.length === 0 ? 'main' : 'line',
  params: {},
  seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
  parents,
  cost,
})
const finished: Outcome = { state: 'finished', metrics: {}, artifacts: {} }
const failed: Outcome = { state: 'failed', error: { name: 'Error', message: 'no' } }
const drain = (scheduler: GridScheduler): string[] => {
  const ids: string[] = []
  for (let s = scheduler.suggest(); s !== undefined; s = scheduler.suggest())
    ids.push(s.skip === undefined ? s.trial.id : `skip ${s.trial.id}`)
  return ids
}

describe('the grid scheduler', () => {
  it('runs the costliest first, equal ones in plan order', () => {
    expect(
      drain(
        new GridScheduler([trial('a', 1, [], 0), trial('b', 9, [], 1), trial('c', 9, [], 2), trial('d', 5, [], 3)]),
      ),
    ).toEqual(['b', 'c', 'd', 'a'])
  })

  it('starts a derived trial when the last of its parents has finished, and not before', () => {
    const [a, b, child] = [trial('a', 2), trial('b', 1), trial('c', 1, ['a', 'b'])]
    const scheduler = new GridScheduler([a, b, child])
    expect(drain(scheduler)).toEqual(['a', 'b'])
    scheduler.recordEnd(a, finished)
    expect(drain(scheduler)).toEqual([])
    scheduler.recordEnd(b, finished)
    expect(drain(scheduler)).toEqual(['c'])
  })

  it('skips the children of a failed trial, and their children in turn', () => {
    const [a, child, grandchild] = [trial('a'), trial('c', 1, ['a']), trial('g', 1, ['c'])]
    const scheduler = new GridScheduler([a, child, grandchild])
    scheduler.suggest()
    scheduler.recordEnd(a, failed)
    const skip = scheduler.suggest()
    expect(skip).toMatchObject({ trial: { id: 'c' }, skip: expect.stringContaining('parent a') as string })
    scheduler.recordEnd(child, { state: 'skipped', reason: skip!.skip! })
    expect(drain(scheduler)).toEqual(['skip g'])
  })

  it('starts what the plan grew by at once, later, or never, as its parents have ended', () => {
    const [a, b, c] = [trial('a', 3), trial('b', 2), trial('c', 1)]
    const scheduler = new GridScheduler([a, b, c])
    drain(scheduler)
    const ends = new Map<string, Outcome>([
      ['a', finished],
      ['b', failed],
    ])
    const end = (of: Trial, outcome: Outcome): void => {
      ends.set(of.id, outcome)
      scheduler.recordEnd(of, outcome)
    }
    end(a, finished)
    end(b, failed)
    const grown = [trial('of-a', 1, ['a']), trial('of-b', 1, ['b']), trial('of-a-and-c', 1, ['a', 'c']), trial('new')]
    scheduler.add(grown, (id) => ends.get(id))
    expect(drain(scheduler).sort()).toEqual(['new', 'of-a', 'skip of-b'])
    end(c, finished)
    expect(drain(scheduler)).toEqual(['of-a-and-c'])
  })

  it('does not suggest what a journal has already concluded', () => {
    const trials = [trial('a', 3), trial('b', 2), trial('c', 1, ['a'])]
    const scheduler = new GridScheduler(trials)
    scheduler.recordEnd(trials[0]!, finished)
    expect(drain(scheduler)).toEqual(['b', 'c'])
  })

  it('suggests every trial exactly once, whatever the costs, the parents, and the order in which trials end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ cost: fc.nat(5), parents: fc.array(fc.nat(20), { maxLength: 3 }), ok: fc.boolean() }), {
          maxLength: 25,
        }),
        fc.infiniteStream(fc.nat()),
        (items, picks) => {
          const trials = items.map(({ cost, parents }, i) =>
            trial(`t${i}`, cost, [...new Set(parents.filter((p) => p < i).map((p) => `t${p}`))], i),
          )
          const scheduler = new GridScheduler(trials)
          const open: Trial[] = []
          const seen: string[] = []
          for (;;) {
            for (let s = scheduler.suggest(); s !== undefined; s = scheduler.suggest()) {
              seen.push(s.trial.id)
              if (s.skip === undefined) open.push(s.trial)
              else scheduler.recordEnd(s.trial, { state: 'skipped', reason: s.skip })
            }
            if (open.length === 0) break
            const next = open.splice((picks.next().value as number) % open.length, 1)[0]!
            scheduler.recordEnd(next, items[next.index]!.ok ? finished : failed)
          }
          expect(seen.sort()).toEqual(trials.map((t) => t.id).sort())
        },
      ),
    )
  })
})
