import { maxOf } from '../core/extremes.js'
import { processList, type ListedProcess, type ProcessList } from './process-list.js'

/** A program that forks as fast as it is looked at is not looked at for ever. */
const maxRounds = 200

/**
 * A program and all that it has started, whatever group or session that has moved to and whoever is its parent now: what
 * is in its group, descends from it, or carries its mark (where the host tells of environments), and what was once seen to. Only a process
 * that has cleared its environment and left its parents between two looks is missed.
 */
export class ProcessTree {
  /** Members that were seen, by pid, with when they started. */
  #members = new Map<number, string>()
  /** Processes that carry no mark: what has none when it is forked never gets one of ours. */
  #strangers = new Map<number, string>()

  /**
   * @param root the program's pid, which leads its process group.
   * @param mark `name=value` in the environment of the program.
   */
  constructor(
    private readonly root: number,
    private readonly mark: string,
    private readonly host: ProcessList = processList(),
  ) {}

  /** Those of its processes that run now. */
  look(): number[] {
    const listed = this.host.list().filter(({ pid }) => pid !== process.pid)
    const children = new Map<number, ListedProcess[]>()
    for (const one of listed) children.set(one.parent, [...(children.get(one.parent) ?? []), one])
    const members = new Map<number, string>()
    const strangers = new Map<number, string>()
    const add = ({ pid, started }: ListedProcess): void => {
      if (members.has(pid)) return
      members.set(pid, started)
      for (const child of children.get(pid) ?? []) add(child)
    }
    for (const one of listed) if (this.#isOurs(one)) add(one)
    for (const one of listed) {
      if (members.has(one.pid)) continue
      if (this.#strangers.get(one.pid) !== one.started && this.host.isMarked(one.pid, this.mark)) add(one)
      else strangers.set(one.pid, one.started)
    }
    this.#members = members
    this.#strangers = strangers
    return [...members.keys()]
  }

  #isOurs({ pid, group, started }: ListedProcess): boolean {
    return group === this.root || pid === this.root || this.#members.get(pid) === started
  }

  /** Sends a signal to each that runs now. */
  signal(signal: NodeJS.Signals): void {
    for (const pid of this.look()) send(pid, signal)
  }

  /** Kills every one, also those that are being forked meanwhile. @returns whether none is left. */
  kill(): boolean {
    const killed = new Set<string>()
    for (let round = 0; round < maxRounds; round++) {
      const fresh = this.look().filter((pid) => !killed.has(`${pid} ${this.#members.get(pid)}`))
      if (fresh.length === 0) return true
      for (const pid of fresh) {
        killed.add(`${pid} ${this.#members.get(pid)}`)
        send(pid, 'SIGKILL')
      }
    }
    return false
  }

  /**
   * Bytes that they have in memory together, and how many they are. What several share counts for each, unless that makes more than
   * `limitBytes`: then it is counted once, which takes longer.
   */
  memory(limitBytes: number): { readonly bytes: number; readonly processes: number } {
    const pids = this.look()
    const sum = (bytesOf: (pid: number) => number): number => pids.reduce((total, pid) => total + bytesOf(pid), 0)
    const resident = sum((pid) => this.host.residentBytes(pid))
    const bytes = resident <= limitBytes ? resident : sum((pid) => this.host.proportionalBytes(pid))
    return { bytes, processes: pids.length }
  }

  /** The most bytes that one of those that run now ever had in memory, and their processor time; nothing where the host does not tell. */
  usage(): { readonly peakBytes: number; readonly cpuMs: number } | undefined {
    const found = this.look().flatMap((pid) => this.host.usage(pid) ?? [])
    if (found.length === 0) return undefined
    return {
      peakBytes: maxOf(found.map(({ peakBytes }) => peakBytes)),
      cpuMs: found.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    }
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}
