import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { requireService } from './services.js'

const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' })

/** True when tests can make networks of their own. CI that is not root skips them too, and says so. */
export const hasNamespaces =
  process.getuid?.() === 0
    ? requireService('network namespaces', canMakeOne(), 'they need root, and iproute2')
    : requireServiceAsRoot()

function canMakeOne(): boolean {
  const name = `mlds-probe-${process.pid}`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
  spawnSync('ip', ['netns', 'del', name])
  return true
}

function requireServiceAsRoot(): boolean {
  console.warn('Tests of cut networks are skipped: making a network needs root.')
  return false
}

/** How a network is cut: nobody is told, or both ends see their connections reset first. */
export type Cut = 'silently' | 'with a reset'

export interface Network {
  /** This side's address, as seen from the other. */
  readonly here: string
  /** The other side's address. */
  readonly there: string
  /** A command and its arguments, to be run on the other side. */
  inside(command: string, ...args: string[]): [string, string[]]
  cut(how: Cut): void
  /** At the earliest after {@link leastCutMs}. */
  heal(): Promise<void>
}

/** How long a cut lasts at least (MLDS_CUT_SECONDS, default 0: just as long as a test needs to see what it does). */
const leastCutMs = 1_000 * Number(process.env['MLDS_CUT_SECONDS'] ?? 0)

/** Another host, as far as the network goes: a namespace on a cable of its own. It goes with the test. */
export function withNetwork(index: number): Network {
  // Names of interfaces have at most 15 characters.
  const tag = `${process.pid % 100_000}-${index}`
  const [space, near, far] = [`mlds-${tag}`, `mh-${tag}`, `mn-${tag}`]
  const [here, there] = [`10.213.${index}.1`, `10.213.${index}.2`]
  ip('netns', 'add', space)
  onTestFinished(() => void spawnSync('ip', ['netns', 'del', space]))
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far)
  onTestFinished(() => void spawnSync('ip', ['link', 'del', near]))
  ip('link', 'set', far, 'netns', space)
  ip('addr', 'add', `${here}/30`, 'dev', near)
  ip('link', 'set', near, 'up')
  ip('-n', space, 'addr', 'add', `${there}/30`, 'dev', far)
  ip('-n', space, 'link', 'set', far, 'up')
  ip('-n', space, 'link', 'set', 'lo', 'up')
  const inside = (command: string, ...args: string[]): [string, string[]] => [
    'ip',
    ['netns', 'exec', space, command, ...args],
  ]
  let lasts = Promise.resolve()
  return {
    here,
    there,
    inside,
    cut(how) {
      // The far end's sockets are destroyed, which sends a reset while the cable is still whole.
      if (how === 'with a reset') execFileSync(...inside('ss', '-K', 'dst', here), { stdio: 'pipe' })
      ip('link', 'set', near, 'down')
      lasts = delay(leastCutMs)
    },
    async heal() {
      await lasts
      ip('link', 'set', near, 'up')
    },
  }
}
