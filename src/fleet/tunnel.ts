import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.js'
import { UnavailableError } from '../core/errors.js'
import { identityOf, livenessOf, type ProcessIdentity } from '../system/process-identity.js'
import { wait } from '../system/retry.js'
import { asPipe, destinationArgs, lastLine, quietArgs } from './ssh.js'
import type { Host } from './host.js'

/** A process of `ssh` that outlives this one, and brings a server to a port of the host's loopback address. */
export interface Tunnel {
  readonly identity: ProcessIdentity
  readonly port: number
}

const openMs = 30_000
const pauseMs = 100

/**
 * Opens a tunnel by which a host finds the server at `host:port`.
 * @param folder for what its `ssh` says.
 * @param wanted a port on the host; 0 lets it choose one.
 * @throws UnavailableError with the last line of why not.
 */
export async function openTunnel(
  host: Host,
  server: { readonly host: string; readonly port: number },
  { folder, label, wanted, clock }: { folder: string; label: string; wanted: number; clock: Clock },
): Promise<Tunnel> {
  const file = join(folder, `${label}.tunnel`)
  const address = server.host.includes(':') ? `[${server.host}]` : server.host
  const forward = ['-R', `127.0.0.1:${wanted}:${address}:${server.port}`]
  // A master of the user's own would take the forwarding over and end with it.
  const own = ['-S', 'none', '-o', 'ControlMaster=no', '-o', 'ExitOnForwardFailure=yes', '-o', 'LogLevel=DEBUG']
  // -N comes first, and so counts before what is said of a session.
  const args = ['-N', '-T', ...own, ...(await asPipe()), ...quietArgs, ...forward, ...destinationArgs(host)]
  const output = openSync(file, 'w', 0o600)
  const child = spawn('ssh', args, {
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  let ended = false
  child.on('exit', () => (ended = true))
  child.on('error', () => (ended = true))
  const sinceMs = clock.monotonic()
  try {
    for (;;) {
      const said = readFileSync(file, 'utf8')
      const port = /remote forward success/.test(said) ? wanted || Number(/^Allocated port (\d+) /m.exec(said)?.[1]) : 0
      if (port > 0 && child.pid !== undefined && !ended) {
        child.unref()
        return { identity: identityOf(child.pid), port }
      }
      if (ended || clock.monotonic() - sinceMs > openMs) {
        child.kill('SIGKILL')
        await rm(file, { force: true })
        throw new UnavailableError(
          `no tunnel: ${lastLine(said.replaceAll(/^debug1:.*$/gm, '')) || 'ssh ended without a word'}`,
        )
      }
      await wait(clock, pauseMs)
    }
  } finally {
    child.removeAllListeners()
  }
}

export const isOpen = ({ identity }: Tunnel): boolean => livenessOf(identity) === 'alive'

/** Ends a tunnel's process, if it still is that process. */
export async function closeTunnel(tunnel: Tunnel, folder: string, label: string): Promise<void> {
  if (isOpen(tunnel))
    try {
      process.kill(tunnel.identity.pid, 'SIGTERM')
    } catch {
      // It has just ended.
    }
  await rm(join(folder, `${label}.tunnel`), { force: true })
}
