import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The variable that marks the programs of one process of mlds. */
export const guardVariable = 'MLDS_GUARD'

/** What programs are given so that they don't outlive the process that runs them. */
export interface Guard {
  /** Value of MLDS_GUARD in the environment of each program. */
  readonly token: string
  /** Where the temporary folder of each trial goes. */
  readonly folder: string
}

export interface Watchdog extends Guard {
  /** Ends the watchdog and removes the folder: no program runs any more. */
  close(): void
}

/**
 * Waits for the end of its input: a line before it says that all is well. Without that line the process of mlds has died, however it
 * did. Then programs that carry its token ($1) get SIGTERM, three seconds later SIGKILL, and their folders ($2) go.
 */
const script = `
read -r word && exit 0
marked() {
  for entry in /proc/[0-9]*; do
    tr '\\0' '\\n' < "$entry/environ" 2> /dev/null | grep -qx "${guardVariable}=$1" && echo "\${entry#/proc/}"
  done
}
kill -TERM $(marked "$1") 2> /dev/null && sleep 3
for round in 1 2 3; do kill -KILL $(marked "$1") 2> /dev/null || break; done
rm -rf -- "$2"
`

/** Starts a small process that outlives this one and cleans up when this one dies, kill -9 included. */
export function startWatchdog(): Watchdog {
  const guard: Guard = { token: randomUUID(), folder: mkdtempSync(join(tmpdir(), 'mlds-trials-')) }
  // A program that runs as another user reaches its own folder in it.
  chmodSync(guard.folder, 0o711)
  const { PATH = '/usr/bin:/bin' } = process.env
  const child = spawn('sh', ['-c', script, 'mlds-watchdog', guard.token, guard.folder], {
    cwd: '/',
    // In a session of its own Ctrl-C and a closed terminal don't reach it; without our environment no other watchdog takes it for a program.
    detached: true,
    env: { PATH },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  // Without it programs run on, as they do where there is no shell.
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  return {
    ...guard,
    close() {
      child.stdin.end('done\n')
      rmSync(guard.folder, { recursive: true, force: true })
    },
  }
}
