import { copyFile, link, open, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { moveIntoPlace, syncName } from '../../system/replace-file.js'
import { canonicalJson } from '../../core/seed.js'
import type { Trial, TrialId } from '../../core/trial.js'
import { readJournal, readLine, readLines, type JournalEvent } from './journal.js'
import { isRepeatedEnd, isResult, SweepState } from './state.js'

export interface JournalRepair {
  /** Where the journal lies as it was. */
  readonly kept: string
  /** Lines of which nothing can be read, now blank. */
  readonly blanked: number
  /** Line ends put back. */
  readonly lineEnds: number
  /** Ends that stood twice. */
  readonly repeatedEnds: number
  /** Trials that two processes ran: the first result counts. */
  readonly ranTwice: readonly TrialId[]
  /** Those of them whose results differ. */
  readonly differing: readonly TrialId[]
}

/**
 * Makes a journal whole: blanks what can't be read and what stands twice, puts lost line ends back, and keeps the first
 * accepted result of a trial that ran twice. No event gets a smaller offset, since trackers name events by it. The damaged
 * journal is kept beside it. The caller holds the sweep's lock. Returns nothing when there is nothing to repair.
 * @throws StoreError, or as the file system does.
 */
export async function repairJournal(file: string, trials: readonly Trial[]): Promise<JournalRepair | undefined> {
  if (!existsSync(file)) return undefined
  const twice = trialsThatRanTwice(file, trials)
  const tally = { blanked: 0, lineEnds: 0, repeatedEnds: 0 }
  const aside = `${file}.${randomUUID()}`
  let changed = twice.ids.size > 0
  try {
    const handle = await open(aside, 'wx')
    try {
      const keeps = keeper(trials, twice.ids, () => tally.repeatedEnds++)
      let parts: Buffer[] = []
      let size = 0
      const flush = async (): Promise<void> => {
        await handle.writeFile(Buffer.concat(parts))
        parts = []
        size = 0
      }
      for (const { bytes, whole } of readLines(file)) {
        const { events, reason } = readLine(bytes)
        const kept = events.filter(({ event }) => keeps(event))
        const repaired = lay(bytes, kept)
        if (reason !== undefined && events.length === 0) tally.blanked++
        tally.lineEnds += Math.max(0, events.length - 1) + (whole ? 0 : 1)
        changed ||= !whole || repaired.compare(Buffer.concat([bytes, newline])) !== 0
        parts.push(repaired)
        size += repaired.length
        if (size > 1 << 20) await flush()
      }
      await flush()
    } finally {
      await handle.close()
    }
    if (!changed) return undefined
    const kept = keptName(file)
    await link(file, kept).catch(() => copyFile(file, kept))
    await moveIntoPlace(aside, file)
    await syncName(file)
    return { kept, ...tally, ranTwice: [...twice.ids], differing: twice.differing }
  } finally {
    await rm(aside, { force: true })
  }
}

const newline = Buffer.from('\n')

/** The kept events, each on a line of its own where it lies, and blanks around them. */
function lay(bytes: Uint8Array, kept: readonly { readonly start: number; readonly length: number }[]): Buffer {
  const parts: Uint8Array[] = []
  let at = 0
  for (const { start, length } of kept) {
    if (start > at) parts.push(Buffer.alloc(start - at - 1, ' '), newline)
    else if (at > 0) parts.push(newline)
    parts.push(bytes.subarray(start, start + length))
    at = start + length
  }
  if (at === 0) return Buffer.concat([Buffer.alloc(bytes.length, ' '), newline])
  return Buffer.concat([
    ...parts,
    newline,
    ...(bytes.length > at ? [Buffer.alloc(bytes.length - at - 1, ' '), newline] : []),
  ])
}

function keptName(file: string): string {
  for (let number = 1; ; number++) {
    const name = `${file}.damaged-${number}`
    if (!existsSync(name)) return name
  }
}

/** Trials with more than one accepted result, and those of them whose results are not the same. */
function trialsThatRanTwice(file: string, trials: readonly Trial[]): { ids: Set<TrialId>; differing: TrialId[] } {
  const state = new SweepState(trials)
  const first = new Map<TrialId, string>()
  const differing = new Set<TrialId>()
  const ids = new Set<TrialId>()
  for (const { event } of readJournal(file)) {
    const trial = state.apply(event)
    if (trial === undefined || event.type !== 'ended' || !isResult(trial.outcome)) continue
    const { metrics, artifacts } = trial.outcome
    const result = JSON.stringify([
      Object.entries(metrics).map(([name, value]) => [name, String(value)]),
      canonicalJson(artifacts),
    ])
    if (trial.accepted <= 1) first.set(event.trial, result)
    else {
      ids.add(event.trial)
      if (first.get(event.trial) !== result) differing.add(event.trial)
    }
  }
  return { ids, differing: [...differing] }
}

/** Says of each event in turn whether it stays. */
function keeper(
  trials: readonly Trial[],
  twice: ReadonlySet<TrialId>,
  onRepeated: () => void,
): (event: JournalEvent) => boolean {
  const state = new SweepState(trials)
  /** What the two runs of a trial each told: starts and steps. */
  const told = new Set<string>()
  return (event) => {
    const trial = 'trial' in event ? state.trials.get(event.trial) : undefined
    if (trial !== undefined && event.type === 'ended' && isRepeatedEnd(trial, event)) {
      onRepeated()
      return false
    }
    if (trial !== undefined && twice.has(trial.trial.id) && event.type !== 'reused') {
      if (trial.accepted > 0) return false
      if (event.type === 'started' || event.type === 'report') {
        const key = `${event.trial} ${event.attempt} ${event.type === 'report' ? event.step : ''}`
        if (told.has(key)) return false
        told.add(key)
      }
    }
    state.apply(event)
    return true
  }
}
