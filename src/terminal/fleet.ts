import type { FleetSurroundings } from '../app/fleet/surroundings.js'
import type { Clock } from '../core/clock.js'
import { exitCodes } from '../core/errors.js'
import { printable } from '../core/printable.js'

interface Surroundings {
  readonly around: FleetSurroundings
  /** The exit code of the signal that came, if one did. */
  readonly caught: () => number | undefined
  readonly release: () => void
}

const codes = { SIGINT: exitCodes.interrupted, SIGTERM: exitCodes.terminated, SIGHUP: exitCodes.hungUp }

/** Ctrl-C ends what waits on hosts; what is written down of a fleet stays for `mlds fleet stop`. */
export async function surroundings(clock: Clock): Promise<Surroundings> {
  const { fleetsFolder } = await import('../fleet/state.js')
  const stopping = new AbortController()
  let caught: NodeJS.Signals | undefined
  const stop = (signal: NodeJS.Signals): void => {
    caught ??= signal
    stopping.abort()
  }
  const signals = Object.keys(codes) as (keyof typeof codes)[]
  for (const signal of signals) process.on(signal, stop)
  const { env } = process
  return {
    around: {
      ...{ folder: fleetsFolder(env), env, clock, signal: stopping.signal },
      say: (line) => void process.stderr.write(`${printable(line)}\n`),
    },
    caught: () => (caught === undefined ? undefined : codes[caught as keyof typeof codes]),
    release: () => {
      for (const signal of signals) process.off(signal, stop)
    },
  }
}
