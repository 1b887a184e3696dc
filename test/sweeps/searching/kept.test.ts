import { describe, expect, it } from 'vitest'
import { Random } from '../../../src/core/seed.js'
import type { Assignment, Outcome, TrialId } from '../../../src/core/trial.js'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { planSearch } from '../../../src/sweeps/searching/plan-search.js'
import { recompute } from '../../../src/sweeps/searching/recompute.js'
import { suggestedBy } from '../../../src/sweeps/searching/replay.js'
import type { KeptSuggestion, SuggestionKeeper } from '../../../src/worker/backend.js'
import type { SimulatedAttempt } from '../../../src/worker/simulated.js'
import { plainExperiment } from '../../helpers/experiments.js'
import { fingerprint, learning, openSearchLab, searchSpec, type SearchLab } from '../../helpers/search-lab.js'

/** A valley at width 60; how long a trial takes is of its own and of the host. */
const valleyOn =
  (host: number, ended: ReadonlyMap<TrialId, Outcome> = new Map()) =>
  ({ trial }: Assignment): SimulatedAttempt => {
    const known = ended.get(trial.id)
    const chance = new Random(1, trial.id).uniform()
    const durationMs = 1 + Math.floor(1000 * -Math.log(1 - new Random(host, trial.id).uniform()))
    const loss = Math.abs(Math.log(Number(trial.params['width']) / 60))
    const finished: Outcome = { state: 'finished', metrics: { 'train/loss': loss }, artifacts: {} }
    const failed: Outcome = { state: 'failed', error: { name: 'Error', message: `odd ${trial.id}` } }
    return {
      reports: [],
      endAfterMs: known === undefined ? durationMs : 1,
      end: known ?? (chance < 0.1 ? failed : finished),
    }
  }

/** In memory, as a server has it. */
function keep(): SuggestionKeeper & { readonly all: KeptSuggestion[] } {
  const all = new Map<number, KeptSuggestion>()
  return {
    get all() {
      return [...all.values()]
    },
    read: async (from) => [...all.values()].filter(({ setting }) => setting >= from),
    keep: async (one) => void (all.has(one.setting) || all.set(one.setting, structuredClone(one))),
  }
}

const endsOf = (events: readonly JournalEvent[]): Map<TrialId, Outcome> =>
  new Map(events.flatMap((event) => (event.type === 'ended' ? [[event.trial, event.outcome] as const] : [])))
const suggestionsOf = (lab: SearchLab) =>
  lab.journal().flatMap((event) => {
    const one = suggestedBy(event)
    return one === undefined ? [] : [{ ...one, tookMs: 0 }]
  })

