import { bandOf, smoothed } from './band.js'
import { Chart, type ChartBand, type ChartLine } from './chart.js'
import { colourOf, dashOf } from './colours.js'
import { isRunning, type SweepContext, type View } from './context.js'
import { checkbox, fill, h, labelled, notice, renew, select, selectName } from './dom.js'
import { formatCell } from './format.js'
import type { Row } from './model.js'
import { source } from './source.js'

/** More points than these are no curves but a cloud. */
const maxPoints = 8
const maxTrialsOfPoint = 24

type Choice = 'best' | 'newest' | 'chosen'

interface Group {
  readonly label: string
  readonly rows: readonly Row[]
}

/** Metrics over steps: of each point the mean over its seeds with a band of one standard deviation, or every trial. */
export function curves(context: SweepContext): View {
  const { model } = context
  const chart = new Chart()
  const controls = h('div', { class: 'tools' })
  const status = h('div')
  const legend = h('ul', { class: 'legend' })
  const element = h('section', { 'aria-label': 'Curves' }, controls, status, chart.element, legend)
  let [metric, choice, each, logX, logY, weight] = ['', 'best' as Choice, false, false, false, 0]
  let [known, wanted] = ['', '']

  const drawControls = (): void => {
    const slider = h('input', {
      ...{ type: 'range', min: 0, max: 0.98, step: 0.02, value: weight, id: 'smoothing' },
      oninput: () => {
        weight = Number(slider.value)
        update()
      },
    })
    const set = (act: () => void) => (): void => {
      act()
      update()
    }
    const which = [
      ['best', `the best ${maxPoints} points`],
      ['newest', `the newest ${maxPoints} points`],
      ['chosen', 'those ticked in the table'],
    ] as const
    fill(
      controls,
      selectName('Metric', model.metrics, metric, (name) => set(() => (metric = name))()),
      labelled(
        'of',
        select(which, choice, (value) => set(() => (choice = value as Choice))()),
      ),
      checkbox('every trial', each, (isOn) => set(() => (each = isOn))()),
      checkbox('log step', logX, (isOn) => set(() => (logX = isOn))()),
      checkbox('log metric', logY, (isOn) => set(() => (logY = isOn))()),
      labelled('Smoothing', slider),
    )
  }

  const update = (): void => {
    const names = model.metrics
    if (names.length > 0 && !names.includes(metric)) metric = usualMetric(names, model.about.objective.metric)
    if (names.join('\n') !== known) {
      known = names.join('\n')
      drawControls()
    }
    const groups = groupsOf(context, choice)
    const ids = groups.flatMap(({ rows }) => rows.map(({ id }) => id))
    if (ids.join() !== wanted) {
      wanted = ids.join()
      context.courses.want(ids)
    }
    draw(groups)
  }

  const draw = (groups: readonly Group[]): void => {
    const [lines, bands, items]: [ChartLine[], ChartBand[], HTMLElement[]] = [[], [], []]
    groups.forEach(({ label, rows }, i) => {
      const [colour, dash] = [colourOf(i), dashOf(i)]
      const courses = rows.flatMap(({ id }) => context.courses.get(id)?.series.get(metric) ?? [])
      if (courses.length === 0) return
      const main = each ? courses : [bandOf(courses)].map(({ steps, mean }) => ({ steps, values: mean }))
      if (!each && courses.length > 1) bands.push({ colour, ...bandOf(courses) })
      for (const { steps, values } of main) {
        if (weight > 0) lines.push({ label, colour, steps, values, width: 1, opacity: 0.3 })
        const smooth = weight > 0 ? smoothed(values, weight) : values
        lines.push({ label, colour, steps, values: smooth, width: each ? 1 : 2, dash: each ? [] : dash, opacity: 1 })
      }
      items.push(legendItem(label, colour, courses.length, main[0]!.values.at(-1) ?? NaN))
    })
    fill(legend, items)
    chart.element.hidden = lines.length === 0
    renew(status, statusOf(lines.length, groups.length))
    if (lines.length === 0) return
    const told = `${metric}${logY ? ' (logarithmic)' : ''} over steps${logX ? ' (logarithmic)' : ''}: ${items.map((item) => item.textContent).join('; ')}`
    chart.show(lines, bands, { label: metric, logX, logY, height: 380 }, told)
  }

  const statusOf = (lines: number, groups: number): HTMLElement | null => {
    const { isAsking, trouble } = context.courses
    if (trouble !== '') return notice('broken', `The curves could not be read: ${trouble}`)
    const absent = context.shown().filter(({ id, reports }) => reports > 0 && !source.hasCourse(id)).length
    if (absent > 0 && (lines === 0 || choice === 'chosen')) return notice('empty', `${absent} ${heldElsewhere}`)
    if (lines > 0) return absent > 0 ? h('p', { class: 'note' }, `${absent} ${heldElsewhere}`) : null
    if (choice === 'chosen' && groups === 0) return notice('empty', 'Tick trials in the table to see their curves.')
    if (isAsking) return notice('waiting', 'Waiting for the curves …')
    const isRun = context.line()?.isRun === true
    return isRun
      ? notice('waiting', 'Waiting for a trial’s first report …')
      : notice('empty', 'No trial has reported anything at a step.')
  }
  return { element, update, reconnected: () => context.courses.retry(), close: () => chart.close() }
}

/** What failed or was cancelled has reported, and is not among the best for it. */
const hasResult = ({ state }: Row): boolean => state === 'finished' || state === 'stopped' || state === 'diverged'

const heldElsewhere = 'curves are not in this report: mlds report --full writes one with all of them.'

function legendItem(label: string, colour: string, trials: number, last: number): HTMLElement {
  const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' })
  swatch.style.background = colour
  const count = trials === 1 ? '' : ` (mean of ${trials}, ± 1 standard deviation)`
  return h('li', {}, swatch, `${label}: ${formatCell(last)}`, h('span', { class: 'soft' }, count))
}

/** The objective, else what is held out of it, else the first. */
export function usualMetric(names: readonly string[], objective: string): string {
  return names.find((name) => name === objective) ?? names.find((name) => name.includes('loss')) ?? names[0]!
}

/** Points with their trials, of those that the filter leaves. */
function groupsOf(context: SweepContext, choice: Choice): Group[] {
  const { model } = context
  const { metric, direction } = model.about.objective
  const tried = context
    .shown()
    .filter(
      ({ id, attempts }) => attempts > 0 && source.hasCourse(id) && (choice !== 'chosen' || context.chosen.has(id)),
    )
  const groups = new Map<string, Row[]>()
  for (const row of tried) {
    const key = model.settingKey(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else if (group.length < maxTrialsOfPoint) group.push(row)
  }
  const begun = (row: Row): number => (isRunning(row, context.line()) ? row.heardAtMs : (row.startedAtMs ?? 0))
  const ranked = [...groups.values()].map((rows) => ({ rows, value: worth(rows) }))
  function worth(rows: readonly Row[]): number {
    if (choice === 'newest') return -rows.reduce((latest, row) => Math.max(latest, begun(row)), 0)
    const values = rows.flatMap((row) => (hasResult(row) ? (model.metric(row, metric) ?? []) : []))
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    if (!Number.isFinite(mean)) return Infinity
    return direction === 'minimize' ? mean : -mean
  }
  ranked.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0))
  return ranked.slice(0, maxPoints).map(({ rows }) => ({ rows, label: model.describe(rows[0]!, { setting: true }) }))
}
