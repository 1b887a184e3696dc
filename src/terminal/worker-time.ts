import { MldsError } from '../core/errors.js'
import { formatDuration } from '../core/format.js'
import { jobTimeLeftMs, type AskSqueue } from '../system/job-time.js'
import { readDuration } from './flags/duration-flag.js'

/** After the grace, for what is given up to end and to bring a last checkpoint. */
const lastWordsMs = 10_000
/** Timers take little more: a worker with more time leaves after so long. */
const maxTimeMs = 24 * 86_400_000

export interface WorkerTime {
  /** As typed: a time, `auto`, or nothing. */
  readonly limit: string | undefined
  readonly graceMs: number
  readonly env: NodeJS.ProcessEnv
  readonly nowMs: number
  /** How long the process has run by now, which counts where a time is given. */
  readonly upMs: number
  readonly ask?: AskSqueue
}

/**
 * How long a worker may run trials before it begins to leave, so that it has left when its time is up; `undefined` without a limit.
 * @throws MldsError when that leaves none, or the job's time is not known.
 */
export async function timeForTrialsMs({
  limit,
  graceMs,
  env,
  nowMs,
  upMs,
  ask,
}: WorkerTime): Promise<number | undefined> {
  if (limit === undefined) return undefined
  const wholeMs =
    limit === 'auto' ? await jobTimeLeftMs(env, nowMs, ask) : readDuration('time-limit', limit, ', or auto')
  if (wholeMs === Infinity) return undefined
  const leavingMs = graceMs + lastWordsMs
  if (wholeMs <= leavingMs)
    throw new MldsError(
      'USAGE',
      `--time-limit: ${formatDuration(wholeMs)} are too short: --grace and ten seconds to leave take ${formatDuration(leavingMs)} of it`,
    )
  const goneMs = limit === 'auto' ? 0 : upMs
  return Math.max(0, Math.min(wholeMs, maxTimeMs) - goneMs - leavingMs)
}
