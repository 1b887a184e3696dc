import type { FleetSurroundings } from '../app/fleet/surroundings.js'
import type { Clock } from '../core/clock.js'
import { printable } from '../core/printable.js'

/** Ctrl-C ends what waits on hosts; what is written down of a fleet stays for `mlds fleet stop`. */
export async function surroundings(clock: Clock): Promise<{ around: FleetSurroundings; release: () => void }> {
  const { fleetsFolder } = await import('../fleet/state.js')
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, stop)
  const { env } = process
  return {
    around: {
      ...{ folder: fleetsFolder(env), env, clock, signal: stopping.signal },
      say: (line) => void process.stderr.write(`${printable(line)}\n`),
    },
    release: () => {
      for (const signal of signals) process.off(signal, stop)
    },
  }
}
