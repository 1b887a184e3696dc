import type { SweepLine } from '../wire.js'
import type { View } from './context.js'
import { fill, h, notice } from './dom.js'
import type { Connection } from './feed.js'
import { openSource, source } from './source.js'
import { sweepList } from './sweep-list.js'
import { SweepPage } from './sweep-page.js'
import type { Stream } from './while-seen.js'

/** The page: one stream, and the list or one sweep, by what follows `#` in the address. */
class App {
  readonly #banner = h('div', { id: 'connection', 'aria-live': 'assertive' })
  readonly #body = h('div')
  readonly #lines = new Map<string, SweepLine>()
  #isTold = false
  #wasLost = false
  /** The sweep that is asked for is not in the store. */
  #isAbsent = false
  #feed: Stream | undefined
  #sweep: string | undefined
  #page: SweepPage | undefined
  #list: View | undefined

  constructor(root: HTMLElement) {
    fill(root, this.#banner, this.#body)
    addEventListener('hashchange', () => this.#route())
    // Drawings have the colours of the ground on which they were made.
    for (const media of ['(prefers-color-scheme: dark)', 'print'])
      matchMedia(media).addEventListener('change', () => this.#page?.redraw())
    this.#route()
  }

  #route(): void {
    const [kind, sweep, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decode)
    const named = kind === 'sweep' && sweep !== undefined && sweep !== '' ? sweep : undefined
    const wanted = source.report ?? named
    if (source.report === undefined) document.title = wanted === undefined ? 'Sweeps' : `${wanted} – sweeps`
    if (this.#feed !== undefined && wanted === this.#sweep) return this.#page?.go(rest)
    this.#feed?.close()
    this.#page?.close()
    this.#sweep = wanted
    ;[this.#page, this.#list, this.#isAbsent] = [undefined, undefined, false]
    if (wanted === undefined) {
      this.#list = sweepList(() => (this.#isTold ? this.#newestFirst() : undefined))
      this.#list.update()
      fill(this.#body, h('main', {}, this.#list.element))
    } else {
      this.#page = new SweepPage(wanted, () => this.#lines.get(wanted))
      this.#page.go(rest)
      fill(this.#body, this.#page.element)
    }
    this.#feed = source.follow(wanted, {
      onSweeps: ({ ids, lines }) => this.#takeLines(ids, lines),
      onSnapshot: (snapshot) => this.#page?.takeSnapshot(snapshot),
      onChange: (change) => this.#page?.takeChange(change),
      onConnection: (connection) => this.#showConnection(connection),
    })
  }

  #takeLines(ids: readonly string[] | undefined, lines: readonly SweepLine[]): void {
    for (const line of lines) this.#lines.set(line.id, line)
    const isThere = new Set(ids ?? this.#lines.keys())
    for (const id of this.#lines.keys()) if (!isThere.has(id)) this.#lines.delete(id)
    this.#isTold = true
    if (this.#sweep !== undefined && ids !== undefined && !isThere.has(this.#sweep)) {
      this.#isAbsent = true
      fill(
        this.#body,
        h(
          'main',
          {},
          h('h1', {}, this.#sweep),
          notice('broken', `There is no sweep ${this.#sweep} in this store. `, h('a', { href: '#/' }, 'All sweeps')),
        ),
      )
      return
    }
    if (this.#isAbsent && this.#page !== undefined) fill(this.#body, this.#page.element)
    this.#isAbsent = false
    this.#list?.update()
    this.#page?.takeLine()
  }

  #newestFirst(): SweepLine[] {
    return [...this.#lines.values()].sort((a, b) => b.createdAtMs - a.createdAtMs)
  }

  #showConnection(connection: Connection): void {
    document.body.dataset['connection'] = connection
    if (connection === 'live' && this.#wasLost) this.#page?.reconnected()
    // Between a loss and the next connection lies the attempt at one.
    if (connection !== 'connecting') this.#wasLost = connection !== 'live'
    if (connection === 'live' || connection === 'connecting')
      return connection === 'live' ? fill(this.#banner) : undefined
    const retry = h('button', { type: 'button', onclick: () => this.#feed?.connect() }, 'Try again')
    fill(
      this.#banner,
      connection === 'lost'
        ? notice('lost', 'The connection is lost; what you see is as it was. It is tried again every second. ')
        : notice(
            'lost',
            'The server no longer takes this page’s address. Open the one that mlds dashboard prints now. ',
            retry,
          ),
    )
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

void openSource().then(() => new App(document.getElementById('app')!))
