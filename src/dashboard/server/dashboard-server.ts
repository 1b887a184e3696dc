import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.js'
import { MldsError, UnavailableError } from '../../core/errors.js'
import { problemOf } from '../../core/system-error.js'
import type { Store } from '../../system/store.js'
import { FigureMaker } from './figure-maker.js'
import { judgeRequest, safeHeaders } from './guard.js'
import { LiveStore } from './live-store.js'
import { readPageFiles } from './page-files.js'
import { answer, refuse } from './routes.js'

/** More connections than these are not taken: a browser needs six. */
const maxConnections = 200
const tokenPattern = /^[A-Za-z0-9_-]{20,200}$/

export interface DashboardOptions {
  readonly store: Store
  readonly clock: Clock
  /** 0 for a free one. */
  readonly port: number
  /** The secret in the address. Default: a new one of 128 bits. */
  readonly token?: string | undefined
  readonly trustCode: boolean
  /** Whether its page may change something: notes, tags, and what runs. */
  readonly allowsActions: boolean
}

export interface Dashboard {
  /** With its token. */
  readonly url: string
  readonly port: number
  /** Rejects when the store can't be followed any more; resolves after `close`. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/**
 * Serves a store's sweeps to browsers of this host. @throws MldsError for a token that is too short, UnavailableError when
 * the port is taken.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { store, clock, port, token, trustCode, allowsActions } = options
  if (token !== undefined && !tokenPattern.test(token))
    throw new MldsError('USAGE', 'MLDS_DASHBOARD_TOKEN: not a token (20 to 200 letters, digits, - and _ are right)')
  const secret = token ?? randomBytes(16).toString('base64url')
  const end = new AbortController()
  const live = new LiveStore({ store, clock, trustCode, signal: end.signal })
  const parts = {
    store,
    clock,
    live,
    figures: new FigureMaker(store, clock, trustCode),
    files: readPageFiles(allowsActions),
  }
  const limits = { maxHeaderSize: 16 << 10, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 }
  const server = createServer({ ...limits, connectionsCheckingInterval: 1_000 }, (request, response) => {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value)
    const judged = judgeRequest(request, { token: secret, allowsActions })
    if ('status' in judged) return refuse(response, judged.status, judged.why)
    const { path, query, isAction } = judged
    answer(parts, path, { request, response, query, isAction }).catch((error: Error) =>
      refuse(response, 500, error.message),
    )
  })
  server.maxConnections = maxConnections
  // What is no HTTP gets no answer that a page could read.
  server.on('clientError', (_, socket) => socket.destroy())
  await listen(server, port)
  const { port: taken } = server.address() as AddressInfo
  const followed = live.follow()
  // Whoever awaits `ended` is told; until then it is no fault of the process.
  followed.catch(() => {})
  return {
    url: `http://127.0.0.1:${taken}/${secret}/`,
    port: taken,
    ended: followed,
    close: async () => {
      end.abort()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await followed.catch(() => {})
    },
  }
}

/** On this host alone. */
async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UnavailableError(`the dashboard can't listen: 127.0.0.1:${port}: ${problemOf(error)}`, {
          hint: 'have a free port chosen with: mlds dashboard --port 0',
        }),
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
}
