import { SimulatedClock } from '../../src/core/clock.js'
import type { Assignment, Outcome } from '../../src/core/trial.js'
import { SimulatedBackend, type SimulatedAttempt } from '../../src/worker/simulated.js'
import { backendSuite } from '../conformance/backend.js'
import { toyCustom } from '../helpers/custom-modules.js'

/** How the toy experiment would go, in the simulation's terms: what it does is the model's, that it is told is the backend's. */
function toyModel({ trial, parents, reads, watch = [] }: Assignment): SimulatedAttempt {
  const { params, seeds } = trial
  const behaviour = String(params['behaviour'])
  const steps = Number(params['steps'])
  const failed = (message: string): SimulatedAttempt => ({
    reports: [],
    endAfterMs: 1,
    end: { state: 'failed', error: { name: 'Error', message } },
  })
  if (trial.experiment !== toyCustom.name) return failed(`unknown experiment: ${trial.experiment}`)
  if (trial.version !== 1) return failed('experiment toy is of another version here: 1')
  if (behaviour === 'fail') return failed('it was asked to fail')
  if (behaviour === 'die' || behaviour === 'hog') return { reports: [], endAfterMs: 1, end: 'lost' }
  const diverged = (metric: string, metrics: Record<string, number>, step?: number) =>
    ({ state: 'diverged', metric, metrics, artifacts: {}, ...(step === undefined ? {} : { step }) }) as const
  const finished = (metrics: Record<string, number>, artifacts = {}): Outcome => ({
    state: 'finished',
    metrics,
    artifacts,
  })
  if (behaviour === 'glyphs' || behaviour === 'inherited-glyphs')
    return reads.includes('glyphs-20')
      ? { reports: [], endAfterMs: 1, end: finished({ rows: 20 }) }
      : failed('the trial asks for a data set that neither its stage nor an earlier one names: glyphs-20')
  if (behaviour === 'save') {
    const numbers = { sha256: '0'.repeat(64), sizeBytes: 3 }
    return { reports: [], endAfterMs: 1, end: finished({ sum: 3 + steps }, { numbers }) }
  }
  if (behaviour === 'load')
    return { reports: [], endAfterMs: 1, end: finished({ sum: 3 + Number(parents[0]!.trial.params['steps']) }) }
  if (behaviour === 'diverge') {
    const reports = [0, NaN].map((loss, i) => ({ afterMs: 1, step: i + 1, metrics: { loss } }))
    return { reports, endAfterMs: 1, end: diverged('loss', { loss: NaN }, 2) }
  }
  if (behaviour === 'diverge-at-end') {
    const numbers = { sha256: '0'.repeat(64), sizeBytes: 1 }
    const end: Outcome = { ...diverged('loss', { loss: -Infinity, sum: 1 }), artifacts: { numbers } }
    return { reports: [], endAfterMs: 1, end }
  }
  if (behaviour === 'catch') return { reports: [], endAfterMs: 1, end: diverged('loss', { loss: NaN }, 1) }
  if (behaviour === 'unscored') {
    const metrics = { loss: 1, score: NaN }
    return {
      reports: [],
      endAfterMs: 1,
      end: watch.includes('score') ? diverged('score', metrics, 1) : finished(metrics),
    }
  }
  let value = seeds.init
  const reports = Array.from({ length: behaviour === 'wait' ? 10_000 : steps }, (_, i) => {
    value = (value * 1103515245 + 12345) % 2147483648
    return { afterMs: 1, step: i + 1, metrics: { loss: value / 2147483648 } }
  })
  return { reports, endAfterMs: 1, end: finished({ loss: value / 2147483648 }) }
}

backendSuite('simulated', async (capacity) => new SimulatedBackend(capacity, new SimulatedClock(), toyModel), {
  survivesCrashes: true,
  keepsCheckpoints: false,
})
