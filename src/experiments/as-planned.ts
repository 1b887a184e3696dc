import type { ImportanceAxis } from '../analysis/ped-anova.js'
import { isMapping } from '../core/is-mapping.js'
import { sweepObjective } from '../core/objective.js'
import { printableLine } from '../core/printable.js'
import { averagedOf, settingOf } from '../core/setting.js'
import type { Constraint, Objective, ParamValue, TrialRecord } from '../core/trial.js'
import type { FigureDefinition } from '../figures/figure.js'
import { searchFigures } from '../figures/search/search-figures.js'
import type { SearchedAxis } from '../figures/search/settings.js'
import type { Experiment } from './experiment.js'
import { withClaimsOf, type ClaimsOfSweep } from './written-claims.js'

/** What a sweep's plan adds to its experiment. */
interface PlannedSweep extends ClaimsOfSweep {
  readonly search?: { readonly axes: Readonly<Record<string, unknown>>; readonly learning?: object }
  readonly constraints?: readonly Constraint[]
  readonly confirm?: { readonly seeds: number; readonly after?: number }
  readonly when?: Readonly<Record<string, unknown>>
  readonly average?: readonly string[]
}

/** The experiment with what a sweep's plan adds to it: claims that its file states, and the figures of a search that learns. */
export function asPlanned(spec: PlannedSweep, experiment: Experiment): Experiment {
  const claimed = withClaimsOf(spec, experiment)
  const { search } = spec
  const objective: Objective = sweepObjective(spec, experiment)
  if (search?.learning === undefined) return pooling(claimed, objective)
  // A plan may come from elsewhere.
  const axes = Object.entries(isMapping(search.axes) ? search.axes : {}).flatMap(([written, axis]) =>
    searchedAxis(written, axis, spec, experiment),
  )
  const own = searchFigures({ axes, objective })
  const names = new Set(own.map(({ name }) => name))
  return pooling(
    { ...claimed, figures: [...own, ...claimed.figures.filter(({ name }) => !names.has(name))] },
    objective,
  )
}

/** The experiment with figures that pool, as they do seeds, the axes which are averaged: they are shown trials without those. */
function pooling(experiment: Experiment, objective: Objective): Experiment {
  const { average } = objective
  if (average === undefined) return experiment
  const pooled = (record: TrialRecord): TrialRecord => {
    const { trial } = record
    const averaged = averagedOf(trial.params, objective)
    if (Object.keys(averaged).length === 0) return record
    return { ...record, trial: { ...trial, params: settingOf(trial.params, objective) }, averaged }
  }
  const figures = experiment.figures.map((figure): FigureDefinition => ({
    ...figure,
    caption: `${figure.caption} Trials are pooled over ${average.map(printableLine).join(' and ')} as over seeds.`,
    draw: (records, read) => figure.draw(records.map(pooled), read),
  }))
  return { ...experiment, figures }
}

/** What trials call an axis that is written with the stage that it is of. */
function nameOf(written: string, { stages }: Experiment): string {
  const dot = written.indexOf('.')
  return dot > 0 && stages.some(({ name }) => name === written.slice(0, dot)) ? written.slice(dot + 1) : written
}

function searchedAxis(
  written: string,
  axis: unknown,
  { search, when }: PlannedSweep,
  experiment: Experiment,
): SearchedAxis[] {
  if (!isMapping(axis)) return []
  const name = nameOf(written, experiment)
  const { kind, values, low, high, step } = axis
  const condition = conditionOf(when?.[written], search?.axes ?? {}, experiment)
  if (kind === 'choice') {
    if (!Array.isArray(values)) return []
    const choice: ImportanceAxis = { name, kind, choices: values.length }
    return [{ title: written, axis: choice, values: values as readonly ParamValue[], ...condition }]
  }
  if (typeof kind !== 'string' || typeof low !== 'number' || typeof high !== 'number') return []
  const range: ImportanceAxis = {
    ...{ name, kind: kind.endsWith('int') ? 'int' : 'float', low, high },
    ...(kind.startsWith('log') ? { log: true } : {}),
    ...(typeof step === 'number' ? { step } : {}),
  }
  return [{ title: written, axis: range, ...condition }]
}

/** As samplers see it: an axis that hangs on one searched list. */
function conditionOf(
  pattern: unknown,
  axes: Readonly<Record<string, unknown>>,
  experiment: Experiment,
): Pick<SearchedAxis, 'when'> {
  const [[parent, among] = [], ...others] = Object.entries(isMapping(pattern) ? pattern : {})
  if (parent === undefined || others.length > 0 || !Array.isArray(among) || !Object.hasOwn(axes, parent)) return {}
  return { when: { axis: nameOf(parent, experiment), among: among as readonly ParamValue[] } }
}
