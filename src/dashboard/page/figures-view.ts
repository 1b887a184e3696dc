import type { FiguresAnswer } from '../wire.js'
import type { SweepContext, View } from './context.js'
import { fill, h, notice } from './dom.js'
import { source } from './source.js'

/** The server draws as often as its time allows, and tells the last drawing until then. */
const againMs = 1_000

const columns = ['claim', 'verdict', 'ours', 'published', 'effect', '95 % interval', 'seeds']

/** The experiment's own figures and what is to be said of its claims, drawn anew as trials end. */
export function figuresView(context: SweepContext): View {
  const status = h('div')
  const body = h('div')
  const element = h('section', { 'aria-label': 'Verdicts and figures' }, status, body)
  /** Of how many ends the drawing was asked for, and of how many it is. */
  let [asked, drawn] = [-1, -1]
  let [isAsking, hasFailed] = [false, false]
  /** Until it rings, nothing is asked for anew. */
  let later: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const ended = (): number => {
    const { counts, planned } = context.line() ?? { counts: {}, planned: 0 }
    if (source.report !== undefined) return 0
    return planned - (counts.planned ?? 0) - (counts.running ?? 0)
  }
  const update = (): void => {
    if (!isAsking && later === undefined && ended() !== asked) void fetchFigures()
  }
  const fetchFigures = async (): Promise<void> => {
    isAsking = true
    const before = ended()
    if (drawn < 0) fill(status, notice('waiting', 'The figures are being drawn …'))
    try {
      const told = await source.ask<FiguresAnswer>('figures', { sweep: context.id })
      ;[asked, drawn] = [before, told.ended]
      hasFailed = false
      fill(
        status,
        told.ended < before
          ? notice(
              'waiting',
              `Drawn when ${told.ended} trial${told.ended === 1 ? '' : 's'} had ended; the rest follows.`,
            )
          : null,
      )
      show(told)
    } catch (error) {
      ;[asked, drawn, hasFailed] = [before, before, true]
      fill(status, notice('broken', `The figures could not be drawn: ${(error as Error).message}`))
    } finally {
      isAsking = false
      // After the last event of a sweep nothing else would ask for what is still to be drawn.
      if (!isClosed) later = setTimeout(askAgain, againMs)
    }
  }
  const askAgain = (): void => {
    later = undefined
    if (drawn < ended()) void fetchFigures()
    else update()
  }
  const show = ({ verdicts, notes, figures, troubles }: FiguresAnswer): void => {
    const claims = verdicts.filter(({ isCheck }) => !isCheck)
    const checks = verdicts.filter(({ isCheck }) => isCheck)
    fill(
      body,
      h('h2', {}, 'Verdicts'),
      claims.length === 0 ? h('p', {}, 'This experiment makes no claims.') : verdictTable(claims),
      notes.map((note) => h('p', { class: 'note' }, note)),
      checks.map(({ state, statement, cells }) =>
        h('p', { class: 'note' }, `Check ${state}: ${statement} (${cells[2] ?? ''}).`),
      ),
      h('h2', {}, 'Figures'),
      figures.length === 0 ? notice('empty', 'Nothing to draw until a trial has ended with a result.') : null,
      h('div', { class: 'figures' }, figures.map(figureOf)),
      troubles.map((trouble) => h('p', { class: 'trouble' }, trouble)),
    )
  }
  const reconnected = (): void => {
    if (hasFailed && !isAsking) void fetchFigures()
  }
  const close = (): void => {
    isClosed = true
    clearTimeout(later)
  }
  return { element, update, reconnected, close }
}

function verdictTable(verdicts: FiguresAnswer['verdicts']): HTMLElement {
  const rows = verdicts.map(({ state, cells }) =>
    h(
      'tr',
      {},
      cells.map((cell, i) =>
        i === 0
          ? h('th', { scope: 'row' }, cell)
          : h('td', { 'data-label': columns[i], class: i === 1 ? state.replace(' ', '-') : null }, cell),
      ),
    ),
  )
  const head = columns.map((column) => h('th', { scope: 'col' }, column))
  return h('table', { class: 'verdicts' }, h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))
}

/** An SVG in an image runs nothing and asks for nothing. */
function figureOf({ name, caption, src }: FiguresAnswer['figures'][number]): HTMLElement {
  const words = name.replaceAll('-', ' ')
  return h(
    'figure',
    {},
    h('h3', {}, words.charAt(0).toUpperCase() + words.slice(1)),
    h('div', { class: 'drawing' }, h('img', { alt: caption, src })),
    h('figcaption', {}, caption, ' ', h('a', { href: src, download: `${name}.svg`, class: 'save' }, 'Save as SVG')),
  )
}
