import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MldsError, UnavailableError } from '../core/errors.js'

const unlimited = ['UNLIMITED', 'INFINITE']
/** An end that lies further from now is no end of a job. */
const plausibleMs = 10 * 365 * 86_400_000
const answerMs = 10_000

/** Answers `squeue` with these arguments; its standard output. */
export type AskSqueue = (args: readonly string[]) => Promise<string>

/**
 * How long the Slurm job that this process runs in has left: `SLURM_JOB_END_TIME` (seconds since 1970), else what
 * `squeue -o %L` says. `Infinity` for a job without a limit, 0 where its end has passed.
 * @throws MldsError when this is no job of Slurm; UnavailableError when neither tells.
 */
export async function jobTimeLeftMs(
  env: NodeJS.ProcessEnv,
  nowMs: number,
  ask: AskSqueue = askSqueue,
): Promise<number> {
  const { SLURM_JOB_END_TIME: end = '' } = env
  const job = jobOf(env)
  const leftMs = /^\d{1,15}$/.test(end) ? 1_000 * Number(end) - nowMs : NaN
  if (Math.abs(leftMs) < plausibleMs) return Math.max(0, leftMs)
  if (!/^\d{1,15}(?:_\d{1,15})?$/.test(job))
    throw new MldsError(
      'USAGE',
      `--time-limit auto: this is no job of Slurm (SLURM_JOB_ID is ${job === '' ? 'not set' : JSON.stringify(job.slice(0, 40))})`,
      {
        hint: 'say how long the worker may run: --time-limit 2h',
      },
    )
  const answer = await ask(['-h', '-j', job, '-o', '%L']).catch((error: Error) => {
    throw new UnavailableError(
      `--time-limit auto: squeue does not tell how long job ${job} has left: ${error.message.slice(0, 500)}`,
      {
        hint: 'say how long the worker may run: --time-limit 2h',
      },
    )
  })
  const told = parseTimeLeft(answer.trim())
  if (told === undefined)
    throw new UnavailableError(
      `--time-limit auto: squeue does not tell how long job ${job} has left: ${JSON.stringify(answer.trim().slice(0, 40))}`,
      {
        hint: 'say how long the worker may run: --time-limit 2h',
      },
    )
  return told
}

/** One task of an array has the number of the whole array as its own, by which `squeue` would tell of all tasks. */
function jobOf({
  SLURM_JOB_ID: job = '',
  SLURM_ARRAY_JOB_ID: array,
  SLURM_ARRAY_TASK_ID: task,
}: NodeJS.ProcessEnv): string {
  return job !== '' && array !== undefined && task !== undefined ? `${array}_${task}` : job
}

/** `[[days-]hours:]minutes:seconds` as Slurm prints it (slurm.schedmd.com/squeue.html, %L). */
function parseTimeLeft(text: string): number | undefined {
  if (unlimited.includes(text)) return Infinity
  const [whole, days = 0, hours = 0, minutes = 0, seconds = 0] =
    /^(?:(?:(\d{1,5})-)?(\d{1,5}):)?(\d{1,7}):(\d{2})$/.exec(text) ?? []
  if (whole === undefined) return undefined
  return 1_000 * (86_400 * Number(days) + 3_600 * Number(hours) + 60 * Number(minutes) + Number(seconds))
}

const askSqueue: AskSqueue = async (args) => {
  const { stdout } = await promisify(execFile)('squeue', [...args], { timeout: answerMs, maxBuffer: 10_000 })
  return stdout
}
