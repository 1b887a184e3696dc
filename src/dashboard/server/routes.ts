import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../core/clock.js'
import { MldsError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { importanceOf } from '../../report/importance.js'
import { isResult } from '../../sweeps/journal/state.js'
import { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { Store } from '../../system/store.js'
import type { ImportanceAnswer } from '../wire.js'
import { act, readAction } from './actions.js'
import { EventStream } from './event-stream.js'
import type { FigureMaker } from './figure-maker.js'
import type { LiveStore } from './live-store.js'
import type { LiveSweep } from './live-sweep.js'
import { streamLog } from './log-stream.js'
import type { PageFile } from './page-files.js'
import { describeTrial } from './trial-answer.js'

/** Courses that a page may ask for at once. */
const maxCourses = 400

export interface RouteParts {
  readonly store: Store
  readonly clock: Clock
  readonly live: LiveStore
  readonly figures: FigureMaker
  readonly files: ReadonlyMap<string, PageFile>
}

interface Asking {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  readonly isAction: boolean
}

/** Answers a request that may be answered. Every name in it is looked up among those there are; none becomes a path. */
export async function answer(parts: RouteParts, path: string, asking: Asking): Promise<void> {
  if (asking.isAction)
    return path === '/act' ? takeAction(parts, asking) : refuse(asking.response, 404, 'nothing is here')
  const file = parts.files.get(path)
  if (file !== undefined) return send(asking.response, file.type, file.content)
  if (path === '/events') return streamEvents(parts, asking)
  const route = Object.hasOwn(ofSweep, path) ? ofSweep[path] : undefined
  if (route === undefined) return refuse(asking.response, 404, 'nothing is here')
  const id = asking.query.get('sweep') ?? ''
  const live = parts.live.sweep(id)
  if (live !== undefined) return route(parts, live, asking)
  if (parts.live.has(id)) return refuse(asking.response, 503, 'the sweep is still being read')
  return refuse(asking.response, 404, 'there is no such sweep')
}

async function takeAction({ store, live, clock }: RouteParts, { request, response, query }: Asking): Promise<void> {
  const id = query.get('sweep') ?? ''
  if (!live.has(id)) return refuse(response, 404, 'there is no such sweep')
  try {
    sendJson(response, await act(await SweepFolder.open(store, id), await readAction(request), clock))
  } catch (error) {
    if (!(error instanceof MldsError)) throw error
    refuse(response, 409, error.message)
  }
}

function streamEvents({ live }: RouteParts, { request, response, query }: Asking): void {
  // Asked for its headers alone, as by curl -I: nothing would end a stream that carries nothing.
  if (request.method === 'HEAD') return send(response, 'text/event-stream; charset=utf-8', '')
  const stream = new EventStream(response, query.get('sweep') ?? undefined)
  response.on('close', () => live.remove(stream))
  const lastId = request.headers['last-event-id']
  live.add(stream, (typeof lastId === 'string' ? lastId : query.get('since')) ?? undefined)
}

type Route = (parts: RouteParts, live: LiveSweep, asking: Asking) => void | Promise<void>

const ofSweep: Readonly<Record<string, Route>> = {
  '/courses': (_, live, { response, query }) => {
    const ids = (query.get('trials') ?? '').split(',')
    if (ids.length > maxCourses) return refuse(response, 400, `at most ${maxCourses} courses at once`)
    sendJson(response, live.courses(ids))
  },
  '/trial': (_, live, { response, query }) => {
    const told = describeTrial(live, query.get('trial') ?? '')
    return told === undefined ? refuse(response, 404, 'there is no such trial') : sendJson(response, told)
  },
  '/importance': (_, live, { response }) => {
    const { settings = 0, shares = [] } = importanceOf(live.records(), live.about.objective, live.searchedAxes) ?? {}
    sendJson(response, { settings, shares } satisfies ImportanceAnswer)
  },
  '/figures': async ({ figures }, live, { response }) => sendJson(response, await figures.of(live)),
  '/log': ({ clock, store }, live, { request, response, query }) => {
    const [trial, attempt] = [query.get('trial') ?? '', Number(query.get('attempt'))]
    const known = live.state.trials.get(trial)
    if (known === undefined || !Number.isInteger(attempt) || attempt < 1 || attempt > known.lastAttempt)
      return refuse(response, 404, 'there is no such attempt')
    if (request.method === 'HEAD') return send(response, 'text/event-stream; charset=utf-8', '')
    const from = Number(request.headers['last-event-id'] ?? query.get('since') ?? 0)
    streamLog(response, store, live, { trial, attempt, from: Number.isSafeInteger(from) && from > 0 ? from : 0 }, clock)
  },
  '/file': async ({ store }, live, { response, query }) => {
    const { outcome } = live.state.trials.get(query.get('trial') ?? '') ?? {}
    const file = isResult(outcome) ? lookUp(outcome.artifacts, query.get('name') ?? '') : undefined
    if (file === undefined) return refuse(response, 404, 'the trial has no such file')
    const bytes = await store.readObject(file)
    response.setHeader('content-disposition', `attachment; filename="${file.sha256.slice(0, 16)}.bin"`)
    send(response, 'application/octet-stream', bytes)
  },
}

const sendJson = (response: ServerResponse, value: unknown): void =>
  send(
    response,
    'application/json; charset=utf-8',
    JSON.stringify(value, (_, item: unknown) =>
      typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
    ),
  )

function send(response: ServerResponse, type: string, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, 'cache-control': 'no-store' })
  response.end(bytes)
}

export function refuse(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${why}\n`)
}
