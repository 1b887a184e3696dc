import { shellWord } from '../core/shell-word.js'

/**
 * What runs on a host, in POSIX sh. What comes from a person is in none of it: names and digests have a shape that is checked
 * where they are made, everything else goes by files. On the host:
 *
 *     ~/.cache/mlds/DIGEST/       mlds itself, for all fleets that use it
 *     ~/.cache/mlds/fleet/PLACE/  uses (the digest), run, context.json and keys, pid, log, store/
 */
const folder = '"$HOME/.cache/mlds"'

/** The name of a fleet: a part of paths, of workers' names and of job names. */
export const fleetNamePattern = /^[a-z0-9][a-z0-9-]{0,29}$/

/** Where the files of one worker go: hosts may share a home folder, so that each needs a place of its own. No fleet's name has a dot. */
export const newPlace = (fleet: string, worker: string): string => `${fleet}.${worker}`

/** What a shell's profile has printed may end without a newline; what is told begins a line. */
const ownLine = 'echo'

export interface CheckOptions {
  /** The standard input is evaluated first, as it will be for the worker. */
  readonly setup: boolean
  /** Ask the host's own mlds for its version. */
  readonly own: boolean
}

/** Of `~/.cache/mlds`, or what there is above it. A link that leads nowhere is there too. */
const nearestFolder =
  'd=$HOME/.cache/mlds; while [ ! -e "$d" ] && [ ! -h "$d" ] && [ "$d" != "$HOME" ]; do d=${d%/*}; done'

export const checkScript = ({ setup, own }: CheckOptions): string =>
  [
    ownLine,
    ...(setup ? ['s=$(cat); eval "$s" >/dev/null'] : []),
    'echo "mlds: system $(uname -s) $(uname -m)"',
    'echo "mlds: libc $(getconf GNU_LIBC_VERSION 2>/dev/null)"',
    'echo "mlds: node $(node --version 2>/dev/null)"',
    'echo "mlds: nodepath $(command -v node 2>/dev/null)"',
    'echo "mlds: own $(command -v mlds)"',
    ...(own
      ? ['if own=$(command -v mlds); then echo "mlds: version $("$own" --version 2>/dev/null </dev/null)"; fi']
      : []),
    'for p in tar gzip; do command -v $p >/dev/null || echo "mlds: lacks $p"; done',
    `${nearestFolder}; if [ ! -d "$d" ] || [ ! -w "$d" ]; then echo "mlds: shut $d"; fi`,
    // Native parts of mlds do not load from such a disk, nor does a Node that is brought start.
    'case ",$(findmnt -no OPTIONS -T "$d" 2>/dev/null)," in *,noexec,*) echo "mlds: noexec $d";; esac',
    'echo "mlds: cores $(getconf _NPROCESSORS_ONLN 2>/dev/null)"',
    'echo "mlds: disk $(df -Pk "$HOME" | tail -n 1)"',
    'echo "mlds: home $HOME"',
  ].join('; ')

/** Makes the place and, unless it is there, takes the archive of mlds from standard input. */
export const receiveScript = (place: string, digest: string | undefined): string =>
  [
    ownLine,
    `umask 077; mkdir -p ${folder}/fleet && cd ${folder} || exit 1`,
    `if [ -e fleet/${place} ]; then echo "a fleet ${place} is on this host already" >&2; exit 1; fi`,
    `mkdir fleet/${place} && echo ${digest ?? 'none'} >fleet/${place}/uses || exit 1`,
    ...(digest === undefined
      ? ['echo "mlds: have"']
      : [
          `if [ -d ${digest} ]; then echo "mlds: have"; exit 0; fi`,
          `echo "mlds: want"; mkdir .part-${place} && tar -xzof - -C .part-${place} && mv .part-${place} ${digest}; s=$?`,
          // Where another fleet was quicker, mv has put it inside.
          `rm -rf .part-${place} ${digest}/.part-${place}; exit $s`,
        ]),
  ].join('; ')

/** Takes the files of the place from standard input, and starts `run` so that it outlives the connection. */
export const startScript = (place: string, worker: string): string =>
  [
    `umask 077; cd ${folder}/fleet/${place} && tar -xof - || exit 1`,
    `if command -v setsid >/dev/null 2>&1; then setsid sh ./run ${worker} >log 2>&1 </dev/null & else nohup sh ./run ${worker} >log 2>&1 </dev/null & fi`,
  ].join('; ')

