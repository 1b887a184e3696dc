import type { TrialRecord } from '../../core/trial.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { LogPart } from '../wire.js'

/** Of a longer log the end is kept: a report of many trials would grow beyond what a browser opens. */
const maxBytes = 64 << 10

/** The end of the log of every trial's last attempt, by `TRIAL/ATTEMPT`; one that can't be read is left out. */
export async function readLogs(
  sweep: SweepFolder,
  records: readonly TrialRecord[],
): Promise<Readonly<Record<string, LogPart>>> {
  const logs: Record<string, LogPart> = {}
  for (const { trial, attempts } of records) {
    if (attempts === 0) continue
    const log = await sweep.readLog(trial.id, attempts).catch(() => undefined)
    if (log === undefined) continue
    const skipped = Math.max(0, log.bytes.length - maxBytes)
    logs[`${trial.id}/${attempts}`] = { skipped, text: Buffer.from(log.bytes.subarray(skipped)).toString('utf8') }
  }
  return logs
}
