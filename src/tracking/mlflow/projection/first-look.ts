import { goalsOf } from '../../../core/objective.js'
import { contentHash } from '../../../core/seed.js'
import type { SweepInfo } from '../../tracker.js'

/** A view of an experiment's page, kept with the experiment under a key that links name. */
export interface SharedView {
  readonly key: string
  /** The tag of the experiment that holds it, and its value. */
  readonly tag: readonly [string, string]
}

/** MLflow takes tags of experiments of up to 5000 characters. */
const maxAxes = 20

/**
 * Trials grouped by their setting, the best trial's first, with mean curves and bands over seeds, and columns of what
 * varies and of the objective. The parent run is left out: its charts would stand before those of the trials.
 * An inner matter of MLflow's page (3.17 and 3.18); one that does not know it opens as it always does.
 */
export function sharedView(
  { objective }: Pick<SweepInfo, 'objective'>,
  sweepKey: string,
  axes: readonly string[],
): SharedView {
  const metrics = [...goalsOf(objective), ...(objective.constraints ?? [])].map(({ metric }) => metric)
  const value = JSON.stringify({
    // Among other sweeps of the experiment; in the link itself, MLflow would take it instead of the view.
    searchFilter: `tags."mlds.sweep_key" = '${sweepKey}' AND tags."mlds.trial" LIKE '%'`,
    orderByKey: `metrics.\`${objective.metric}\``,
    orderByAsc: objective.direction === 'minimize',
    selectedColumns: [
      ...axes.slice(0, maxAxes).map((axis) => `params.\`${axis}\``),
      ...metrics.map((metric) => `metrics.\`${metric}\``),
    ],
    groupBy: { aggregateFunction: 'average', groupByKeys: [{ mode: 'tag', groupByData: 'mlds.group' }] },
    groupsExpanded: {},
    useGroupedValuesInCharts: true,
  })
  const key = contentHash(value)
  return { key, tag: [`mlflow.sharedViewState.${key}`, value] }
}

/** Of more runs the address of a comparison grows too long for servers and browsers. */
const maxCompared = 50

/** What a page is about stands first: MLflow's comparison looks for `?runs`. */
const page = (path: string, query: Readonly<Record<string, string>> = {}): string =>
  `#/${path}?${new URLSearchParams({ ...query, workflowType: 'machine_learning' }).toString()}`

/** A run's page, from any page of the same server. */
export const runPage = (experiment: string, run: string): string => page(`experiments/${experiment}/runs/${run}`)

/** Pages of a server at `url` where a sweep is to be seen. */
export function pagesOf(
  url: string,
  { experiment, parentRun, trialRuns, view }: TrackedRuns,
): { link: string; parentLink: string; compareLink: string } {
  const runs = JSON.stringify(trialRuns.slice(0, maxCompared))
  const trials = page(`experiments/${experiment}/runs`, { viewStateShareKey: view, compareRunsMode: 'CHART' })
  return {
    link: `${url}/${trials}`,
    parentLink: `${url}/${runPage(experiment, parentRun)}`,
    compareLink: `${url}/${page('compare-runs', { runs, experiments: JSON.stringify([experiment]) })}`,
  }
}

/** Where a sweep's runs are. */
export interface TrackedRuns {
  readonly parentRun: string
  /** Runs of its attempts, in the order in which they were made. */
  readonly trialRuns: readonly string[]
  /** MLflow's id of the experiment. */
  readonly experiment: string
  /** Key of the shared view. */
  readonly view: string
}
