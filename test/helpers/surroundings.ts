import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Finished } from './cli.js'

const program = join(import.meta.dirname, '..', '..', 'bin', 'run.js')

/** A user who owns nothing here. */
export const nobody = 65_534

const asUser = (uid: number, words: readonly string[]): string[] => [
  ...['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'],
  ...words,
]

/** Whether commands can be run as another user and with mounts of their own: that takes root, and a repository that all may read. */
export const mayRun =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-m', 'true']).status === 0 &&
  runWords(asUser(nobody, [process.execPath, program, '--version']), '/', {}).code === 0

interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  /** Handed to the shell behind the command: where its streams go. */
  readonly redirect?: string
  /** What the shell does first. */
  readonly before?: string
}

/** Runs the built command to its end, as another user where one is named; 60 s is a hang. */
export function runAs(
  uid: number | undefined,
  cwd: string,
  args: readonly string[],
  surroundings: Surroundings = {},
): Finished {
  const words = [process.execPath, program, ...args]
  return runWords(uid === undefined ? words : asUser(uid, words), cwd, surroundings)
}

/** Starts the built command as another user; whoever calls this ends it. */
export function startAs(uid: number, cwd: string, args: readonly string[]): ChildProcess {
  const [command, ...words] = asUser(uid, [process.execPath, program, ...args])
  return spawn(command!, words, { cwd, env: cleanEnv(cwd), stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The same where `folder` can't be written by anybody. */
export function underReadOnlyMount(folder: string, cwd: string, args: readonly string[]): Finished {
  const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
  return runWords(['unshare', '-m', 'sh', '-c', script, 'sh', folder, process.execPath, program, ...args], cwd, {})
}

/** The same where `folder` is a disk of so many KiB that holds a copy of `cwd` and not a byte more. */
export function onSmallDisk(folder: string, sizeKb: number, cwd: string, args: readonly string[]): Finished {
  const script =
    'mount -t tmpfs -o size="$3"k tmpfs "$1" && cp -r "$2"/.mlds "$2"/*.yaml "$1" && cd "$1" && cat /dev/zero > fill 2>/dev/null; shift 3; exec "$@"'
  const words = ['unshare', '-m', 'sh', '-c', script, 'sh', folder, cwd, String(sizeKb), process.execPath, program]
  return runWords([...words, ...args], cwd, {})
}

function runWords(words: readonly string[], cwd: string, { env, redirect = '', before = ':' }: Surroundings): Finished {
  const { status, signal, stdout, stderr } = spawnSync(
    'sh',
    ['-c', `${before} && ${redirect.startsWith('|') ? '' : 'exec '}"$@" ${redirect}`, 'sh', ...words],
    {
      cwd,
      env: { ...cleanEnv(cwd), ...env },
      encoding: 'utf8',
      timeout: 60_000,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  return { code: status, signal, stdout, stderr }
}

function cleanEnv(cwd: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(MLDS|MLFLOW|NATS)_/.test(name))
  return { ...Object.fromEntries(own), NO_COLOR: '1', XDG_CONFIG_HOME: cwd }
}
