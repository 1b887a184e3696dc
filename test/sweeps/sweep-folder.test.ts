import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { MldsError } from '../../src/core/errors.js'
import { findTrial } from '../../src/sweeps/find-trial.js'
import { Journal } from '../../src/sweeps/journal/journal.js'
import { makePlan, type Plan } from '../../src/sweeps/plan.js'
import type { SweepSpec } from '../../src/sweeps/spec/spec.js'
import { diffPlans, meansAbsent, resolveSweepId, SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore, type Store } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'
import { plainExperiment } from '../helpers/experiments.js'

const plan = (widths: readonly number[], more: Partial<SweepSpec> = {}): Plan =>
  makePlan(
    plainExperiment(),
    { experiment: 'toy', name: 'mine', axes: { width: widths }, seeds: [0], ...more },
    () => 'none',
  )
const emptyStore = (): Store => openStore(join(temporaryFolder(), 'store'))
const create = (store: Store, of: Plan, createdAtMs = 1): Promise<SweepFolder> =>
  SweepFolder.create(store, of, { codeVersion: '0', createdAtMs })

describe("a sweep's folder", () => {
  it('is made once for a plan, and opened by the same plan again', async () => {
    const store = emptyStore()
    await create(store, plan([1, 2]), 1)
    expect((await create(store, plan([2, 1]), 9)).plan.createdAtMs).toBe(1)
    expect((await SweepFolder.open(store, 'mine')).plan.trials).toEqual(plan([1, 2]).trials)
  })

  it('refuses another plan under its name, and says what would change', async () => {
    const store = emptyStore()
    await create(store, plan([1, 2]))
    await expect(create(store, plan([2, 4, 8]))).rejects.toThrow(
      'sweep mine exists with another plan: 2 trials would be new, 1 would be gone (width: +4 +8 −1)',
    )
  })

  it('refuses other stopping rules, also where it is extended', async () => {
    const store = emptyStore()
    const scheduler = [{ rule: 'median', options: {} }] as unknown as NonNullable<SweepSpec['scheduler']>
    const sweep = await create(store, plan([1]))
    await expect(create(store, plan([1], { scheduler }))).rejects.toThrow('exists with another scheduler')
    await expect(sweep.extend(plan([1, 2], { scheduler }))).rejects.toThrow('exists with another scheduler')
  })

  it('keeps every trial that was planned when it is extended, and numbers the new ones behind them', async () => {
    const store = emptyStore()
    const extended = await (await create(store, plan([4, 8]))).extend(plan([1, 4]))
    expect(extended.plan.trials.map(({ index, params }) => [index, params['width']])).toEqual(
      [...plan([4, 8]).trials.map(({ params }) => params['width']), 1].map((width, index) => [index, width]),
    )
    expect((await SweepFolder.open(store, 'mine')).plan.hash).toBe(extended.plan.hash)
  })

  it('is taken back as long as nothing new has run', async () => {
    const store = emptyStore()
    const before = await create(store, plan([4]))
    const extended = await before.extend(plan([4, 8]))
    await extended.takeBack(before.plan)
    expect((await SweepFolder.open(store, 'mine')).plan.trials).toHaveLength(1)
    const again = await before.extend(plan([4, 8]))
    const added = again.plan.trials.find(({ params }) => params['width'] === 8)!
    const journal = Journal.open(again.journalFile)
    journal.append({ type: 'started', trial: added.id, attempt: 1, worker: 'w', atMs: 1 })
    journal.close()
    await again.takeBack(before.plan)
    expect((await SweepFolder.open(store, 'mine')).plan.trials).toHaveLength(2)
  })

  it('that was new goes away whole when it is taken back', async () => {
    const store = emptyStore()
    const sweep = await create(store, plan([4]))
    await sweep.takeBack(undefined)
    expect(existsSync(sweep.folder)).toBe(false)
    const missing = await SweepFolder.open(store, 'mine').catch((error: unknown) => error)
    expect(meansAbsent(missing)).toBe(true)
  })
})

describe('what takes a trial', () => {
  it('says of a sweep that it is one, and what shows it', async () => {
    const store = emptyStore()
    await create(store, plan([4]))
    for (const typed of ['latest', 'mine', 'sweeps/mine']) {
      const refused = (await findTrial(store, typed).catch((error: unknown) => error)) as MldsError
      expect(refused.message).toContain(`${typed} is a sweep`)
      expect(refused.exitCode).toBe(2)
      expect(refused.hint).toContain('mlds status mine')
    }
    await expect(findTrial(store, 'zzzz')).rejects.toThrow('unknown trial: zzzz')
  })
})

describe('a name of a sweep', () => {
  it.each([
    ['whole', 'alpha-1', 'alpha-1'],
    ['its beginning', 'alpha-2', 'alpha-22'],
    ['its folder', 'sweeps/beta', 'beta'],
    ['the newest', 'latest', 'beta'],
  ])('is understood: %s', async (_, typed, id) => {
    const store = emptyStore()
    for (const [at, name] of ['alpha-1', 'alpha-22', 'beta'].entries()) await create(store, plan([1], { name }), at)
    expect(await resolveSweepId(store, typed)).toBe(id)
  })

  it.each([
    ['several begin with it', 'alpha', 'several sweeps begin with alpha: alpha-1, alpha-22'],
    ['none does', 'gamma', 'unknown sweep: gamma'],
  ])('is refused where %s', async (_, typed, message) => {
    const store = emptyStore()
    for (const [at, name] of ['alpha-1', 'alpha-22'].entries()) await create(store, plan([1], { name }), at)
    await expect(resolveSweepId(store, typed)).rejects.toThrow(message)
  })
})

it('tells two plans apart by their values, axis by axis', () => {
  const differences = diffPlans(plan([1, 2]).trials, plan([2, 3], { axes: { width: [2, 3], rate: [0.1, 0.5] } }).trials)
  expect(differences).toEqual({ added: 3, removed: 1, axes: 'width: +3 −1; rate: +0.5' })
})
