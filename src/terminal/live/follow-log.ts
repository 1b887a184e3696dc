import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { systemClock } from '../../core/clock.js'
import { logFileOf } from '../../system/log-file.js'
import { followJournal } from '../../sweeps/journal/follow.js'
import { Untwine } from '../../sweeps/journal/untwine.js'
import { lockHolder } from '../../system/lock.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { TrialId } from '../../core/trial.js'

export interface FollowLogOptions {
  /** The attempt to follow; otherwise the newest, and those that begin later. */
  readonly attempt: number | undefined
  /** Takes what was added to the log, whole lines. */
  readonly write: (lines: string) => void
  /** Takes what is to be said beside the log. */
  readonly say: (sentence: string) => void
}

/** How the following ended: with the trial, with the process that ran the sweep, or by Ctrl-C. */
export type FollowEnd = 'ended' | 'left' | 'interrupted'

/** Writes a trial's log as it grows, until the trial ends, nobody runs its sweep any more, or Ctrl-C. */
export async function followLog(
  sweep: SweepFolder,
  trial: TrialId,
  { attempt: wanted, write, say }: FollowLogOptions,
): Promise<FollowEnd> {
  const enough = new AbortController()
  const stop = (): void => enough.abort()
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, stop)
  try {
    let growing: GrowingLog | undefined
    // Unless a copy is asked for, its log is shown once it is the attempt that goes on.
    const untwine = new Untwine()
    let [isFirstLook, hasWaited] = [true, false]
    const batches = followJournal(sweep.journalFile, {
      clock: systemClock,
      signal: enough.signal,
      isOver: () => lockHolder(sweep.lockFile) === undefined,
    })
    for await (const events of batches) {
      let hasEnded = false
      for (const event of wanted === undefined ? untwine.all(events) : events) {
        if (event.type === 'voided' && wanted === undefined) {
          // Every trial runs again: what has ended counts no more.
          hasEnded = false
          growing = undefined
        }
        if (!('trial' in event) || event.trial !== trial) continue
        if (event.type === 'reused') hasEnded = true
        // Who resumes begins another attempt; an attempt that nobody lived to end is over then.
        if (event.type === 'started' && wanted !== undefined && event.attempt > wanted) hasEnded = true
        if (!('attempt' in event) || (wanted !== undefined && event.attempt !== wanted)) continue
        if (event.type === 'started' && growing?.attempt !== event.attempt) {
          // What lies behind is the newest attempt's alone.
          if (!isFirstLook) await growing?.finish()
          growing = new GrowingLog(sweep, trial, event.attempt, write)
        }
        // An attempt that was lost, or that failed and is tried again, is followed by another.
        hasEnded = event.type === 'ended' || (event.type === 'lost' && wanted !== undefined)
      }
      isFirstLook = false
      growing?.look()
      if (hasEnded) {
        await growing?.finish()
        return 'ended'
      }
      if (growing === undefined && !hasWaited && lockHolder(sweep.lockFile) !== undefined) {
        hasWaited = true
        say(
          `Trial ${trial} has not begun${wanted === undefined ? '' : ` attempt ${wanted}`}; its log is shown when it does.`,
        )
      }
    }
    await growing?.finish()
    return enough.signal.aborted ? 'interrupted' : 'left'
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
}

/** An attempt's log while it is written; what was written out once is not read again. */
class GrowingLog {
  #shownBytes = 0
  #begun = ''
  readonly #decoder = new StringDecoder()

  constructor(
    private readonly sweep: SweepFolder,
    private readonly trial: TrialId,
    readonly attempt: number,
    private readonly write: (lines: string) => void,
  ) {}

  /** Shows what its file has more than before. A log without a file is shown at its end. */
  look(): void {
    let descriptor: number
    try {
      descriptor = openSync(logFileOf(this.sweep.logsFolder, this.trial, this.attempt), 'r')
    } catch {
      return
    }
    try {
      const block = Buffer.alloc(1 << 16)
      for (let count; (count = readSync(descriptor, block, 0, block.length, this.#shownBytes)) > 0;)
        this.#take(block.subarray(0, count))
    } finally {
      closeSync(descriptor)
    }
  }

  #take(bytes: Uint8Array): void {
    this.#shownBytes += bytes.length
    const text = this.#begun + this.#decoder.write(bytes)
    const end = text.lastIndexOf('\n') + 1
    this.#begun = text.slice(end)
    if (end > 0) this.write(text.slice(0, end))
  }

  /** Shows the rest, wherever it lies. */
  async finish(): Promise<void> {
    const log = await this.sweep.readLog(this.trial, this.attempt)
    if (log !== undefined) this.#take(log.bytes.subarray(this.#shownBytes))
    const rest = this.#begun + this.#decoder.end()
    this.#begun = ''
    if (rest !== '') this.write(`${rest}\n`)
  }
}
