import { describe, expect, it } from 'vitest'
import type { Outcome, Trial } from '../../../src/core/trial.js'
import { describeNothingLeft, putBack, rerunnable, takeLeft, type Rerun } from '../../../src/app/running/left-to-run.js'
import { SweepState } from '../../../src/sweeps/journal/state.js'

const trial = (id: string, parents: readonly string[] = []): Trial => ({
  ...{ id, index: 0, experiment: 'toy', version: 1, stage: parents.length === 0 ? 'train' : 'derive' },
  ...{ params: {}, seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 }, parents, cost: 1 },
})

const outcomes: Record<string, Outcome> = {
  finished: { state: 'finished', metrics: {}, artifacts: {} },
  stopped: { state: 'stopped', reason: 'a rule', metrics: {}, artifacts: {} },
  failed: { state: 'failed', error: { name: 'Error', message: 'no' } },
  dead: { state: 'dead', reason: 'gone' },
  cancelled: { state: 'cancelled', reason: 'by a person' },
  skipped: { state: 'skipped', reason: 'its parent failed' },
}

/** One trial for each way to stand, named after it: `missing` never began, `lost` was running when its process died. */
function stateOfAll(): SweepState {
  const derived = trial('of stopped', ['stopped'])
  const state = new SweepState([...[...Object.keys(outcomes), 'missing', 'lost'].map((id) => trial(id)), derived])
  for (const [id, outcome] of Object.entries({ ...outcomes, 'of stopped': outcomes['skipped']! })) {
    if (outcome.state !== 'skipped') state.apply({ type: 'started', trial: id, attempt: 1, atMs: 0, worker: 'w' })
    state.apply({ type: 'ended', trial: id, attempt: 1, atMs: 1, outcome })
  }
  state.apply({ type: 'started', trial: 'lost', attempt: 1, atMs: 2, worker: 'w' })
  state.forgetRunning()
  return state
}

describe('the trials that are left to run', () => {
  it.each<[readonly Rerun[], readonly string[]]>([
    [rerunnable, ['failed', 'dead', 'cancelled', 'skipped', 'missing', 'lost']],
    [['missing'], ['missing', 'lost']],
    [['failed'], ['failed']],
    [['dead'], ['dead']],
    [['cancelled'], ['cancelled']],
    [['skipped'], ['skipped']],
    [
      ['failed', 'missing'],
      ['failed', 'missing', 'lost'],
    ],
    [[], []],
  ])('of %j are those that stand so, and never a result or what can have none', (only, left) => {
    const state = stateOfAll()
    const { trials } = takeLeft(state, new Set(only))
    expect([...trials]).toEqual(left)
    for (const id of left) expect(state.trials.get(id)).toMatchObject({ state: 'planned' })
    expect(state.trials.get('finished')).toMatchObject({ state: 'finished' })
  })

  it('end as they had ended before when they are not begun again', () => {
    const state = stateOfAll()
    const left = takeLeft(state, new Set(rerunnable))
    state.apply({ type: 'started', trial: 'dead', attempt: 2, atMs: 3, worker: 'w' })
    putBack(state, left)
    expect(state.trials.get('failed')).toMatchObject({ state: 'failed', outcome: outcomes['failed'] })
    expect(state.trials.get('dead')).toMatchObject({ state: 'running', attempts: 2 })
    expect(state.trials.get('missing')).toMatchObject({ state: 'planned' })
  })

  it('are named by number where those of some states alone were asked for', () => {
    const state = stateOfAll()
    expect(describeNothingLeft(new Set(rerunnable), state)).toBe('Nothing is left to run.')
    expect(describeNothingLeft(new Set(['cancelled', 'skipped']), state)).toBe(
      'Nothing is run: no trial that can run is cancelled or skipped (2 missing, 1 failed, 1 dead).',
    )
  })
})
