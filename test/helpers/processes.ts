import { readFileSync } from 'node:fs'

/** False once it has ended, also in a container whose first process never asks after the dead. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]![0] !== 'Z'
  } catch {
    // It has ended just now, or this system has no such files: asked again, the signal tells.
    return true
  }
}
