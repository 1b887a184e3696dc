import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  defineExperiment,
  number,
  openSweep,
  runSweep,
  type RunOptions,
  type SweepDescription,
} from '../../src/index.js'
import { temporaryFolder } from '../helpers/cli.js'

/** Falls to its floor in five steps; `gain` rises as `loss` falls. */
const fall = defineExperiment({
  name: 'fall',
  space: { floor: number({ default: 0 }) },
  figures: [],
  async run({ floor }, { report }) {
    for (let step = 1; step <= 5; step++) await report(step, { loss: floor + 1 / step, gain: -floor })
    return { loss: floor + 1 / 5, gain: -floor }
  },
})

const openStore = () => {
  const store = join(temporaryFolder(), 'store')
  const said: string[] = []
  const sweep = (more: Partial<SweepDescription>, options: RunOptions & { extend?: boolean } = {}) =>
    runSweep(
      { experiment: fall, name: 'falls', axes: { floor: [3, 1, 2] }, ...more },
      {
        store,
        onMessage: (message) => said.push(message),
        ...options,
      },
    )
  const objective = async () => (await openSweep('falls', { store, experiment: fall })).objective()
  return { store, said, sweep, objective }
}

describe('another objective for a sweep that is there', () => {
  const loss = { metric: 'loss', direction: 'minimize' } as const

  it.each([
    [{ metric: 'losss' }, loss, 'minimize losss', 'minimize loss'],
    [loss, { metric: 'loss', direction: 'maximize' } as const, 'minimize loss', 'maximize loss'],
    [undefined, { metric: 'gain', direction: 'maximize' } as const, 'minimize loss', 'maximize gain'],
  ])('is taken and said where no rule goes by it: %j, then %j', async (before, after, was, is) => {
    const { said, sweep, objective } = openStore()
    await sweep(before === undefined ? {} : { objective: before })
    said.length = 0
    const { summary, sweep: again } = await sweep({ objective: after })
    expect(said[0]).toBe(`The objective is now ${is} (it was ${was}).`)
    expect(summary).toMatchObject({ planned: 3, finished: 3 })
    expect(await objective()).toEqual(after)
    expect((await again.best())[0]!.params).toEqual({ floor: is === 'maximize loss' ? 3 : 1 })
    said.length = 0
    await sweep({ objective: after })
    expect(said.join()).not.toContain('objective')
  })

  it('is taken while a sweep grows, and the same one is not said', async () => {
    const { said, sweep, objective } = openStore()
    await sweep({ objective: loss })
    await sweep({ objective: loss, axes: { floor: [4] } }, { extend: true })
    expect(said.join()).not.toContain('objective')
    const gain = { metric: 'gain', direction: 'maximize' } as const
    await sweep({ objective: gain, axes: { floor: [5] } }, { extend: true })
    expect(said).toContain('The objective is now maximize gain (it was minimize loss).')
    expect(await objective()).toEqual(gain)
  })

  it.each([false, true])('is refused with the difference where a rule goes by it (extend: %s)', async (extend) => {
    const { sweep, objective } = openStore()
    const scheduler = { plateau: { patience: 3 } }
    await sweep({ objective: loss, scheduler })
    await expect(
      sweep({ objective: { metric: 'loss', direction: 'maximize' }, scheduler }, { extend }),
    ).rejects.toMatchObject({
      message:
        'sweep falls exists with another objective, by which its rule plateau stops trials: minimize loss (now maximize loss)',
      hint: 'give this one another --name: trials that finished are taken over',
      exitCode: 2,
    })
    expect(await objective()).toEqual(loss)
    const { summary } = await sweep({ objective: { metric: 'loss', direction: 'maximize' }, scheduler, name: 'other' })
    expect(summary).toMatchObject({ sweep: 'other', planned: 3, finished: 3 })
  })

  it('is taken where every rule names what it goes by itself', async () => {
    const { said, sweep } = openStore()
    const scheduler = { plateau: { patience: 3, metric: 'loss', direction: 'minimize' } } as const
    await sweep({ scheduler })
    await sweep({ scheduler, objective: { metric: 'gain', direction: 'maximize' } })
    expect(said).toContain('The objective is now maximize gain (it was minimize loss).')
  })
})

describe('another stopping rule for a sweep that is there', () => {
  it.each([false, true])('is refused with the difference (extend: %s)', async (extend) => {
    const { sweep } = openStore()
    await sweep({ scheduler: { asha: { maxSteps: 5 } } })
    await expect(
      sweep(
        { scheduler: ['median', { target: { value: 0.1, metric: 'loss' } }], axes: { floor: [1, 2, 3] } },
        { extend },
      ),
    ).rejects.toMatchObject({
      message:
        'sweep falls exists with another scheduler: asha:maxSteps=5 (now median and target:value=0.1,metric=loss)',
      exitCode: 2,
    })
    await expect(sweep({ axes: { floor: [4] } }, { extend: true })).rejects.toThrow(
      'sweep falls exists with another scheduler: asha:maxSteps=5 (now none)',
    )
  })
})

