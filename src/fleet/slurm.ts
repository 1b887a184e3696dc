import { MldsError } from '../core/errors.js'
import { shellWord } from '../core/shell-word.js'
import { forgetServer } from './scripts.js'

export interface SlurmJob {
  readonly fleet: string
  readonly count: number
  readonly timeMs: number
  readonly idleMs: number
  /** The home folder of whoever submits it: Slurm itself expands nothing. */
  readonly home: string
  readonly setup: boolean
  /** How mlds is called: Node and its program, absolute or in `~/.cache/mlds`. */
  readonly program: readonly ({ readonly copied: string } | string)[]
  readonly workerArgs: readonly string[]
}

/** Slurm counts whole minutes. */
const minutesOf = (timeMs: number): number => Math.max(1, Math.ceil(timeMs / 60_000))

/** Seconds that trials have to end or keep a checkpoint when the time is nearly up: a tenth of it, from 10 s to 2 min. */
export const graceOf = (timeMs: number): number => Math.min(120, Math.max(10, Math.round(timeMs / 10_000)))

/**
 * Seconds before the end of a job at which Slurm tells the worker, if it has not left by itself as `--time-limit auto` makes it. Slurm may
 * be a minute early (slurm.schedmd.com/sbatch.html, --signal), which in a short job would be its beginning.
 */
const warningOf = (timeMs: number): number | undefined => (timeMs < 600_000 ? undefined : graceOf(timeMs) + 30)

/** So many may start at the same moment; more are spread over ten seconds. */
const atOnce = 10

/**
 * Tasks are known by their numbers, from 1 on: whoever asks after them counts on these.
 * @throws MldsError when words for `sbatch` ask for others; how many run at once (`--array=1-8%2`) they may say.
 */
export function refuseOtherTasks(words: readonly string[], count: number): void {
  for (const [at, word] of words.entries()) {
    const asked = /^(?:--ar(?:r|ra|ray)?(?:=(.*)|$)|-a(.+)?$)/s.exec(word)
    if (asked === null) continue
    const array = asked[1] ?? asked[2] ?? words[at + 1] ?? ''
    const last = new RegExp(`^(?:1-${count}${count === 1 ? '|1' : ''})(?:%\\d+)?$`)
    if (!last.test(array))
      throw new MldsError('USAGE', `--array=${array}: the tasks of this fleet are 1-${count}`, {
        hint: `say how many with --count, and how many at once with -- --array=1-${count}%2`,
      })
  }
}

/** A job array of workers. `exec`, since bash would hand a signal on only after the worker has ended. */
export function jobScript({ fleet, count, timeMs, idleMs, home, setup, program, workerArgs }: SlurmJob): string {
  const place = `"$HOME/.cache/mlds/fleet/${fleet}"`
  const call = program.map((part) =>
    typeof part === 'string' ? shellWord(part) : `"$HOME/.cache/mlds"/${shellWord(part.copied)}`,
  )
  const warning = warningOf(timeMs)
  const log = `${home}/.cache/mlds/fleet/${fleet}/%a.log`
  return [
    '#!/bin/sh',
    `#SBATCH --job-name=mlds-${fleet}`,
    `#SBATCH --array=1-${count}`,
    `#SBATCH --time=${minutesOf(timeMs)}`,
    ...(warning === undefined ? [] : [`#SBATCH --signal=B:TERM@${warning}`]),
    '#SBATCH --open-mode=append',
    `#SBATCH --output=${/\s/.test(log) ? `"${log}"` : log}`,
    ...(count > atOnce ? ['sleep $((SLURM_ARRAY_TASK_ID % 10))'] : []),
    'cd "$HOME" || exit',
    ...(setup ? [`. ${place}/setup`] : []),
    forgetServer,
    `export NATS_CONTEXT=${place}/context.json`,
    [
      `exec ${call.join(' ')} worker start --name ${fleet}-"$SLURM_ARRAY_TASK_ID"-"$SLURM_JOB_ID"`,
      `--store ${place}/store/"$SLURM_ARRAY_TASK_ID"`,
      `--time-limit auto --idle-timeout ${Math.ceil(idleMs / 1_000)}s --grace ${graceOf(timeMs)}`,
      ...workerArgs.map(shellWord),
    ].join(' '),
    '',
  ].join('\n')
}

