import type { ImportanceAxis } from '../analysis/ped-anova.js'
import { isMapping } from '../core/is-mapping.js'
import { sweepObjective } from '../core/objective.js'
import { printableLine } from '../core/printable.js'
import { axisNamed, logarithmicAxes } from '../core/searched-axes.js'
import { averagedOf, settingOf } from '../core/setting.js'
import type { Constraint, Objective, ParamValue, TrialRecord } from '../core/trial.js'
import type { FigureDefinition } from '../figures/figure.js'
import { searchFigures } from '../figures/search/search-figures.js'
import type { SearchedAxis } from '../figures/search/settings.js'
import type { Experiment } from './experiment.js'
import { withClaimsOf, type ClaimsOfSweep } from './written-claims.js'
import { withFiguresOf } from './written-figures.js'

/** What a sweep's plan adds to its experiment. */
interface PlannedSweep extends ClaimsOfSweep {
  readonly search?: { readonly axes: Readonly<Record<string, unknown>>; readonly learning?: object }
  readonly constraints?: readonly Constraint[]
  readonly confirm?: { readonly seeds: number; readonly after?: number }
  readonly when?: Readonly<Record<string, unknown>>
  readonly average?: readonly string[]
  readonly figures?: unknown
}

/**
 * The experiment with what a sweep's plan adds to it: claims that its file states, the figures of a search that learns, and
 * those that the file lists. All go by the sweep's own seeds: fresh ones, by which its best settings were confirmed, only those
 * settings have.
 */
export function asPlanned(spec: PlannedSweep, experiment: Experiment): Experiment {
  const claimed = withClaimsOf(spec, experiment)
  const objective: Objective = sweepObjective(spec, experiment)
  const figures = withFiguresOf(spec.figures, experiment, ownFigures(spec, experiment), objective)
  const read = figures.map((figure) => asRead(figure, spec, objective, experiment))
  const searchedAxes = searchedAxesOf(spec, experiment)
  return onOwnSeeds({ ...claimed, figures: read, ...(searchedAxes && { searchedAxes }) }, objective)
}

function onOwnSeeds(experiment: Experiment, { confirm }: Objective): Experiment {
  if (confirm === undefined) return experiment
  const own = (records: readonly TrialRecord[]): readonly TrialRecord[] =>
    records.filter(({ trial }) => trial.seeds.init <= confirm.after)
  return {
    ...experiment,
    claims: experiment.claims.map((claim) => ({
      ...claim,
      ...(claim.concerns && { concerns: (records) => claim.concerns!(own(records)) }),
      check: (records) => claim.check(own(records)),
    })),
    figures: experiment.figures.map((figure): FigureDefinition => ({
      ...figure,
      draw: (records, ...rest) => figure.draw(own(records), ...rest),
    })),
  }
}

/** The figures that a sweep has without a list of its own. */
export function ownFigures(spec: PlannedSweep, experiment: Experiment): readonly FigureDefinition[] {
  const axes = searchedAxesOf(spec, experiment)
  if (axes === undefined) return experiment.figures
  const own = searchFigures({ axes, objective: sweepObjective(spec, experiment) })
  const names = new Set(own.map(({ name }) => name))
  return [...own, ...experiment.figures.filter(({ name }) => !names.has(name))]
}

/**
 * The figure as it is to read trials: those that differ in averaged axes alone are seeds of one setting to it, and it knows
 * which axes are searched evenly in their logarithm.
 */
function asRead(
  figure: FigureDefinition,
  { search }: PlannedSweep,
  objective: Objective,
  experiment: Experiment,
): FigureDefinition {
  const { average } = objective
  const planned = { logarithmic: logarithmicAxes(search, experiment.stages) }
  if (average === undefined) return { ...figure, draw: (records, read) => figure.draw(records, read, planned) }
  const pooled = (record: TrialRecord): TrialRecord => {
    const { trial } = record
    const averaged = averagedOf(trial.params, objective)
    if (Object.keys(averaged).length === 0) return record
    return { ...record, trial: { ...trial, params: settingOf(trial.params, objective) }, averaged }
  }
  return {
    ...figure,
    caption: `${figure.caption} Trials are pooled over ${average.map(printableLine).join(' and ')} as over seeds.`,
    draw: (records, read) => figure.draw(records.map(pooled), read, planned),
  }
}

function searchedAxesOf(spec: PlannedSweep, experiment: Experiment): SearchedAxis[] | undefined {
  const { search } = spec
  if (search?.learning === undefined) return undefined
  // A plan may come from elsewhere.
  return Object.entries(isMapping(search.axes) ? search.axes : {}).flatMap(([written, axis]) =>
    searchedAxis(written, axis, spec, experiment),
  )
}

function searchedAxis(
  written: string,
  axis: unknown,
  { search, when }: PlannedSweep,
  experiment: Experiment,
): SearchedAxis[] {
  if (!isMapping(axis)) return []
  const name = axisNamed(written, experiment.stages)
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
  return { when: { axis: axisNamed(parent, experiment.stages), among: among as readonly ParamValue[] } }
}
