import { writeValue } from '../../core/param-value.js'
import { printable } from '../../core/printable.js'
import type { TrialAnswer } from '../wire.js'
import { Chart } from './chart.js'
import { colourOf } from './colours.js'
import { address, type SweepContext, type View } from './context.js'
import { fill, h, notice } from './dom.js'
import { source } from './source.js'
import { formatBytes, formatCell, formatTime } from './format.js'
import { logView } from './log-view.js'
import type { Row } from './model.js'

/** More charts than these are for the curves' own page. */
const maxCharts = 12

/** The one of this id, else those whose ids begin so; none of an empty text. */
export function trialsOf({ rows }: SweepContext['model'], id: string): readonly Row[] {
  const exact = rows.find((one) => one.id === id)
  return exact === undefined ? (id === '' ? [] : rows.filter((one) => one.id.startsWith(id))) : [exact]
}

/** Why an address shows no trial. */
export function whyNone(id: string, found: number): string {
  if (id === '') return 'The address names no trial.'
  return found === 0 ? `This sweep has no trial ${id}.` : `${found} trials of this sweep begin with ${id}.`
}

/** All that is known of one trial. */
export function trialPage(context: SweepContext, id: string): View {
  const { model, courses } = context
  const found = trialsOf(model, id)
  const [row] = found
  const element = h('section', { 'aria-label': 'Trial' })
  if (row === undefined || found.length > 1) {
    fill(element, notice('broken', whyNone(id, found.length)))
    return { element, update: () => {} }
  }
  const [head, facts, results, curves, logs] = [
    h('div'),
    h('div', { class: 'columns-2' }),
    h('div'),
    h('div', { class: 'charts' }),
    h('div'),
  ]
  fill(element, head, facts, h('h2', {}, 'Course'), results, curves, h('h2', {}, 'Log'), logs)
  const charts = new Map<string, Chart>()
  let log: ReturnType<typeof logView> | undefined
  let told = ''
  courses.want([row.id])

  const update = (): void => {
    const now = `${row.state} ${row.attempts}`
    fill(
      head,
      h('h2', {}, `Trial ${row.id}`),
      h(
        'p',
        {},
        h('span', { class: `state ${row.state}` }, row.state),
        ` ${model.describe(row)}`,
        row.reason === null ? null : h('span', { class: 'trouble' }, ` ${formatCell(row.reason)}`),
      ),
    )
    if (now !== told) {
      told = now
      void showFacts()
      log?.close()
      log = row.attempts === 0 ? undefined : logView(context.id, row.id, row.attempts)
      fill(logs, log?.element ?? notice('waiting', 'The trial has not begun: it has no log yet.'))
    }
    drawCharts()
  }
  const showFacts = async (): Promise<void> => {
    try {
      const answer = await source.ask<TrialAnswer>('trial', { sweep: context.id, trial: row.id })
      fill(facts, factsOf(context, row, answer))
    } catch (error) {
      fill(facts, notice('broken', `The trial could not be read: ${(error as Error).message}`))
    }
  }
  const drawCharts = (): void => {
    const course = courses.get(row.id)
    const names = [...(course?.series.keys() ?? [])].slice(0, maxCharts)
    if (names.length === 0) {
      const isWaiting = row.attempts > 0 && courses.isAsking
      const absent = row.reports > 0 && !source.hasCourse(row.id)
      return fill(
        results,
        isWaiting
          ? notice('waiting', 'Waiting for its course …')
          : notice('empty', absent ? absentCourse : 'It has reported nothing at a step.'),
      )
    }
    fill(results)
    names.forEach((name, i) => {
      const { steps, values } = course!.series.get(name)!
      let chart = charts.get(name)
      if (chart === undefined) {
        chart = new Chart()
        charts.set(name, chart)
        curves.append(chart.element)
      }
      const line = { label: name, colour: colourOf(i), steps, values, width: 2, opacity: 1 }
      chart.show(
        [line],
        [],
        { label: name, logX: false, logY: false, height: 200 },
        `${name} over ${steps.length} steps, last ${formatCell(values.at(-1) ?? null)}`,
      )
    })
  }
  fill(facts, notice('waiting', 'Waiting for what is known of the trial …'))
  return {
    element,
    update,
    reconnected: () => {
      void showFacts()
      courses.retry()
    },
    close: () => {
      log?.close()
      for (const chart of charts.values()) chart.close()
    },
  }
}