/** The file `submit`, which calls `sbatch` with the words that a person gave, as they are. */
export const submitFile = (words: readonly string[], isTest: boolean): string =>
  [
    '#!/bin/sh',
    forgetServer,
    ['exec sbatch', isTest ? '--test-only' : '--parsable', ...words.map(shellWord), './job'].join(' '),
    '',
  ].join('\n')

/** Takes the files of the fleet's folder from standard input and submits the job; its number stays beside them. */
export const submitScript = (fleet: string): string =>
  [
    `umask 077; cd "$HOME/.cache/mlds/fleet/${fleet}" && tar -xof - || exit 1`,
    'j=$(sh ./submit) || exit 1; echo "${j%%;*}" >jobid; echo "mlds: job ${j%%;*}"',
  ].join('; ')

/** The same files, tried by `sbatch --test-only`: nothing is submitted, nothing stays. */
export const trialScript =
  'umask 077; d=$(mktemp -d) && cd "$d" && tar -xof - || exit 1; sh ./submit; s=$?; cd /; rm -rf "$d"; exit $s'

/** Whether a worker belongs to an array of that fleet: named by it, its task and its job. */
export const isOfArray = (fleet: string, worker: string): boolean =>
  worker.startsWith(`${fleet}-`) && /^\d+-\d+$/.test(worker.slice(fleet.length + 1))

/** The task that a worker of that fleet's array is, by its name with or without its job (`lab-3-1234`, `lab-3`); `undefined` for what is none. */
export function taskOf(fleet: string, name: string): number | undefined {
  const [, task] = (name.startsWith(`${fleet}-`) && /^(\d{1,5})(?:-\d+)?$/.exec(name.slice(fleet.length + 1))) || []
  return task === undefined ? undefined : Number(task)
}

/**
 * Ends the job of a fleet: what waits is cancelled, what runs is told to leave, and is cancelled after `patience` seconds.
 * Removes the fleet's folder once Slurm knows no task of it any more.
 */
export const cancelScript = (
  fleet: string,
  digest: string | undefined,
  { patience, now, keep }: { readonly patience: number; readonly now: boolean; readonly keep: boolean },
): string => {
  const tell = 'scancel --signal=TERM --batch "$j" 2>/dev/null'
  return [
    `cd "$HOME/.cache/mlds" 2>/dev/null || exit 0; j=$(cat fleet/${fleet}/jobid 2>/dev/null)`,
    'left() { if q=$(squeue -h -j "$j" 2>&1); then [ -n "$q" ]; else case "$q" in *Invalid*) return 1;; *) echo "$q" >&2; exit 1;; esac; fi; }',
    `pause() { i=0; while [ $i -lt $1 ] && left; do sleep 1; i=$((i+1)); done; }`,
    `if [ -n "$j" ] && left; then scancel --state=PENDING "$j" 2>/dev/null; ${tell}; ${now ? `sleep 1; ${tell}; ` : ''}pause ${patience}; if left; then echo "mlds: killed"; scancel "$j"; pause 60; fi; if left; then echo "Slurm still has job $j" >&2; exit 1; fi; echo "mlds: ended"; fi`,
    `rm -rf fleet/${fleet} .part-${fleet} || exit 1`,
    ...(digest === undefined || keep ? [] : [`grep -qsx ${digest} fleet/*/uses || rm -rf ${digest} || exit 1`]),
    'cd "$HOME"; rmdir .cache/mlds/fleet .cache/mlds .cache 2>/dev/null; exit 0',
  ].join('; ')
}
