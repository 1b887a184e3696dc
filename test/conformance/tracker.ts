import { describe, expect, it, onTestFinished } from 'vitest'
import type { SweepInfo, Tracker } from '../../src/tracking/tracker.js'
import { story } from '../helpers/open-tracker.js'
import type { ReadRun } from '../helpers/mlflow.js'
import { eventfulJournal, expectEqual, type Entry } from '../helpers/told-by-journal.js'

export interface OpenedTracker {
  readonly tracker: Tracker
  readonly info: SweepInfo
  /** How often what the tracker held beside its connection was let go. */
  readonly released: () => number
}

export interface TrackerLab {
  /** A tracker of this sweep whose journal holds `history`; another of the same sweep is that of a later process. */
  open(sweep: string, history: readonly Entry[]): OpenedTracker
  /** One whose far side takes requests and answers none. */
  openUnanswered(sweep: string): OpenedTracker
  /** Every run that the far side shows of a sweep. Left out where nobody is told. */
  readonly read?: (sweep: string) => ReadRun[]
}

/** What every tracker promises (src/tracking/tracker.ts). */
export function trackerSuite(name: string, lab: TrackerLab): void {
  const tells = lab.read !== undefined
  const open = (sweep: string, history: readonly Entry[]): OpenedTracker => closedWithTest(lab.open(sweep, history))

  describe(`the ${name} tracker`, () => {
    const { entries } = eventfulJournal()
    const half = entries.length >> 1
    const expectWhole = (sweep: string): void => {
      if (lab.read !== undefined) expectEqual(lab.read(sweep), entries)
    }

    it('takes every event at once and without a failure, though nobody answers, and says so in the end', async () => {
      const { tracker, info } = closedWithTest(lab.openUnanswered('unanswered'))
      await tracker.open(info)
      for (const { event, offset } of entries) await tracker.record(event, offset)
      const finished = tracker.finish(story)
      if (tells) await expect(finished).rejects.toThrow(/not within [\d.]+ s/)
      else expect(await finished).toBeUndefined()
    })

    it('brings everything by its end: each attempt apart, each point once, and where it is to be seen', async () => {
      const { tracker, info } = open('whole', [])
      await tracker.open(info)
      for (const { event, offset } of entries) await tracker.record(event, offset)
      const tracked = await tracker.finish(story)
      if (tells)
        expect(tracked).toMatchObject({ link: expect.any(String) as string, sent: expect.any(Number) as number })
      expectWhole('whole')
    })

    it('counts an event once that comes again with its offset', async () => {
      const { tracker, info } = open('twice', entries.slice(0, half))
      await tracker.open(info)
      for (const { event, offset } of [...entries, ...entries.slice(half)]) await tracker.record(event, offset)
      await tracker.finish(story)
      expectWhole('twice')
    })

    it('is followed by a later one, wherever it was closed', async () => {
      const first = open('later', [])
      await first.tracker.open(first.info)
      for (const { event, offset } of entries.slice(0, half)) await first.tracker.record(event, offset)
      await first.tracker.close()
      const second = open('later', entries.slice(0, half))
      await second.tracker.open(second.info)
      for (const { event, offset } of entries.slice(half)) await second.tracker.record(event, offset)
      await second.tracker.finish(story)
      await second.tracker.close()
      // Nothing came since: it brings nothing again.
      const third = open('later', entries)
      await third.tracker.open(third.info)
      const tracked = await third.tracker.finish(story)
      if (tells) expect(tracked).toMatchObject({ sent: 0 })
      expectWhole('later')
    })

    it('lets go of everything when it is closed: before it was opened, in the middle, after its end, twice', async () => {
      const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
      const before = timers()
      const [never, middle, ended] = [open('never', []), lab.openUnanswered('middle'), open('ended', [])]
      for (const { tracker, info } of [middle, ended]) await tracker.open(info)
      for (const { event, offset } of entries) await middle.tracker.record(event, offset)
      await ended.tracker.finish(story)
      for (const { tracker, released } of [never, middle, ended]) {
        await Promise.all([tracker.close(), tracker.close()])
        expect(released()).toBe(tells ? 1 : 0)
      }
      await middle.tracker.record(entries[0]!.event, entries.length * 1_000)
      await expect.poll(timers).toBeLessThanOrEqual(before)
    })
  })
}

function closedWithTest(opened: OpenedTracker): OpenedTracker {
  onTestFinished(() => opened.tracker.close())
  return opened
}
