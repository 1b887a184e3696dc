import { expect } from 'vitest'
import type { Metrics, Trial, TrialEvent } from '../../src/core/trial.js'
import type { ReadRun } from './mlflow.js'

/** A trial of a toy experiment in which `width` varies. */
export const toyTrial = (index: number): Trial => ({
  id: index.toString(16).padStart(16, '0'),
  index,
  experiment: 'toy',
  version: 1,
  stage: 'main',
  params: { width: 4 + index, rate: 0.001 },
  seeds: { data: 0, init: 0, shuffle: 0, corruption: 0 },
  parents: [],
  cost: 1,
})

/** A journal's line. */
export interface Entry {
  readonly event: TrialEvent
  readonly offset: number
}

/** A journal with every way to end: finished, diverged, stopped, lost and tried again, dead, skipped; one is long. */
export function eventfulJournal(): { trials: Trial[]; entries: Entry[] } {
  const trials = Array.from({ length: 7 }, (_, i) => toyTrial(i))
  let atMs = 1_700_000_000_000
  const entries: Entry[] = []
  const add = (event: object): void => {
    entries.push({ event: { atMs: (atMs += 7), ...event } as TrialEvent, offset: entries.length * 100 })
  }
  const run = (index: number, attempt: number, reports: number, metrics: (step: number) => Metrics): void => {
    add({ type: 'started', trial: trials[index]!.id, attempt, worker: `w${index % 2}` })
    for (let step = 1; step <= reports; step++)
      add({ type: 'report', trial: trials[index]!.id, attempt, step, metrics: metrics(step) })
  }
  const end = (index: number, attempt: number, outcome: object, more = {}): void =>
    add({ type: 'ended', trial: trials[index]!.id, attempt, outcome, ...more })
  const loss = (step: number): Metrics => ({
    'train/loss': 1 / (3 * step),
    'val/accuracy': step === 2 ? NaN : 0.1 * step,
  })
  run(0, 1, 5, loss)
  const usage = { peakBytes: 345_678_901, cpuShare: 1.7 }
  end(0, 1, { state: 'finished', metrics: { ...loss(5), parameters: 1254 }, artifacts: {} }, { usage })
  run(1, 1, 3, (step) => ({ 'train/loss': step < 3 ? step : Infinity }))
  const artifacts = {}
  end(1, 1, { state: 'diverged', metric: 'train/loss', step: 3, metrics: { 'train/loss': Infinity }, artifacts })
  run(2, 1, 2, loss)
  end(2, 1, { state: 'stopped', metrics: loss(2), artifacts: {}, reason: 'hopeless' })
  run(3, 1, 2, loss)
  add({ type: 'lost', trial: trials[3]!.id, attempt: 1, reason: 'the thread ended' })
  run(3, 2, 3, loss)
  end(3, 2, { state: 'finished', metrics: loss(3), artifacts: {} })
  run(4, 1, 0, loss)
  add({ type: 'lost', trial: trials[4]!.id, attempt: 1, reason: 'the thread ended' })
  end(4, 1, { state: 'dead', reason: '1 attempts vanished' })
  end(5, 0, { state: 'skipped', reason: 'its parent failed' })
  run(6, 1, 1000, loss)
  end(6, 1, { state: 'finished', metrics: loss(1000), artifacts: {} })
  return { trials, entries }
}

/** What runs must say, told from the journal without the projection's help. */
interface Expected {
  readonly start: number
  readonly end: number
  readonly status: string
  readonly state: string
  /** Name to [step, time, value]. */
  readonly points: Map<string, string[]>
  readonly reports: number
}

const memoryMetric = 'system/process_peak_memory_megabytes'

function expectedRuns(entries: readonly Entry[]): Map<string, Expected> {
  const runs = new Map<string, { -readonly [K in keyof Expected]: Expected[K] }>()
  const last = new Map<string, Metrics & { step?: number }>()
  const statuses: Record<string, string> = {
    finished: 'FINISHED',
    failed: 'FAILED',
    dead: 'FAILED',
    diverged: 'FINISHED',
  }
  for (const { event } of entries) {
    const key = `${event.trial}:${event.attempt}`
    const run = runs.get(key) ?? {
      start: event.atMs,
      end: 0,
      status: '',
      state: '',
      points: new Map<string, string[]>(),
      reports: 0,
    }
    runs.set(key, run)
    const add = (metrics: Metrics, step: number): void => {
      for (const [name, value] of Object.entries(metrics))
        run.points.set(name, [...(run.points.get(name) ?? []), `${step} ${event.atMs} ${value}`])
    }
    if (event.type === 'report') {
      add(event.metrics, event.step)
      last.set(key, { ...event.metrics, step: event.step })
      run.reports++
    }
    if (event.type === 'lost') Object.assign(run, { end: event.atMs, status: 'KILLED', state: 'lost' })
    if (event.type === 'ended') {
      const { state } = event.outcome
      Object.assign(run, { end: event.atMs, status: statuses[state] ?? 'KILLED', state })
      if ('metrics' in event.outcome) {
        const before = last.get(key)
        const fresh = Object.entries(event.outcome.metrics).filter(([name, value]) => !Object.is(before?.[name], value))
        add(Object.fromEntries(fresh), before?.step ?? 0)
      }
      if (event.usage !== undefined) {
        const { peakBytes, cpuShare } = event.usage
        add({ [memoryMetric]: peakBytes / 1e6, 'system/process_cpu_percentage': 100 * cpuShare }, 0)
      }
    }
  }
  return runs
}

/** Python's word for a number to ours; in MLflow's databases the largest double stands for infinity. */
function readValue(text: string): string {
  if (text === 'nan') return 'NaN'
  if (text.endsWith('inf')) return text.replace('inf', 'Infinity')
  return Math.abs(Number(text)) === Number.MAX_VALUE ? String(Math.sign(Number(text)) * Infinity) : String(Number(text))
}

/** Asserts that runs read back from MLflow are exactly those that the journal tells of: no more, no fewer, no point twice. */
export function expectEqual(runs: readonly ReadRun[], entries: readonly Entry[]): void {
  const expected = expectedRuns(entries)
  const children = runs.filter((run) => run.tags['mlds.trial'] !== undefined)
  const keyed = new Map(children.map((run) => [`${run.tags['mlds.trial']}:${run.tags['mlds.attempt']}`, run]))
  expect(children).toHaveLength(expected.size)
  expect([...keyed.keys()].sort()).toEqual([...expected.keys()].sort())
  const parent = runs.find((run) => run.tags['mlds.trial'] === undefined)!
  for (const [key, { start, end, status, state, points, reports }] of expected) {
    const run = keyed.get(key)!
    expect(run, key).toMatchObject({ start, end, status })
    expect(run.tags).toMatchObject({ 'mlds.state': state, 'mlflow.parentRunId': parent.run_id })
    expect(Object.keys(run.metrics).sort()).toEqual([...points.keys()].sort())
    for (const [name, wanted] of points) {
      const read = run.metrics[name]!.map(([step, at, value]) => `${step} ${at} ${readValue(value)}`)
      expect(new Set(read).size).toBe(read.length)
      if (reports <= 300) expect(read.sort()).toEqual([...wanted].sort())
      else {
        expect(read.length).toBeLessThanOrEqual(300)
        expect(wanted).toEqual(expect.arrayContaining(read))
        expect(read).toContain(wanted.at(-1))
      }
    }
  }
}