const absentCourse = 'This report does not hold its course: mlds report --full writes one that does.'

function factsOf({ id, model }: SweepContext, row: Row, answer: TrialAnswer): HTMLElement[] {
  const { params, seeds, attempts, files, parents, children, suggestion, stack } = answer
  const values = new Set(Object.values(seeds))
  const seedRows: [string, string][] =
    values.size === 1
      ? [['seed', String([...values][0])]]
      : Object.entries(seeds).map(([name, seed]) => [`seed.${name}`, String(seed)])
  const results = model.metrics.flatMap((name, i): [string, string][] => {
    const value = row.results[i]
    return value === null || value === undefined ? [] : [[name, formatCell(value)]]
  })
  const link = (trial: string): HTMLElement => h('a', { href: address('sweep', id, 'trial', trial) }, trial.slice(0, 8))
  const links = (trials: readonly string[]): (HTMLElement | string)[] =>
    trials.flatMap((trial, i) => (i === 0 ? [link(trial)] : [', ', link(trial)]))
  return [
    pairs('Parameters', [
      ...Object.entries(params).map(([name, value]): [string, string] => [name, writeValue(value)]),
      ...seedRows,
    ]),
    results.length === 0 ? part('Result', notice('empty', 'None yet.')) : pairs('Result', results),
    part(
      'Attempts',
      attempts.length === 0
        ? notice('empty', 'It has not begun.')
        : h(
            'table',
            {},
            h(
              'tbody',
              {},
              attempts.map(({ attempt, ended, atMs, isVoid, reason }) =>
                h(
                  'tr',
                  {},
                  h('th', { scope: 'row' }, attempt),
                  h('td', {}, `${ended}${isVoid ? ', void' : ''}`),
                  h('td', {}, formatTime(atMs)),
                  h('td', {}, printable(reason ?? '')),
                ),
              ),
            ),
          ),
      stack === undefined
        ? null
        : h('details', {}, h('summary', {}, 'Stack'), h('pre', { class: 'log' }, printable(stack))),
    ),
    part(
      'Files',
      files.length === 0
        ? notice('empty', 'It saved none.')
        : h(
            'ul',
            {},
            files.map(({ name, sizeBytes }) => h('li', {}, fileLink(id, row.id, name), ` ${formatBytes(sizeBytes)}`)),
          ),
    ),
    ...(suggestion === undefined ? [] : [part('Why it was tried', h('p', {}, suggestion))]),
    ...(parents.length + children.length === 0
      ? []
      : [
          part(
            'Derived',
            h('p', {}, parents.length === 0 ? 'from no other trial' : ['from ', ...links(parents)]),
            children.length === 0 ? null : h('p', {}, 'into ', ...links(children.slice(0, 50))),
          ),
        ]),
  ]
}

function fileLink(sweep: string, trial: string, name: string): HTMLElement | string {
  const href = source.fileAddress(sweep, trial, name)
  return href === undefined ? name : h('a', { href, download: name.replaceAll(/[^\w.-]/g, '_') }, name)
}

type Part = HTMLElement | null
const part = (title: string, ...children: readonly Part[]): HTMLElement =>
  h('div', { class: 'part' }, h('h3', {}, title), children)

const pairs = (title: string, entries: readonly (readonly [string, string])[]): HTMLElement =>
  part(
    title,
    h(
      'table',
      { class: 'facts' },
      h(
        'tbody',
        {},
        entries.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, value))),
      ),
    ),
  )
