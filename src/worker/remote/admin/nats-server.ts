import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../core/clock.js'
import { UnavailableError } from '../../../core/errors.js'
import { makeFolderSync } from '../../../system/make-folder.js'
import { wait } from '../../../system/retry.js'

export interface NatsServer {
  readonly url: string
  /** All addresses of this host that it listens on, those of the network too where its configuration says so. */
  readonly urls: readonly string[]
  readonly process: ChildProcess
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
}

const absent = 'there is no nats-server on PATH or in /usr/sbin'

/** Debian puts the server where the PATH of a person who is not root does not lead. */
const withServers = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin'].filter((folder) => folder !== '').join(':'),
})

/** `[major, minor]` of the `nats-server` found on PATH or in `/usr/sbin`; `undefined` when there is none. */
export function natsServerVersion(): readonly [number, number] | undefined {
  const { stdout } = spawnSync('nats-server', ['--version'], { encoding: 'utf8', env: withServers() })
  const found = /v(\d+)\.(\d+)\./.exec(stdout ?? '')
  return found === null ? undefined : [Number(found[1]), Number(found[2])]
}

/** Whether a server can write through to the disk before it answers (`sync_interval: always`, since 2.10). */
export function canSyncAlways(version = natsServerVersion()): boolean {
  return version !== undefined && (version[0] > 2 || (version[0] === 2 && version[1] >= 10))
}

/**
 * Starts the `nats-server` found on PATH or in `/usr/sbin`: with JetStream kept in `folder` on this host's loopback alone, or as the
 * configuration file `config` says.
 * @param port 0 for a free one; left out, the configuration's own.
 * @throws UnavailableError when there is no such program, or it does not start.
 */
export async function startNatsServer(folder: string, port?: number, config?: string): Promise<NatsServer> {
  makeFolderSync(folder)
  const listening = port === undefined ? [] : ['-p', String(port === 0 ? -1 : port)]
  const flags = ['-c', config ?? writeLoopback(folder), ...listening, '--ports_file_dir', folder]
  const server = spawn('nats-server', flags, { stdio: ['ignore', 'ignore', 'pipe'], env: withServers() })
  let complaint = ''
  server.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-4_000)))
  let failure: string | undefined
  const ended = new Promise<void>((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOENT' ? absent : error.message
      resolve()
    })
    server.on('exit', (code, signal) => {
      failure ??= `nats-server ended (${signal ?? code}): ${complaint.trim().split('\n').at(-1)}`
      resolve()
    })
  })
  // The server tells where it listens in a file of its own; it may be met half-written.
  const portsFile = join(folder, `nats-server_${server.pid}.ports`)
  let urls: readonly string[] = []
  while (urls.length === 0 && failure === undefined) {
    await wait(systemClock, 10)
    urls = readUrls(portsFile)
  }
  const [url] = urls
  if (url === undefined)
    throw new UnavailableError(`NATS could not be started: ${failure}`, {
      hint: remedyFor(failure!, flags[1]!),
    })
  return {
    url,
    urls,
    process: server,
    ended,
    async stop(signal = 'SIGTERM') {
      server.kill(signal)
      await ended
      rmSync(portsFile, { force: true })
    },
  }
}

function remedyFor(failure: string, config: string): string {
  if (failure === absent) return 'install it (Debian: apt-get install nats-server), or give the URL of a running one'
  if (failure.includes('unknown field "sync_interval"'))
    return `this nats-server is older than 2.10: put a # before sync_interval in ${config}, or install a newer one`
  return failure.includes('address already in use')
    ? 'something listens on that port: if it is a NATS server, use it with --nats URL; else choose another port with --port, 0 for a free one'
    : `its configuration is ${config}`
}

/** A server for this host alone, which anyone on it may use. */
function writeLoopback(folder: string): string {
  const file = join(folder, 'loopback.conf')
  const sync = canSyncAlways() ? 'sync_interval: always' : ''
  const jetstream = `jetstream {\n  store_dir: ${JSON.stringify(folder)}\n  ${sync}\n}`
  writeFileSync(file, `host: "127.0.0.1"\nport: 4222\nping_interval: "20s"\n${jetstream}\n`)
  return file
}

function readUrls(portsFile: string): readonly string[] {
  try {
    const { nats, tls } = JSON.parse(readFileSync(portsFile, 'utf8')) as { nats?: string[]; tls?: string[] }
    return nats ?? tls ?? []
  } catch {
    return []
  }
}
