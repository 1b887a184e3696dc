import type { LogPart } from '../wire.js'
import { Feed } from './feed.js'
import { whileSeen } from './while-seen.js'
import type { Source } from './source-type.js'

/** The server that this page came from. */
export function liveSource(): Source {
  return {
    report: undefined,
    nowMs: () => Date.now(),
    follow: (sweep, handlers) => new Feed(sweep, handlers),
    async ask<T>(path: string, query: Readonly<Record<string, string>>): Promise<T> {
      const response = await fetch(`./${path}?${new URLSearchParams(query).toString()}`)
      if (!response.ok) throw new Error((await response.text()).trim() || `the server answered ${response.status}`)
      return (await response.json()) as T
    },
    followLog({ sweep, trial, attempt }, { onPart, onTrouble, onNone }) {
      const query = new URLSearchParams({ sweep, trial, attempt: String(attempt) })
      return whileSeen((done) => {
        const stream = new EventSource(`./log?${query.toString()}`)
        stream.addEventListener('log', (message: MessageEvent<string>) => {
          query.set('since', message.lastEventId)
          onPart(JSON.parse(message.data) as LogPart)
        })
        stream.addEventListener('trouble', (message: MessageEvent<string>) =>
          onTrouble(JSON.parse(message.data) as string),
        )
        stream.addEventListener('none', onNone)
        stream.addEventListener('over', done)
        stream.onerror = () => {
          if (stream.readyState === EventSource.CLOSED) onNone()
        }
        return stream
      })
    },
    fileAddress: (sweep, trial, name) => `./file?${new URLSearchParams({ sweep, trial, name }).toString()}`,
    hasCourse: () => true,
  }
}
