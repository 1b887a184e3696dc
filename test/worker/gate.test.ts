import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { defineExperiment, defineStage } from '../../src/experiments/experiment.js'
import { integer } from '../../src/core/space.js'
import type { Trial } from '../../src/core/trial.js'
import { Gate } from '../../src/worker/gate.js'
import { InlineBackend } from '../../src/worker/inline.js'
import { temporaryFolder } from '../helpers/cli.js'
import { plainExperiment } from '../helpers/experiments.js'

/** Its only metric is how many listeners its signal had, at most, while it reported. */
const chatty = defineExperiment({
  ...plainExperiment(),
  name: 'chatty',
  objective: { metric: 'listeners', direction: 'minimize' },
  stages: [
    defineStage({
      name: 'main',
      space: { reports: integer({ default: 1 }) },
      data: () => [],
      cost: () => 1,
      engine: false,
      async run({ reports }, { report, signal }) {
        let most = 0
        for (let step = 1; step <= reports; step++) {
          await report(step, { step })
          most = Math.max(most, getEventListeners(signal, 'abort').length)
        }
        return { listeners: most }
      },
    }),
  ],
})

describe('an attempt that waits for the scheduler after each report', () => {
  it('listens for its end once, however many reports it makes', async () => {
    const backend = new InlineBackend(1, {
      findExperiment: async () => chatty,
      engine: () => Promise.reject(new Error('no engine here')),
      data: () => Promise.reject(new Error('no data here')),
      putObject: () => Promise.reject(new Error('no store here')),
      readObject: () => Promise.reject(new Error('no store here')),
      logsFolder: temporaryFolder(),
      checkpointsFolder: temporaryFolder(),
      worker: 'inline',
      clock: systemClock,
    })
    const trial: Trial = {
      ...{ id: '0123456789abcdef', index: 0, experiment: 'chatty', version: 1, stage: 'main', cost: 1, parents: [] },
      params: { reports: 10_000 },
      seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
    }
    await backend.start({ sweep: 's', trial, attempt: 1, parents: [], reads: [], engine: 'cpu', interactive: true })
    let reports = 0
    for await (const event of backend.events()) {
      if (event.type === 'report') {
        reports++
        backend.proceed(trial.id)
      }
      if (event.type !== 'ended') continue
      expect(event.outcome).toMatchObject({ state: 'finished', metrics: { listeners: 1 } })
      await backend.close()
    }
    expect(reports).toBe(10_000)
  })

  it('goes on when the gate opens, and ends when its signal is aborted, before it waits or while it does', async () => {
    const controller = new AbortController()
    const gate = new Gate(controller.signal)
    const passed = gate.wait()
    gate.open()
    await passed
    const held = gate.wait()
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(held).rejects.toBe(reason)
    await expect(gate.wait()).rejects.toBe(reason)
  })
})
