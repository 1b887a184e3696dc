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
 * did. Then programs that carry its token ($1), and what descends from them, get SIGTERM, three seconds later SIGKILL, and their
 * folders ($2) go. A process is known by its pid and when it started (fields 1 and 22 of /proc/PID/stat), so that it stays one
 * of them when its parents have ended, and none that is given its pid later is taken for it.
 */
const script = `
read -r word && exit 0
known=''
has() {
  case " $1 " in *" $2 "*) return 0;; esac
  return 1
}
look() {
  table='' pids='' marked=''
  for entry in /proc/[0-9]*; do
    { read -r line < "$entry/stat"; } 2> /dev/null || continue
    case $line in *') '*) set -- \${line##*) };; *) continue;; esac
    [ "$1" = Z ] || table="$table \${entry#/proc/}:$2:\${20}"
    tr '\\0' '\\n' 2> /dev/null < "$entry/environ" | grep -qx "${guardVariable}=$token" && marked="$marked \${entry#/proc/}"
  done 2> /dev/null
  more=yes
  while [ -n "$more" ]; do
    more=''
    for one in $table; do
      pid=\${one%%:*} start=\${one##*:} parent=\${one#*:}
      parent=\${parent%%:*}
      has "$pids" $pid && continue
      has "$known" $pid:$start || has "$marked" $pid || has "$pids" $parent || continue
      pids="$pids $pid" more=yes
      has "$known" $pid:$start || known="$known $pid:$start"
    done
  done
  [ -n "$pids" ]
}
token=$1 folder=$2
look && { kill -TERM $pids 2> /dev/null; sleep 3; }
round=0
while look && [ $round -lt 100 ]; do
  kill -KILL $pids 2> /dev/null
  round=$((round + 1))
done
rm -rf -- "$folder"
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
