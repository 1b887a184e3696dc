import { readdirSync, readFileSync } from 'node:fs'

/**
 * Kills every process whose environment has `name=value`, whatever group or session it has moved to and whoever is its parent
 * now. Only Linux tells the environment of others; elsewhere nothing is found. @returns how many were killed.
 */
export function killMarked(name: string, value: string): number {
  const killed = new Set<number>()
  // One that was being forked while the others were looked at is found by the next look.
  for (let found = marked(name, value); found.some((pid) => !killed.has(pid)); found = marked(name, value))
    for (const pid of found) {
      killed.add(pid)
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
  return killed.size
}

function marked(name: string, value: string): number[] {
  const mark = Buffer.from(`\0${name}=${value}\0`)
  return processes().filter((pid) => {
    try {
      return pid !== process.pid && Buffer.concat([Buffer.of(0), readFileSync(`/proc/${pid}/environ`)]).includes(mark)
    } catch {
      // It has ended, or is another user's.
      return false
    }
  })
}

function processes(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}
