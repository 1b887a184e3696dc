import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { UnavailableError } from '../../errors.js'

export interface NatsServer {
  readonly url: string
  readonly process: ChildProcess
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
}

/**
 * Starts the `nats-server` found on PATH with JetStream kept in `folder`, on this host's loopback alone.
 * @param port 0 for a free one.
 * @throws UnavailableError when there is no such program, or it does not start.
 */
export async function startNatsServer(folder: string, port: number): Promise<NatsServer> {
  mkdirSync(folder, { recursive: true })
  const flags = ['-a', '127.0.0.1', '-p', String(port === 0 ? -1 : port), '-js', '-sd', folder]
  const server = spawn('nats-server', [...flags, '--ports_file_dir', folder], { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  server.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4_000)))
  let failure: string | undefined
  const ended = new Promise<void>((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOENT' ? 'there is no nats-server on PATH' : error.message
      resolve()
    })
    server.on('exit', (code, signal) => {
      failure ??= `nats-server ended (${signal ?? code}): ${complaint.trim().split('\n').at(-1)}`
      resolve()
    })
  })
  // The server tells where it listens in a file of its own; it may be met half-written.
  const portsFile = join(folder, `nats-server_${server.pid}.ports`)
  let url: string | undefined
  while (url === undefined && failure === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    url = readUrl(portsFile)
  }
  if (url === undefined)
    throw new UnavailableError(`NATS could not be started: ${failure}`, {
      hint: 'install it (Debian: apt-get install nats-server), or give the URL of a running one',
    })
  return {
    url,
    process: server,
    ended,
    async stop(signal = 'SIGTERM') {
      server.kill(signal)
      await ended
      rmSync(portsFile, { force: true })
    },
  }
}

function readUrl(portsFile: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(portsFile, 'utf8')) as { nats: string[] }).nats[0]
  } catch {
    return undefined
  }
}
