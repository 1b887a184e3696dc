import { nearest, SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../core/errors.js'
import { lookUp } from '../core/names.js'
import { axisNamed } from '../core/searched-axes.js'
import { isTerminal, type TrialRecord } from '../core/trial.js'
import { allFigures, figureKinds, type WrittenFigure, type WrittenFigures } from '../core/written-figure.js'
import { isMapping } from '../core/is-mapping.js'
import { courseChart } from '../figures/results/course-chart.js'
import { results } from '../figures/results/results.js'
import type { FigureDefinition } from '../figures/figure.js'
import type { Experiment } from './experiment.js'

type Axes = Pick<Experiment, 'stages'>

/**
 * Looks for names that mean nothing to the sweep: of figures, and of axes. Metrics nobody knows before a trial has run.
 * @throws UnknownNameError, SpaceError with the path in the sweep file.
 */
export function checkFigures(
  written: WrittenFigures | undefined,
  experiment: Axes,
  own: readonly Pick<FigureDefinition, 'name'>[],
): void {
  const known = [allFigures, ...own.map(({ name }) => name)]
  const axes = [...new Set(experiment.stages.flatMap(({ space }) => Object.keys(space)))]
  for (const [i, one] of (written ?? []).entries()) {
    // A single figure may stand without a list, whose place is then that of the whole.
    const at = <T>(path: SpecPath, read: () => T): T => writtenAt(['figures', i, ...path], read)
    if (typeof one === 'string') {
      if (!known.includes(one))
        at([], () => {
          throw new UnknownNameError('figure', one, known)
        })
      continue
    }
    for (const key of ['x', 'colour', 'panel'] as const) {
      const name = one[key]
      if (name === undefined || axes.includes(axisNamed(name, experiment.stages))) continue
      if (key === 'x' && one.kind === 'points') continue
      at([key], () => {
        throw new UnknownNameError('axis', name, axes)
      })
    }
    if (one.colour !== undefined && one.colour === one.panel)
      at(['panel'], () => {
        throw new SpaceError(`figures: panel: ${one.panel!} is told by colour already (name another axis)`)
      })
    for (const key of ['colour', 'panel'] as const)
      if (one[key] !== undefined && one[key] === one.x)
        at([key], () => {
          throw new SpaceError(`figures: ${key}: ${one.x!} is on the x axis already (name another axis)`)
        })
  }
}

/** The figures that a sweep file lists, in its order; all the sweep has where it lists none. */
export function withFiguresOf(
  written: unknown,
  experiment: Axes,
  own: readonly FigureDefinition[],
  objective: { readonly metric: string },
): readonly FigureDefinition[] {
  // A plan may come from elsewhere.
  if (!Array.isArray(written)) return own
  const taken = new Set(own.map(({ name }) => name))
  const figures = (written as readonly unknown[]).flatMap((one): FigureDefinition[] => {
    if (one === allFigures) return [...own]
    if (typeof one === 'string') return own.filter(({ name }) => name === one)
    return isWritten(one) ? [figureOf(one, experiment, objective, taken)] : []
  })
  return [...new Map(figures.map((figure) => [figure.name, figure])).values()]
}

const isWritten = (one: unknown): one is WrittenFigure =>
  isMapping(one) && (figureKinds as readonly unknown[]).includes(one.kind)

function figureOf(
  written: WrittenFigure,
  experiment: Axes,
  objective: { readonly metric: string },
  taken: Set<string>,
): FigureDefinition {
  const { kind, x, y = [], colour, panel, scale = {} } = written
  const name = unusedName(written, objective.metric, taken)
  const axis = (key: 'colour' | 'panel', given: string | undefined): object =>
    given === undefined ? {} : { [key]: axisNamed(given, experiment.stages) }
  const looks = { ...axis('colour', colour), ...axis('panel', panel), scale }
  const told = [colour, panel].filter((one) => one !== undefined)
  const by = told.length === 0 ? '' : `, by ${told.join(' and ')}`
  if (kind === 'course') {
    const metrics = y.length > 0 ? y : [objective.metric]
    const caption = `${metrics.join(', ')} over the steps${by}: a line for each setting, the median over its seeds.`
    return measured(courseChart({ name, caption, metrics, ...looks }), 'series', metrics)
  }
  const metric = y[0] ?? objective.metric
  const caption = `${metric} against ${x!}${by}: a mark for each setting, at the mean over its seeds.`
  const joined = kind === 'results' ? {} : { joined: kind === 'line' }
  const at = axisNamed(x!, experiment.stages)
  const options = { name, caption, x: at, y: metric, objective: objective.metric, ...joined, ...looks }
  const isAxis = experiment.stages.some(({ space }) => Object.hasOwn(space, at))
  return measured(results(options), 'metrics', isAxis ? [metric] : [metric, at])
}

function unusedName({ name, kind, x, y = [] }: WrittenFigure, objective: string, taken: Set<string>): string {
  const [metric = objective] = y
  const shown = name ?? (kind === 'course' ? `course-of-${metric}` : `${metric}-against-${x!}`)
  const plain = shown.replace(/[^\w-]+/g, '-')
  let unused = plain
  for (let n = 2; taken.has(unused); n++) unused = `${plain}-${n}`
  taken.add(unused)
  return unused
}

/** The figure, which says so once every trial has ended and none has a metric that it is to show. */
function measured(figure: FigureDefinition, of: 'metrics' | 'series', metrics: readonly string[]): FigureDefinition {
  return {
    ...figure,
    draw(records, read, planned) {
      for (const metric of records.every(({ state }) => isTerminal(state)) ? metrics : [])
        requireMetric(metric, of, records)
      return figure.draw(records, read, planned)
    },
  }
}

function requireMetric(metric: string, of: 'metrics' | 'series', records: readonly TrialRecord[]): void {
  const names = new Set(records.flatMap((record) => Object.keys(record[of])))
  if (names.size === 0 || records.some((record) => lookUp<unknown>(record[of], metric) !== undefined)) return
  const near = nearest(metric, [...names])
  throw new SpaceError(
    `no trial has ${of === 'metrics' ? 'a final' : 'reported a'} metric ${metric} (${near === undefined ? '' : `did you mean ${near}? `}they have: ${[...names].join(', ')})`,
  )
}
