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
    runSweep({ experiment: fall, name: 'falls', axes: { floor: [3, 1, 2] }, ...more } as SweepDescription, {
      store,
      onMessage: (message) => said.push(message),
      ...options,
    })
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