describe('a metric that no trial reports', () => {
  it('is told as the objective when the first trial has finished, with the nearest name; the sweep goes on', async () => {
    const { said, sweep } = openStore()
    const { summary } = await sweep({ objective: { metric: 'losss' } }, { workers: 1 })
    expect(said.filter((line) => line.includes('losss'))).toEqual([
      'No trial that has finished reports the objective, losss; did you mean loss? (reported: loss, gain).',
    ])
    expect(summary).toMatchObject({ planned: 3, finished: 3 })
  })

  it('is told too where results are taken over, and where nothing is left to run', async () => {
    const { said, sweep } = openStore()
    await sweep({})
    const told = 'No trial that has finished reports the objective, losss; did you mean loss? (reported: loss, gain).'
    const objective = { metric: 'losss' }
    for (const again of [{ name: 'other' }, { name: 'other' }, { name: 'more', axes: { floor: [1, 4] } }]) {
      said.length = 0
      await sweep({ objective, ...again })
      expect(said.filter((line) => line.includes('losss'))).toEqual([told])
    }
  })

  it.each([
    [{ objective: { metric: 'losss' }, scheduler: { asha: { maxSteps: 5 } } }, 'asha', 'losss', 'loss'],
    [{ scheduler: ['median', { target: { value: 1, metric: 'gian' } }] }, 'target', 'gian', 'gain'],
  ])('ends the sweep where a rule goes by it, since that would stop nothing: %j', async (more, rule, metric, near) => {
    const { said, sweep } = openStore()
    const { summary } = await sweep(more, { workers: 1 })
    const why = `the rule ${rule} would stop nothing: no trial has reported ${metric} at a step; did you mean ${near}? (reported: loss, gain)`
    expect(summary).toMatchObject({ planned: 3, finished: 1, missing: 2, cutShort: why })
    expect(summary.advice).toContain('sweep again with another --name: what has finished is taken over')
    expect(said.filter((line) => line.includes(metric))).toEqual([`Nothing more is started: ${why}.`])
  })

  it('is told of as a rule’s too where all results are taken over, and where nothing is left to run', async () => {
    const { said, sweep } = openStore()
    await sweep({})
    for (let i = 0; i < 2; i++) {
      said.length = 0
      const { summary } = await sweep({ name: 'other', scheduler: { target: { value: 1, metric: 'gian' } } })
      expect(summary).toMatchObject({ planned: 3, finished: 3 })
      expect(said.filter((line) => line.includes('gian'))).toEqual([
        'The rule target would stop nothing: no trial has reported gian at a step; did you mean gain? (reported: loss, gain).',
      ])
    }
  })

  it('ends the sweep too where trials report without a step', async () => {
    const { store } = openStore()
    const endless = { ...fall, stages: [{ ...fall.stages[0], run: () => ({ loss: 1 }) }] as const }
    const scheduler = { plateau: { patience: 3 } }
    const { summary } = await runSweep({ experiment: endless, axes: { floor: [1, 2] }, scheduler }, { store })
    expect(summary).toMatchObject({
      finished: 1,
      missing: 1,
      cutShort:
        'the rule plateau would stop nothing: no trial has reported loss at a step, only at its end (a program prints lines such as {"step": 1, "loss": 0.5})',
    })
  })

  it('is no reason to end early where all is done by then', async () => {
    const { said, sweep } = openStore()
    const { summary } = await sweep({ axes: {}, scheduler: { target: { value: 1, metric: 'none' } } })
    expect(summary).toMatchObject({ planned: 1, finished: 1 })
    expect(summary.cutShort).toBeUndefined()
    expect(said.join()).toContain('the rule target would stop nothing')
  })

  it('is not missed where an earlier process saw it', async () => {
    const { said, sweep } = openStore()
    const rare = defineExperiment({
      name: 'rare',
      space: { floor: number({ default: 0 }) },
      figures: [],
      async run({ floor }, { report }) {
        await report(1, floor === 1 ? { loss: floor } : { other: 1 })
        return floor === 1 ? { loss: floor } : { other: 1 }
      },
    })
    const scheduler = { plateau: { patience: 3 } }
    const drain = new AbortController()
    const described = { experiment: rare, axes: { floor: [1, 2, 3] }, scheduler }
    await sweep(described, {
      workers: 1,
      drain: drain.signal,
      onEvent: ({ type }) => type === 'ended' && drain.abort(),
    })
    const { summary } = await sweep(described, { workers: 1 })
    expect(summary).toMatchObject({ planned: 3, finished: 3 })
    expect(said.join()).not.toContain('no trial')
  })
})
