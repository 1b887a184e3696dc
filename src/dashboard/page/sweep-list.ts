import { formatDuration } from '../../core/format.js'
import type { SweepLine } from '../wire.js'
import { address, type View } from './context.js'
import { fill, h, labelled, notice, renew } from './dom.js'
import { formatTime } from './format.js'

/** In the order in which they are told: what came of trials, then what is still to be done. */
const order = [
  'finished',
  'stopped',
  'diverged',
  'failed',
  'dead',
  'cancelled',
  'skipped',
  'running',
  'planned',
] as const

/** All sweeps of the store, newest first. */
export function sweepList(lines: () => readonly SweepLine[] | undefined): View {
  const table = h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Table of sweeps' })
  let wanted = ''
  const search = h('input', {
    ...{ type: 'search', autocomplete: 'off', id: 'sweeps-filter' },
    oninput: () => {
      wanted = search.value.toLowerCase()
      update()
    },
  })
  const tools = h('div', { class: 'tools' }, labelled('Sweeps that contain', search))
  const element = h('section', { 'aria-labelledby': 'sweeps' }, h('h1', { id: 'sweeps' }, 'Sweeps'), tools, table)
  const update = (): void => {
    const all = lines()
    if (all === undefined) return fill(table, notice('waiting', 'Waiting for the list of sweeps …'))
    if (all.length === 0)
      return fill(
        table,
        notice('empty', 'No sweeps yet. They appear here when one starts: ', h('code', {}, 'mlds sweep params')),
      )
    const found = all.filter((line) => textOf(line).includes(wanted))
    if (found.length === 0) return fill(table, notice('empty', `None of ${all.length} sweeps contains “${wanted}”.`))
    renew(table, tableOf(found))
  }
  return { element, update }
}

const textOf = ({ id, experiment, tags, note }: SweepLine): string =>
  [id, experiment, ...tags, note].join('\n').toLowerCase()

function tableOf(lines: readonly SweepLine[]): HTMLElement {
  const hasNotes = lines.some(({ note }) => note !== '')
  const heads = ['sweep', 'state', 'trials', 'best', 'planned at (UTC)', ...(hasNotes ? ['note'] : [])]
  return h(
    'table',
    { class: 'sweeps' },
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
      lines.map((line) => rowOf(line, hasNotes)),
    ),
  )
}

function rowOf(line: SweepLine, hasNotes: boolean): HTMLElement {
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('a', { href: address('sweep', line.id) }, line.id), tagList(line.tags)),
    h('td', { 'data-label': 'state' }, stateOf(line)),
    h('td', { 'data-label': 'trials' }, line.standing === 'ready' ? countsOf(line) : ''),
    h('td', { 'data-label': 'best' }, line.best),
    h('td', { 'data-label': 'planned at' }, line.createdAtMs === 0 ? '' : formatTime(line.createdAtMs).slice(0, 16)),
    hasNotes && h('td', { 'data-label': 'note', class: 'first-line' }, line.note.split('\n')[0]!.slice(0, 200)),
  )
}

export const tagList = (tags: readonly string[]): HTMLElement | null =>
  tags.length === 0
    ? null
    : h(
        'span',
        { class: 'tags' },
        tags.map((tag) => h('span', { class: 'tag' }, tag)),
      )

/** What a sweep does now, in words. */
export function stateOf(line: SweepLine): HTMLElement {
  const { standing, share, trouble, isRun, leftMs, planned, counts } = line
  if (standing === 'broken') return h('span', { class: 'trouble' }, `can't be read: ${trouble ?? 'unknown'}`)
  if (standing === 'reading') return h('span', { class: 'soft' }, `reading its journal, ${Math.round(100 * share)} %`)
  const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`
  const ended = planned - (counts.planned ?? 0) - (counts.running ?? 0)
  if (isRun) return h('span', { class: 'running' }, `running${left}`)
  return ended === planned ? h('span', {}, 'ended') : h('span', { class: 'open' }, 'not running, incomplete')
}

/** A bar of what became of the trials, with the same in words. */
export function countsOf({ planned, counts }: SweepLine): HTMLElement {
  const parts = order.flatMap((state) => ((counts[state] ?? 0) > 0 ? [[state, counts[state]!] as const] : []))
  const done = (counts.finished ?? 0) + (counts.stopped ?? 0) + (counts.diverged ?? 0)
  const apart = parts.filter(([state]) => state !== 'finished').map(([state, count]) => `${count} ${state}`)
  const bar = h(
    'span',
    { class: 'bar', 'aria-hidden': 'true' },
    parts.map(([state, count]) => {
      const piece = h('span', { class: `piece ${state}` })
      piece.style.flexGrow = String(count)
      return piece
    }),
  )
  return h(
    'span',
    {},
    `${done} of ${planned}`,
    h('span', { class: 'soft' }, apart.length === 0 ? '' : ` · ${apart.join(', ')}`),
    bar,
  )
}
