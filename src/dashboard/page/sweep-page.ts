import type { Change, Snapshot, SweepLine } from '../wire.js'
import { mayAct, sweepActions } from './actions.js'
import { compare } from './compare.js'
import { address, type SweepContext, type View } from './context.js'
import { CourseStore } from './course-store.js'
import { curves } from './curves.js'
import { fill, h, labelled, notice, renew } from './dom.js'
import { figuresView } from './figures-view.js'
import { readFilter, type Filter } from './filter.js'
import { SweepModel, type Row } from './model.js'
import { manifestView } from './manifest-view.js'
import { markdown } from './markdown.js'
import { parallel } from './parallel.js'
import { scatter } from './scatter.js'
import { slices } from './slices.js'
import { source } from './source.js'
import { countsOf, stateOf, tagList } from './sweep-list.js'
import { trialPage } from './trial-page.js'
import { trialTable } from './trial-table.js'
import { workers } from './workers.js'

/** A report opens with what was found; the page of a sweep that may still run with its trials. */
const first = (): string => (source.report === undefined ? 'trials' : 'report')

const tabs = (): (readonly [tab: string, label: string])[] => [
  ...(source.report === undefined ? [] : [['report', 'Report'] as const]),
  ['trials', 'Trials'],
  ['curves', 'Curves'],
  ['parallel', 'Parallel'],
  ['scatter', 'Scatter'],
  ['slices', 'Slices'],
  ...(source.report === undefined ? [['figures', 'Figures and verdicts'] as const] : []),
  ['workers', 'Workers'],
]

/** Views that show what the filter leaves. */
const filtered: readonly string[] = ['report', 'trials', 'curves', 'parallel', 'scatter', 'slices']

/** The page of one sweep: how it stands, and one of its views. */
export class SweepPage {
  readonly element = h('div')
  readonly #head = h('header')
  readonly #tabs = h('nav', { 'aria-label': 'Views of the sweep' })
  readonly #filterBar = h('div', { class: 'tools filter' })
  readonly #trouble = h('div', { 'aria-live': 'polite' })
  readonly #body = h('main', { id: 'view' })
  #context: SweepContext | undefined
  #views: View[] = []
  #route: readonly string[] = [first()]
  #filter: Filter = () => true
  #filterText = ''
  #shown: readonly Row[] | undefined
  #isDrawing = false