describe('what is kept of a search', () => {
  const orders = ['fixed', 'arrival'] as const
  const specIn = (order: (typeof orders)[number]) =>
    searchSpec({ sampler: 'tpe', count: 24, learning: { ...learning, order } }, { seeds: [0, 1] })
  const expectRecomputed = async (lab: SearchLab, order: (typeof orders)[number]): Promise<void> => {
    const made = [plainExperiment(), specIn(order), fingerprint] as const
    const again = await recompute(await planSearch(...made), lab.journal(), ...made)
    expect(again).toEqual({ settings: 24, others: [], next: 'none' })
  }

  it.each(orders)(
    'makes in order %s the same suggestions where the journal is not, whenever its host was lost',
    async (order) => {
      const whole = await openSearchLab(plainExperiment(), specIn(order))
      await whole.run({ model: valleyOn(1), workers: 5 })
      for (let left = 2; left < whole.journal().length; left += 11) {
        const server = keep()
        const first = await openSearchLab(plainExperiment(), specIn(order))
        await first.run({ model: valleyOn(1), workers: 5 })
        first.keep(left)
        // Sends what the journal holds, and is lost a while later.
        const lost = new AbortController()
        let events = 0
        const onEvent = (): void => void (++events > left / 3 && lost.abort())
        await first.run({ model: valleyOn(2), workers: 3, keeper: server, more: { onEvent, abort: lost.signal } })
        const before = suggestionsOf(first)
        expect(server.all.length).toBeGreaterThanOrEqual(before.length)

        const second = await openSearchLab(plainExperiment(), specIn(order))
        await second.run({ model: valleyOn(3, endsOf(first.journal())), workers: 4, keeper: server })
        expect(suggestionsOf(second).slice(0, before.length), `lost after event ${left}`).toEqual(before)
        expect(second.state.counts()).toMatchObject({ planned: 48, missing: 0 })
        await expectRecomputed(second, order)

        await first.run({ model: valleyOn(4, endsOf(second.journal())), workers: 2, keeper: server })
        expect(suggestionsOf(first)).toEqual(suggestionsOf(second))
        await expectRecomputed(first, order)
      }
    },
  )

  it.each(['worst', 'ignore'] as const)(
    'lets failures that taught (failed: %s) have taught, where only what they came to when they ran again is known',
    async (failed) => {
      for (const order of orders) {
        const spec = searchSpec(
          { sampler: 'tpe', count: 24, learning: { ...learning, order, failed } },
          { seeds: [0, 1] },
        )
        const made = [plainExperiment(), spec, fingerprint] as const
        const server = keep()
        const first = await openSearchLab(plainExperiment(), spec)
        await first.run({ model: valleyOn(1), workers: 5, keeper: server })
        expect(server.all.some((one) => (one.failed?.length ?? 0) > 0)).toBe(true)
        // They are the best of all now: a sampler that was told so would suggest others.
        const best: Outcome = { state: 'finished', metrics: { 'train/loss': -9 }, artifacts: {} }
        const rerun = [...endsOf(first.journal())].map(
          ([id, end]) => [id, end.state === 'failed' ? best : end] as const,
        )
        const elsewhere = await openSearchLab(plainExperiment(), spec)
        await elsewhere.run({ model: valleyOn(3, new Map(rerun)), workers: 4, keeper: server })
        expect(suggestionsOf(elsewhere)).toEqual(suggestionsOf(first))
        expect(elsewhere.state.counts()).toMatchObject({ planned: 48, finished: 48 })
        for (const lab of [first, elsewhere])
          expect(await recompute(await planSearch(...made), lab.journal(), ...made)).toEqual({
            settings: 24,
            others: [],
            next: 'none',
          })
      }
    },
  )

  it('goes on with a journal of an earlier version, and tells others in which order its sampler was told', async () => {
    const lab = await openSearchLab(plainExperiment(), specIn('arrival'))
    await lab.run({ model: valleyOn(1), workers: 5 })
    const made = [plainExperiment(), specIn('arrival'), fingerprint] as const
    const plan = await planSearch(...made)
    const withoutTold = lab.journal().map((event) => {
      if (event.type !== 'trials-added') return event
      const { told, ...because } = event.because
      expect(told).toBeInstanceOf(Array)
      return { ...event, because }
    })
    expect(await recompute(plan, withoutTold, ...made)).toEqual({ settings: 24, others: [], next: 'none' })

    const former = await openSearchLab(plainExperiment(), specIn('arrival'))
    former.write(withoutTold.slice(0, 90))
    const server = keep()
    await former.run({ model: valleyOn(2), workers: 3, keeper: server })
    await expectRecomputed(former, 'arrival')
    const elsewhere = await openSearchLab(plainExperiment(), specIn('arrival'))
    const model = valleyOn(3, endsOf(former.journal()))
    await elsewhere.run({ model, workers: 7, keeper: server })
    const values = (one: SearchLab) => suggestionsOf(one).map(({ values }) => values)
    expect(values(elsewhere)).toEqual(values(former))
    await expectRecomputed(elsewhere, 'arrival')
  })

  const altered: Record<string, (one: KeptSuggestion) => KeptSuggestion> = {
    'of a value outside its range': (one) => ({ ...one, values: { width: 5_000 } }),
    'of an axis that is not searched': (one) => ({ ...one, values: { ...one.values, depth: 3 } }),
    'of trials that are others': (one) => ({ ...one, trialsHash: '0123456789abcdef' }),
    'of a setting that was tried': (one) => ({ ...one, values: { width: 1 } }),
    'told of a setting that is not there': (one) => ({ ...one, told: [400] }),
    'told of a setting twice': (one) => ({ ...one, told: [one.told![0]!, one.told![0]!] }),
  }
  it.each(Object.entries(altered))('refuses what is none of this search: %s', async (_, alter) => {
    const server = keep()
    const first = await openSearchLab(plainExperiment(), specIn('arrival'))
    await first.run({ model: valleyOn(1), workers: 5, keeper: server })
    const hostile: SuggestionKeeper = {
      ...server,
      read: async (from) => (await server.read(from)).map((one) => (one.setting === 9 ? alter(one) : one)),
    }
    const second = await openSearchLab(plainExperiment(), specIn('arrival'))
    await expect(second.run({ model: valleyOn(1), workers: 5, keeper: hostile })).rejects.toThrow(/^setting 9 /)
  })

  it('says so where two hosts went on apart', async () => {
    const server = keep()
    for (const host of [1, 2]) {
      const lab = await openSearchLab(plainExperiment(), specIn('arrival'))
      await lab.run({ model: valleyOn(host), workers: 5 })
      const again = lab.run({ model: valleyOn(host), workers: 5, keeper: server })
      if (host === 1) await again
      else await expect(again).rejects.toThrow(/^another host went on with this search from setting \d+ on: {"width"/)
    }
  })
})
