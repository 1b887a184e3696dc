import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { thisProcess } from '../../src/system/process-identity.js'

const fixture = join(import.meta.dirname, '..', 'fixtures', 'lock-holder.mjs')
const built = join(import.meta.dirname, '..', '..', 'dist')

export interface LockHolder {
  /** As this test's PID namespace knows it. */
  readonly pid: number
  readonly ask: (order: 'take' | 'append' | 'release', options?: object) => Promise<{ answer: string; hint?: string }>
}

/** A process that takes locks when told to; with `apart` in a PID namespace of its own, under the same host name. */
export async function startHolder({ apart = false } = {}): Promise<LockHolder> {
  const command = [
    ...(apart ? ['unshare', '-pf', '--mount-proc', '--kill-child'] : []),
    process.execPath,
    fixture,
    built,
  ]
  const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<never> => JSON.parse((await lines.next()).value as string) as never
  await answer()
  const inside = (): number => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  return {
    pid: apart ? inside() : child.pid!,
    ask: (order, options = {}) => {
      child.stdin.write(`${JSON.stringify({ order, ...options })}\n`)
      return answer()
    },
  }
}

/** A lock as its holder left it when it was killed: by this version, or by one that knew only a file. */
export function plantDeadLock(file: string, version: 'this' | 'c44b4e1'): void {
  const { boot, pidNamespace } = thisProcess()
  const pid = 2 ** 22 + 1
  writeFileSync(
    file,
    JSON.stringify({ pid, host: hostname(), started: '1', boot, ...(version === 'this' && { entry: 'x' }) }),
  )
  if (version === 'c44b4e1') return
  mkdirSync(`${file}.held`)
  writeFileSync(join(`${file}.held`, [pid, 1, boot, pidNamespace, 'nonce', hostname()].join(',')), '.')
}

/** How many of four processes hold the lock, for each of so many dead locks that they find at the same moment. */
export async function raceForDeadLocks(folder: string, rounds: number): Promise<number[]> {
  const holders = await Promise.all(Array.from({ length: 4 }, () => startHolder()))
  const winners: number[] = []
  for (let round = 0; round < rounds; round++) {
    const file = join(folder, `lock-${round}`)
    plantDeadLock(file, round % 2 === 0 ? 'this' : 'c44b4e1')
    const atMs = Date.now() + 2
    const answers = await Promise.all(holders.map(({ ask }) => ask('take', { file, atMs, beatMs: 3_600_000 })))
    winners.push(answers.filter(({ answer }) => answer === 'held').length)
    const refused = answers.filter(({ answer }) => answer.includes('is being run by another process'))
    if (refused.length !== 3) throw new Error(JSON.stringify(answers))
  }
  return winners
}
