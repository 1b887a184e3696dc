import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** One process of this host; `started` tells it from another that is given the same pid later. */
export interface ListedProcess {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly started: string
}

/** What this host tells of its processes. */
export interface ProcessList {
  /** Those that run; the dead that nobody has asked after are left out. */
  list(): ListedProcess[]
  /** Whether its environment has this `name=value`; false where the host does not tell. */
  isMarked(pid: number, mark: string): boolean
  /** Bytes that it has in memory, those included that it shares with others; 0 for one that has ended. */
  residentBytes(pid: number): number
  /** The same with its part of what it shares; as above where the host does not tell. */
  proportionalBytes(pid: number): number
  /**
   * The most bytes that it ever had in memory, and the processor time, in ms, of it and of what it has started and outlived;
   * `undefined` where the host does not tell, or it has ended.
   */
  usage(pid: number): { readonly peakBytes: number; readonly cpuMs: number } | undefined
}

/** Of what Linux counts processor time in, wherever Node runs (USER_HZ; time(7)). */
const tickMs = 10

/** Linux: everything is read from /proc (proc(5)). */
const proc: ProcessList = {
  list: () =>
    readdirSync('/proc').flatMap((entry) => {
      const [state, parent, group, ...rest] = /^\d+$/.test(entry) ? fieldsOfStat(entry) : []
      if (state === undefined || state === 'Z' || state === 'X') return []
      return { pid: Number(entry), parent: Number(parent), group: Number(group), started: rest[16] ?? '' }
    }),
  isMarked: (pid, mark) => `\0${read(`/proc/${pid}/environ`)}\0`.includes(`\0${mark}\0`),
  residentBytes: (pid) => kilobytes(/^VmRSS:\s+(\d+) kB$/m, read(`/proc/${pid}/status`)) ?? 0,
  proportionalBytes: (pid) =>
    kilobytes(/^Pss:\s+(\d+) kB$/m, read(`/proc/${pid}/smaps_rollup`)) ?? proc.residentBytes(pid),
  usage: (pid) => {
    const peakBytes = kilobytes(/^VmHWM:\s+(\d+) kB$/m, read(`/proc/${pid}/status`))
    const stat = fieldsOfStat(pid)
    // utime, stime, and the same of children that it has waited for.
    const ticks = stat.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return peakBytes === undefined || stat.length < 15 ? undefined : { peakBytes, cpuMs: tickMs * ticks }
  },
}

/** Fields of /proc/PID/stat from the third, the state, on: before it stands the command's name, which may hold spaces and brackets. */
function fieldsOfStat(pid: number | string): string[] {
  const text = read(`/proc/${pid}/stat`)
  return text === '' ? [] : text.slice(text.lastIndexOf(') ') + 2).split(' ')
}

function read(file: string): string {
  try {
    // Of an environment only ASCII marks are looked for.
    return readFileSync(file, 'latin1')
  } catch {
    // It has ended, or is another user's.
    return ''
  }
}

const kilobytes = (pattern: RegExp, text: string): number | undefined => {
  const [, count] = pattern.exec(text) ?? []
  return count === undefined ? undefined : 1_024 * Number(count)
}

function ps(): string {
  try {
    const columns = ['pid', 'ppid', 'pgid', 'rss', 'stat', 'lstart'].map((name) => `${name}=`)
    return execFileSync('ps', ['-axo', columns.join(',')], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  } catch {
    return ''
  }
}

/** macOS, and wherever there is no /proc: what `ps` lists, anew for each list. Environments are not told. */
export class PsList implements ProcessList {
  readonly #resident = new Map<number, number>()

  list(): ListedProcess[] {
    this.#resident.clear()
    return ps()
      .split('\n')
      .flatMap((line) => {
        const [pid, parent, group, rss, state = '', ...started] = line.trim().split(/\s+/)
        if (state === '' || state.startsWith('Z')) return []
        this.#resident.set(Number(pid), 1_024 * Number(rss))
        return { pid: Number(pid), parent: Number(parent), group: Number(group), started: started.join(' ') }
      })
  }

  isMarked(): boolean {
    return false
  }

  residentBytes(pid: number): number {
    return this.#resident.get(pid) ?? 0
  }

  proportionalBytes(pid: number): number {
    return this.residentBytes(pid)
  }

  usage(): undefined {
    return undefined
  }
}

export const processList = (platform = process.platform): ProcessList => (platform === 'linux' ? proc : new PsList())
