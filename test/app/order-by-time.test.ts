import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runSweep, type SweepDescription, type SweepRun } from '../../src/index.js'
import { describeOrder, startOrder } from '../../src/app/planning/start-order.js'
import { Journal, readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { exportRows } from '../../src/sweeps/journal/export.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

/** Runs a program that takes no time to speak of: how long its trials took is written into the journal. */
function openLab(command = quickProgram()) {
  const store = join(temporaryFolder(), 'store')
  const sweep = (facts: Partial<SweepDescription>, { cost, ...options }: { cost?: string; extend?: boolean } = {}) =>
    runSweep(
      { ...facts, experiment: { command, ...(cost === undefined ? {} : { cost }) } },
      { store, workers: 1, ...options },
    )
  const fileOf = ({ sweep: { id } }: SweepRun): string => join(store, 'sweeps', id, 'journal.jsonl')
  const eventsOf = (ran: SweepRun): JournalEvent[] => [...readJournal(fileOf(ran))].map(({ event }) => event)
  return {
    store,
    command,
    sweep,
    /** The values of the first axis in the order in which trials were started. */
    order(ran: SweepRun): unknown[] {
      const widths = new Map(ran.sweep.records().map(({ trial }) => [trial.id, trial.params['width']]))
      return eventsOf(ran).flatMap((event) => (event.type === 'started' ? [widths.get(event.trial)] : []))
    },
    /** Lets each trial of a sweep have taken so long. */
    pretend(ran: SweepRun, msOf: (width: number) => number): void {
      const widths = new Map(ran.sweep.records().map(({ trial }) => [trial.id, Number(trial.params['width'])]))
      const events = eventsOf(ran)
      rmSync(fileOf(ran))
      const journal = Journal.open(fileOf(ran))
      const started = new Map<string, number>()
      for (const event of events) {
        if (event.type === 'started') started.set(event.trial, event.atMs)
        journal.append(
          event.type === 'ended'
            ? { ...event, atMs: started.get(event.trial)! + msOf(widths.get(event.trial)!) }
            : event,
        )
      }
      journal.close()
    },
  }
}

function quickProgram(): string {
  const file = join(temporaryFolder(), 'program.mjs')
  writeFileSync(file, 'console.log(JSON.stringify({ loss: Number(process.argv[2]) }))')
  return `${process.execPath} ${file} {width} {mode}`
}

const small = { mode: ['a'], width: [1, 2, 3, 4] }
const large = { mode: ['a'], width: [5, 7, 6, 8] }

describe('trials of programs', () => {
  it('run in plan order where nothing tells how long they take, else the longest first by what others took', async () => {
    const lab = openLab()
    const first = await lab.sweep({ name: 'first', axes: small })
    expect(lab.order(first)).toEqual([1, 2, 3, 4])
    lab.pretend(first, (width) => 1_000 * width)
    const second = await lab.sweep({ name: 'second', axes: large })
    expect(lab.order(second)).toEqual([8, 7, 6, 5])
    // Of an earlier extent of the same sweep too; here the widest were the quickest.
    lab.pretend(second, (width) => 1_000_000 / width ** 2)
    lab.pretend(first, (width) => 1_000_000 / width ** 2)
    const grown = await lab.sweep(
      { name: 'second', axes: { ...large, width: [...large.width, 9, 11, 10] } },
      { extend: true },
    )
    expect(lab.order(grown).slice(4)).toEqual([9, 10, 11])
  })

  it('have the same ids, results, and order in tables and exports, whatever order they are started in', async () => {
    const plain = openLab()
    const ordered = openLab(plain.command)
    ordered.pretend(await ordered.sweep({ name: 'first', axes: small }), (width) => 1_000 * width)
    const [left, right] = await Promise.all([plain, ordered].map((lab) => lab.sweep({ name: 'second', axes: large })))
    expect(ordered.order(right!)).not.toEqual(plain.order(left!))
    const [rows, same] = [left!, right!].map(({ sweep }) => exportRows(sweep.records()))
    expect(same).toEqual(rows)
    expect(rows!.map(({ width }) => width)).toEqual(large.width)
  })

  it('go by cost where that is said, and by no measured time under a rule, a search or --until-decided', async () => {
    const lab = openLab()
    lab.pretend(await lab.sweep({ name: 'first', axes: small }), (width) => 1_000 * width)
    const store = openStore(lab.store)
    const orderOf = async (name: string, facts: Partial<SweepDescription>, options: { cost?: string } = {}) => {
      const axes = facts.search === undefined ? large : { width: large.width }
      const ran = await lab.sweep({ name, axes, ...facts }, options)
      lab.pretend(ran, (width) => 1_000 * width)
      const { id, plan } = await SweepFolder.open(store, ran.sweep.id)
      return describeOrder(await startOrder(store, { id, plan }, plan.trials))
    }
    expect(await orderOf('plain', {})).toMatch(/^the longest first, by what \d+ earlier trials took$/)
    expect(await orderOf('cost', {}, { cost: '{width}' })).toBe('the costliest first')
    expect(await orderOf('rule', { scheduler: { target: { value: 1 } } })).toBe('as they are listed')
    expect(await orderOf('search', { search: { sampler: 'random', count: 4, axes: { mode: ['a', 'b'] } } })).toBe(
      'as they are listed',
    )
  })
})