  constructor(
    private readonly id: string,
    private readonly line: () => SweepLine | undefined,
  ) {
    const actions = mayAct() ? sweepActions(id, line) : null
    fill(this.element, this.#head, actions, this.#tabs, this.#body)
    this.#drawFilter()
    this.#drawHead()
    this.#show()
  }

  /** @param route what follows the sweep's id in the address. */
  go(route: readonly string[]): void {
    this.#route = route.length === 0 ? [first()] : route
    this.#show()
  }

  takeSnapshot(snapshot: Snapshot): void {
    const model = new SweepModel(snapshot)
    const courses = new CourseStore(model, () => this.#draw())
    const filter = (): string => this.#filterText
    this.#context = {
      ...{ id: this.id, model, courses, line: this.line, chosen: this.#context?.chosen ?? new Set<string>() },
      shown: () => (this.#shown ??= model.rows.filter(this.#filter)),
      get filter() {
        return filter()
      },
      setFilter: (text) => this.#setFilter(text),
      onChosen: () => this.#draw(),
    }
    this.#readFilter()
    this.#drawHead()
    this.#show()
  }

  takeChange(change: Change): void {
    if (this.#context === undefined) return
    const { model, courses } = this.#context
    model.apply(change)
    courses.add(change.points)
    courses.check()
    this.#shown = undefined
    this.#draw()
  }

  takeLine(): void {
    this.#drawHead()
    if (this.#context === undefined) this.#show()
    else this.#draw()
  }

  /** The connection is there again. */
  reconnected(): void {
    this.#views.forEach((view) => view.reconnected?.())
  }

  /** All of it once more and at once, as in other colours: paper waits for no frame. */
  redraw(): void {
    this.#views.forEach((view) => view.update())
  }

  /** At the next frame, however often it is asked for; not while nobody sees the page. */
  #draw(): void {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => {
      this.#isDrawing = false
      this.#views.forEach((view) => view.update())
    })
  }

  #show(): void {
    this.#views.forEach((view) => view.close?.())
    this.#views = []
    const [name = '', one, two] = this.#route
    fill(
      this.#tabs,
      tabs().map(([tab, label]) =>
        h('a', { href: address('sweep', this.id, tab), 'aria-current': tab === name ? 'page' : null }, label),
      ),
    )
    const context = this.#context
    if (context === undefined) return fill(this.#body, this.#absent())
    this.#views = this.#viewsOf(name, context, one, two)
    const elements = this.#views.map(({ element }) => element)
    // A report's figures are of all trials: the filter stands where it begins to count.
    if (filtered.includes(name)) elements.splice(name === 'report' ? 1 : 0, 0, this.#filterBar, this.#trouble)
    if (name === 'report') elements.splice(1, 0, h('h2', {}, 'Trials'))
    fill(this.#body, elements)
    this.#views.forEach((view) => view.update())
  }

  #viewsOf(name: string, context: SweepContext, one = '', two = ''): View[] {
    switch (name) {
      case 'report':
        return [figuresView(context), trialTable(context), manifestView(context)]
      case 'slices':
        return [slices(context), trialTable(context)]
      case 'curves':
        return [curves(context)]
      case 'parallel':
        return [parallel(context), trialTable(context)]
      case 'scatter':
        return [scatter(context), trialTable(context)]
      case 'figures':
        return [figuresView(context), manifestView(context)]
      case 'workers':
        return [workers(context)]
      case 'trial':
        return [trialPage(context, one)]
      case 'compare':
        return [compare(context, [one, two])]
      case 'trials':
        return [trialTable(context)]
      default:
        return [noView(name)]
    }
  }

  #absent(): HTMLElement {
    const line = this.line()
    if (line === undefined) return notice('waiting', `Waiting for sweep ${this.id} …`)
    if (line.standing === 'broken')
      return notice('broken', `Sweep ${this.id} can't be read: ${line.trouble ?? 'unknown'}`)
    return notice('waiting', `Its journal is being read: ${Math.round(100 * line.share)} % …`)
  }

  #drawHead(): void {
    const line = this.line()
    const about = this.#context?.model.about
    renew(
      this.#head,
      source.report === undefined
        ? h('p', { class: 'crumbs' }, h('a', { href: '#/' }, 'All sweeps'))
        : h('p', { class: 'crumbs' }, 'Sweep ', h('code', {}, this.id)),
      h('h1', {}, source.report === undefined ? this.id : (about?.title ?? this.id), tagList(line?.tags ?? [])),
      about === undefined || about.question === '' ? null : h('p', { class: 'question' }, about.question),
      line === undefined ? null : h('p', { class: 'standing' }, stateOf(line), ' · ', countsOf(line)),
      line === undefined || line.best === '' ? null : h('p', { class: 'best-line' }, capital(line.best)),
      line?.note ? markdown(line.note) : null,
      line?.trouble !== undefined && line.standing !== 'broken'
        ? h('p', { class: 'trouble', role: 'alert' }, line.trouble)
        : null,
    )
  }

  #drawFilter(): void {
    const input = h('input', {
      ...{ type: 'search', id: 'filter', autocomplete: 'off', spellcheck: 'false', value: this.#filterText },
      ...{ placeholder: 'width < 8 and state == "finished"', 'aria-describedby': 'filter-help' },
      oninput: () => this.#setFilter(input.value, false),
    })
    const help = h(
      'span',
      { class: 'soft', id: 'filter-help' },
      'an expression over columns (`test/loss` in backquotes), or words to look for',
    )
    fill(this.#filterBar, labelled('Filter', input), help)
  }

  #setFilter(text: string, redraw = true): void {
    this.#filterText = text
    this.#readFilter()
    if (redraw) this.#filterBar.querySelector('input')!.value = text
    this.#draw()
  }

  #readFilter(): void {
    this.#shown = undefined
    if (this.#context === undefined) return
    try {
      this.#filter = readFilter(this.#filterText, this.#context.model.columns())
      fill(this.#trouble)
    } catch (error) {
      // What is not understood leaves everything: the filter of before would be taken for this one.
      this.#filter = () => true
      fill(this.#trouble, h('p', { class: 'trouble' }, `The filter is not applied: ${(error as Error).message}`))
    }
  }

  close(): void {
    this.#views.forEach((view) => view.close?.())
  }
}

/** An address that somebody typed. */
function noView(name: string): View {
  const told = `This page has no view ${name}; those that there are stand above.`
  return { element: notice('broken', told), update: () => {} }
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
