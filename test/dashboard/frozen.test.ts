import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reportOf } from '../../src/app/report.js'
import { SimulatedClock } from '../../src/core/clock.js'
import type { Outcome } from '../../src/core/trial.js'
import { freeze } from '../../src/dashboard/frozen/freeze.js'
import { readLogs } from '../../src/dashboard/frozen/logs.js'
import { formatCell } from '../../src/dashboard/page/format.js'
import { SweepModel } from '../../src/dashboard/page/model.js'
import { LiveSweep } from '../../src/dashboard/server/live-sweep.js'
import type { Report } from '../../src/report/report.js'
import { journalFormat, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { logFileOf } from '../../src/system/log-file.js'
import { makeFolderSync } from '../../src/system/make-folder.js'
import { openStore, type Store } from '../../src/system/store.js'
import { writeSweep } from '../helpers/written-sweep.js'

let folder: string
let store: Store
let sweep: SweepFolder
let report: Report

/** One trial of each end, a second attempt, and 30 that are alike. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-frozen-'))
  store = openStore(join(folder, '.mlds'))
  const steps = Array.from({ length: 36 }, (_, i) => i + 1)
  sweep = await writeSweep(store, 'frozen', steps, (trials) => {
    let atMs = 0
    const events: JournalEvent[] = []
    const facts = { sweep: 'frozen', planHash: 'x', codeVersion: '0' }
    const opened = { type: 'opened', format: journalFormat, ...facts } as const
    events.push({ ...opened, atMs: ++atMs })
    const outcomes: readonly Outcome[] = [
      { state: 'failed', error: { name: 'Error', message: 'broken', stack: 'at line 1' } },
      { state: 'diverged', metric: 'loss', metrics: { loss: NaN }, artifacts: {} },
      { state: 'stopped', reason: 'not among the best', metrics: { loss: 3 }, artifacts: {} },
      { state: 'cancelled', reason: 'by hand' },
    ]
    trials.slice(0, -1).forEach(({ id }, i) => {
      for (const attempt of i === 5 ? [1, 2] : [1]) {
        events.push({ type: 'started', trial: id, attempt, atMs: ++atMs, worker: `w${i % 2}` })
        for (let step = 1; step <= 3; step++)
          events.push({
            type: 'report',
            trial: id,
            attempt,
            atMs: ++atMs,
            step,
            metrics: { loss: (1 + i) / (3 * step) },
          })
        if (i === 5 && attempt === 1) events.push({ type: 'lost', trial: id, attempt, atMs: ++atMs, reason: 'gone' })
        else {
          const finished = {
            state: 'finished',
            metrics: { loss: (1 + i) / 7, [`of ${i % 3}`]: 1 },
            artifacts: {},
          } as const
          events.push({ type: 'ended', trial: id, attempt, atMs: ++atMs, outcome: outcomes[i] ?? finished })
        }
      }
    })
    return [...events, { type: 'closed', reason: 'done', atMs: ++atMs }]
  })
  makeFolderSync(sweep.logsFolder)
  writeFileSync(logFileOf(sweep.logsFolder, sweep.plan.trials[0]!.id, 1), `begun\n${'z'.repeat(100_000)}\n`)
  report = await reportOf(store, sweep, { trustCode: false, warn: () => {} })
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What a page shows of every trial, by column. */
const cellsOf = (model: SweepModel): object[] =>
  model.rows.map((row) => Object.fromEntries(model.columns().map(({ name, of }) => [name, formatCell(of(row))])))

describe('what the page of a report holds', () => {
  it('shows of every trial what the dashboard shows of it', () => {
    const live = new LiveSweep(sweep, { title: 't', question: 'q', objective: report.objective }, new SimulatedClock())
    while (live.readOn(1_000) === 'more');
    const told = JSON.parse(JSON.stringify(freeze(report).snapshot)) as ReturnType<typeof live.snapshot>
    expect(cellsOf(new SweepModel(told))).toEqual(cellsOf(new SweepModel(live.snapshot())))
    expect(freeze(report).line).toMatchObject({ planned: 36, isRun: false, bestTrials: live.best().trials })
    expect(freeze(report).line.best).toBe(live.best().line)
  })

  it('is the courses of the best 20 trials and no log, unless all is asked for', async () => {
    const usual = freeze(report)
    expect(usual.logs).toBeUndefined()
    expect(usual.courses.trials).toHaveLength(20)
    const best = new Set(usual.courses.trials.map(({ index }) => index))
    // Those that diverged, failed, were stopped or cancelled are the first four.
    expect([4, 5, 23].every((index) => best.has(index))).toBe(true)
    const logs = await readLogs(sweep, report.records)
    const full = freeze(report, { full: { logs } })
    expect(full.courses.trials).toHaveLength(35)
    expect(Object.entries(full.logs!)).toEqual([
      [
        `${sweep.plan.trials[0]!.id}/1`,
        { skipped: 100_007 - (64 << 10), text: expect.stringMatching(/^z+\n$/) as string },
      ],
    ])
  })

  it('tells of attempts, stacks and times what the journal does, and nothing twice', () => {
    const { details, nowMs } = freeze(report)
    expect(details.map(([index]) => index)).toEqual([0, 5])
    expect(details[0]![1]).toEqual({ stack: 'at line 1' })
    expect(details[1]![1].attempts).toMatchObject([{ ended: 'lost', reason: 'gone' }, { ended: 'finished' }])
    expect(nowMs).toBe(sweep.plan.createdAtMs)
  })
})