/** Whether the process that `pid` names is that worker: pids are given again. */
const aliveFunction = (place: string, worker: string): string =>
  `p=$(cat fleet/${place}/pid 2>/dev/null); alive() { [ -n "$p" ] && { grep -qa ${worker} "/proc/$p/cmdline" 2>/dev/null || ps -ww -o args= -p "$p" 2>/dev/null | grep -q ${worker}; }; }`

export interface StopOptions {
  /** Seconds for what runs to end or keep a checkpoint, before the worker is killed. */
  readonly patience: number
  /** Hand back at once. */
  readonly now: boolean
  /** mlds stays, for the next fleet. */
  readonly keep: boolean
}

/** Ends the worker and removes its place; mlds too, once no worker of this user uses it. */
export const stopScript = (place: string, worker: string, digest: string | undefined, options: StopOptions): string =>
  [
    ownLine,
    `cd ${folder} 2>/dev/null || exit 0; ${aliveFunction(place, worker)}`,
    `if alive; then kill -TERM "$p"; ${options.now ? 'sleep 1; if alive; then kill -TERM "$p"; fi; ' : ''}i=0; while alive && [ $i -lt ${5 * options.patience} ]; do sleep 0.2 2>/dev/null || { sleep 1; i=$((i+4)); }; i=$((i+1)); done; if alive; then echo "mlds: killed"; kill -KILL -"$p" 2>/dev/null || kill -KILL "$p"; else echo "mlds: ended"; fi; fi`,
    `rm -rf fleet/${place} .part-${place} || exit 1`,
    ...(digest === undefined || options.keep ? [] : [`grep -qsx ${digest} fleet/*/uses || rm -rf ${digest} || exit 1`]),
    `cd "$HOME"; rmdir .cache/mlds/fleet .cache/mlds .cache 2>/dev/null; exit 0`,
  ].join('; ')

/** The end of a worker's log, by itself on standard output; a task of Slurm has one of its own. */
export const tailScript = (place: string, lines: number, task?: number): string => {
  const log = `${folder}/fleet/${place}/${task === undefined ? 'log' : `${task}.log`}`
  const why = task === undefined ? 'nothing was started' : `task ${task} has not begun, see squeue`
  return `[ -e ${log} ] || { echo "no log is there: ${why}" >&2; exit 1; }; tail -n ${lines} ${log}`
}

/** Whether the worker runs, and the last it said: of an error what was wrong, and not the advice, which is indented. */
export const stateScript = (place: string, worker: string): string =>
  [
    ownLine,
    `cd ${folder}/fleet/${place} 2>/dev/null || { echo "mlds: worker gone"; exit 0; }`,
    `cd ../..; ${aliveFunction(place, worker)}`,
    `if alive; then echo "mlds: worker runs"; else echo "mlds: worker ended"; fi`,
    `echo "mlds: said $(tail -n 20 fleet/${place}/log | grep -v "^  " | tail -n 1)"`,
  ].join('; ')

export interface RunFile {
  readonly place: string
  readonly worker: string
  readonly setup: boolean
  /** How mlds is called: one word, or Node and its program. Relative to `~/.cache/mlds` where it was copied. */
  readonly program: readonly ({ readonly copied: string } | string)[]
  readonly args: readonly string[]
}

/** Settings of NATS that a host's own profile may bring would count before the context. */
export const forgetServer =
  'unset NATS_URL NATS_USER NATS_PASSWORD NATS_TOKEN NATS_CREDS NATS_NKEY NATS_CA NATS_CERT NATS_KEY NATS_INBOX_PREFIX'

/** The file `run`: what a person adds is in quotes. Secrets are not in it. */
export function runFile({ place, worker, setup, program, args }: RunFile): string {
  const path = `${folder}/fleet/${place}`
  const call = program.map((part) =>
    typeof part === 'string' ? shellWord(part) : `${folder}/${shellWord(part.copied)}`,
  )
  return [
    '#!/bin/sh',
    `echo $$ >${path}/pid`,
    'cd "$HOME" || exit',
    ...(setup ? [`. ${path}/setup`] : []),
    forgetServer,
    `export NATS_CONTEXT=${path}/context.json`,
    `exec ${call.join(' ')} worker start --name ${worker} --store ${path}/store ${args.map(shellWord).join(' ')}`.trim(),
    '',
  ].join('\n')
}
