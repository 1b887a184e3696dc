import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { peersPython } from './measure.js'

/** Asks a peer's script for one measurement by name and gives the line that it answers. */
export type Peer = (name: string) => Promise<string>

/**
 * A peer's script that stays running, so that its imports and warm-up count for nothing; `undefined` without a Python
 * that has the peers. The process ends with this one, or on `close`.
 */
export function openPeer(script: string, args: readonly string[] = []): (Peer & { close(): void }) | undefined {
  if (peersPython === undefined) return undefined
  const child = spawn(peersPython, [join(import.meta.dirname, 'peers', script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  child.unref()
  const ask = async (name: string): Promise<string> => {
    child.stdin.write(`${name}\n`)
    const next: IteratorResult<string, unknown> = await lines.next()
    if (next.done === true) throw new Error(`${script} ended while it measured ${name}; its own words are above`)
    return next.value
  }
  return Object.assign(ask, { close: () => void child.kill() })
}
