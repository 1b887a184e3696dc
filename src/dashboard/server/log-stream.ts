import { statSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Clock } from '../../core/clock.js'
import { isTerminal, type TrialId } from '../../core/trial.js'
import { readLentLog } from '../../sweeps/lent-log.js'
import type { StoredLog } from '../../sweeps/trial-logs.js'
import { logFileOf } from '../../system/log-file.js'
import type { Store } from '../../system/store.js'
import { EventStream } from './event-stream.js'
import type { LiveSweep } from './live-sweep.js'

const everyMs = 500
/** Of a longer log the end is shown; the file has all of it. */
const maxBytes = 256 << 10

/**
 * Sends an attempt's log as it grows, `id` = how many of its bytes the page has; ends when the trial has ended, and says
 * `none` where it left no log. Text that is no UTF-8 is shown as far as it is.
 */
export function streamLog(
  response: ServerResponse,
  store: Store,
  live: LiveSweep,
  { trial, attempt, from }: { trial: TrialId; attempt: number; from: number },
  clock: Clock,
): void {
  const stream = new EventStream(response, undefined)
  let sent = from
  let cancel = (): void => {}
  let seenBytes = -1
  const { logsFolder } = live.sweep
  const files = [logFileOf(logsFolder, trial, attempt), join(logsFolder, 'short.jsonl')]
  const readLog = async (isOver: boolean): Promise<StoredLog | undefined> =>
    (await live.sweep.readLog(trial, attempt)) ??
    (isOver ? readLentLog(store, live.sweep, { trial, attempt }) : undefined)
  const look = async (): Promise<void> => {
    // Asked before the log is read: nothing is written after the end.
    const state = live.state.trials.get(trial)
    const isOver = state === undefined || isTerminal(state.state) || state.attempts !== attempt
    const sizeBytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
    const isSame = sizeBytes === seenBytes
    seenBytes = sizeBytes
    const log = isSame ? undefined : await readLog(isOver).catch((error: Error) => error)
    if (response.destroyed) return
    if (log instanceof Error) stream.send('trouble', JSON.stringify(log.message))
    else if (!isSame && log === undefined && isOver) stream.send('none', '1')
    else if (log !== undefined) {
      const { bytes } = log
      if (bytes.length < sent) sent = 0
      const start = Math.max(sent, bytes.length - maxBytes)
      if (bytes.length > sent || sent === 0)
        stream.send('log', JSON.stringify({ skipped: start - sent, text: textOf(bytes, start) }), String(bytes.length))
      sent = bytes.length
    }
    if (isOver) return void response.end('event: over\ndata: 1\n\n')
    cancel = clock.after(everyMs, () => void look())
  }
  response.on('close', () => cancel())
  void look()
}

const textOf = (bytes: Uint8Array, from: number): string => Buffer.from(bytes.subarray(from)).toString('utf8')
