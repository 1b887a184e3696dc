import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** Names a process beyond its pid, which is given to another once it is free. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** Kernel's start time of the process where it can be read. */
  readonly started: string
  /** Tells machines of one name apart, and one boot from the next; empty where it can't be read. */
  readonly boot: string
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), started: startOf(process.pid), boot: bootId() }
}

export const describeProcess = ({ pid, host }: ProcessIdentity): string => `pid ${pid} on ${host}`

/** False only for a process of this host that has ended: nothing can be learnt about another host from here. */
export function mayBeAlive(identity: ProcessIdentity): boolean {
  if (identity.host !== hostname()) return true
  try {
    process.kill(identity.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return identity.started === startOf(identity.pid)
}

function startOf(pid: number): string {
  try {
    // Fields 3 and 22, counted after the command name, which may itself hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')
    // A dead process stays in the table until its parent asks after it, in a container without an init for ever.
    return fields?.[0] === 'Z' ? 'ended' : (fields?.[19] ?? '')
  } catch {
    return ''
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
