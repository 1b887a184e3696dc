import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Names a process beyond its pid, which is given to another once it is free. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** Kernel's start time of the process where it can be read. */
  readonly started: string
  /** Tells machines of one name apart, and one boot from the next; empty where it can't be read. */
  readonly boot: string
  /** In which a pid means this process, such as a container's; empty where it can't be read, absent in what older versions wrote. */
  readonly pidNamespace?: string
}

export const thisProcess = (): ProcessIdentity & { readonly pidNamespace: string } => identityOf(process.pid)

/** A process of this host and PID namespace, now. */
export function identityOf(pid: number): ProcessIdentity & { readonly pidNamespace: string } {
  return {
    pid,
    host: hostname(),
    started: startOf(pid),
    boot: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: read(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? ''),
  }
}

export const describeProcess = ({ pid, host }: ProcessIdentity): string => `pid ${pid} on ${host}`

/** `unknown` for a process of another host, boot or PID namespace: nothing can be learnt about it from here. */
export function livenessOf(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (!isHere(identity)) return 'unknown'
  const started = startOf(identity.pid)
  if (started === '') return hasPid(identity.pid) ? 'alive' : 'dead'
  return identity.started === started || identity.started === '' ? 'alive' : 'dead'
}

/** False only for a process of this very place that has ended. */
export const mayBeAlive = (identity: ProcessIdentity): boolean => livenessOf(identity) !== 'dead'

function isHere({ host, boot, pidNamespace }: ProcessIdentity): boolean {
  const here = thisProcess()
  if (pidNamespace === undefined) return host === here.host
  return boot === here.boot && pidNamespace === here.pidNamespace && (boot !== '' || host === here.host)
}

/** A process of another user is there too, though no signal may be sent to it. */
function hasPid(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Empty where it can't be read: no such process, a `/proc` of another PID namespace, or one that hides other users' processes. */
function startOf(pid: number): string {
  return read(() => {
    if (readlinkSync('/proc/self') !== String(process.pid)) return ''
    // Fields 3 and 22, counted after the command name, which may itself hold spaces.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(') ') + 2).split(' ')
    // A dead process stays in the table until its parent asks after it, in a container without an init for ever.
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '')
  })
}

function read(act: () => string): string {
  try {
    return act()
  } catch {
    return ''
  }
}
