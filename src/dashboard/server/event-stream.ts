import type { ServerResponse } from 'node:http'
import type { LiveSweep, Position } from './live-sweep.js'

/** A page behind whose largest message more than this piles up is let go: it comes back and goes on where it was. */
const maxWaitingBytes = 16 << 20

/** Server-sent events to one page. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class EventStream {
  /** What the page has of the sweep that it shows; `undefined` before it has anything. */
  position: Position | undefined
  /** Whose changes it has been told of, each since then. */
  follows: LiveSweep | undefined
  /** The number of the list of sweeps that it has. */
  listVersion = -1
  /** Of the largest message so far: a snapshot of 100,000 trials takes a while to be taken in. */
  #largestBytes = 0

  constructor(
    private readonly response: ServerResponse,
    /** The sweep that it shows. */
    readonly sweep: string | undefined,
  ) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
    response.write('retry: 1000\n\n')
  }

  /** @param json of one line. `id` is what the page says when it comes back. */
  send(event: string, json: string, id?: string): void {
    const { response } = this
    if (response.destroyed) return
    const message = `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n`
    this.#largestBytes = Math.max(this.#largestBytes, Buffer.byteLength(message))
    response.write(message)
    if (response.writableLength > this.#largestBytes + maxWaitingBytes) response.destroy()
  }

  close(): void {
    this.response.destroy()
  }
}

/** What a page that comes back says it has; nothing of what it says is believed further than numbers go. */
export function readEventId(text: string | undefined): { list: string; position: Position | undefined } {
  const [, list = '', epoch, offset, trials] =
    /^([0-9a-f]{1,16}\.\d{1,9})?(?:\/([0-9a-f]{12}):(\d{1,15}):(\d{1,9}))?$/.exec(text ?? '') ?? []
  return {
    list,
    position: epoch === undefined ? undefined : { epoch, offset: Number(offset), trials: Number(trials) },
  }
}

export const eventId = (list: string, position: Position | undefined): string =>
  position === undefined ? list : `${list}/${position.epoch}:${position.offset}:${position.trials}`
