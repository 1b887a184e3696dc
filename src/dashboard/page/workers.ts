import { formatDuration } from '../../core/format.js'
import { drainForm, mayAct } from './actions.js'
import { address, isRunning, type SweepContext, type View } from './context.js'
import { fill, h, notice, renew } from './dom.js'
import { formatAgo } from './format.js'
import { secondsOf, type Row } from './model.js'
import { source } from './source.js'

interface Worker {
  readonly name: string
  running: Row[]
  ended: number
  busyMs: number
  heardAtMs: number
}

/** Who runs what, and when it was last heard of. */
export function workers(context: SweepContext): View {
  const body = h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Table of workers' })
  const drain = mayAct() ? drainForm(context.id) : undefined
  const element = h('section', { 'aria-label': 'Workers' }, drain?.element, body)
  const update = (): void => {
    const found = workersOf(context)
    drain?.offer(found.map(({ name }) => name))
    if (found.length === 0) {
      const isRun = context.line()?.isRun === true
      return fill(
        body,
        isRun
          ? notice('waiting', 'Waiting for a worker to begin a trial …')
          : notice('empty', 'No worker has run a trial of this sweep.'),
      )
    }
    const heads = ['worker', 'runs', 'point', 'at step', 'for', 'last heard', 'ended', 'busy in all']
    renew(
      body,
      h(
        'table',
        { class: 'stacked' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            heads.map((head) => h('th', { scope: 'col' }, head)),
          ),
        ),
        h(
          'tbody',
          {},
          found.flatMap((worker) => rowsOf(context, worker, heads)),
        ),
      ),
      h(
        'p',
        { class: 'note' },
        source.report === undefined
          ? 'Last heard: by the journal, to which a worker’s reports come. Idle workers of a server: mlds worker list.'
          : 'Last heard: counted back from the newest event of the journal.',
      ),
    )
  }
  // How long ago something was goes on growing.
  const timer = source.report === undefined ? setInterval(update, 1_000) : undefined
  return { element, update, close: () => clearInterval(timer) }
}

function workersOf(context: SweepContext): Worker[] {
  const found = new Map<string, Worker>()
  const line = context.line()
  for (const row of context.model.rows) {
    if (row.worker === null) continue
    const worker = found.get(row.worker) ?? { name: row.worker, running: [], ended: 0, busyMs: 0, heardAtMs: 0 }
    found.set(row.worker, worker)
    if (isRunning(row, line)) worker.running.push(row)
    else if (row.endedAtMs !== null) worker.ended++
    worker.busyMs += 1_000 * (secondsOf(row) ?? 0)
    worker.heardAtMs = Math.max(worker.heardAtMs, row.heardAtMs)
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

function rowsOf({ id, model }: SweepContext, worker: Worker, heads: readonly string[]): HTMLElement[] {
  const { running, name, heardAtMs, ended, busyMs } = worker
  const now = source.nowMs()
  const cell = (i: number, ...children: (HTMLElement | string | number)[]): HTMLElement =>
    h('td', { 'data-label': heads[i] }, children)
  const tail = [cell(6, ended), cell(7, formatDuration(busyMs))]
  const first = h('th', { scope: 'row' }, name)
  if (running.length === 0)
    return [
      h(
        'tr',
        {},
        first,
        cell(1, h('span', { class: 'soft' }, 'nothing')),
        cell(2),
        cell(3),
        cell(4),
        cell(5, formatAgo(heardAtMs, now)),
        tail,
      ),
    ]
  return running.map((row, i) =>
    h(
      'tr',
      {},
      i === 0 ? first : h('th', { scope: 'row', class: 'soft' }, name),
      cell(1, h('a', { href: address('sweep', id, 'trial', row.id) }, row.id.slice(0, 8))),
      cell(2, model.describe(row)),
      cell(3, row.step ?? 'starting'),
      cell(4, formatDuration(now - (row.startedAtMs ?? now))),
      cell(5, formatAgo(row.heardAtMs, now)),
      i === 0 ? tail : [cell(6), cell(7)],
    ),
  )
}
