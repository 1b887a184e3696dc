import { expect } from 'vitest'
import { toyAssignment } from '../conformance/backend.js'
import type { RemoteLab } from './remote-lab.js'

/** Runs so many trials of nothing on one remote worker with two slots, and expects one result of each and none lost. */
export async function runEachOnce(lab: RemoteLab, count: number): Promise<void> {
  const windowTrials = 1_000
  const { backend, listener } = await lab.backend('many', { window: windowTrials })
  await lab.worker('many', { slots: 2 })
  const assignments = Array.from({ length: count }, () => toyAssignment({ steps: 0 }))
  let started = 0
  let ended = 0
  const next = async (): Promise<void> => {
    const assignment = assignments[started++]
    if (assignment !== undefined) await backend.start(assignment)
  }
  for (let i = 0; i < windowTrials; i++) await next()
  while (ended < count) {
    await listener.until(({ type }) => type === 'ended')
    ended++
    await next()
  }
  const ends = new Set(listener.seen.flatMap((event) => (event.type === 'ended' ? [event.trial] : [])))
  expect(ends.size).toBe(count)
  expect(listener.seen.filter(({ type }) => type === 'lost')).toEqual([])
  const broker = await lab.broker('many')
  const { state } = await broker.jsm.streams.info(broker.names.results)
  expect(state.messages).toBe(count)
}
