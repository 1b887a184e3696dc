import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Experiment } from '../experiments/experiment.js'
import { contentHash } from '../seed.js'
import type { ClaimVerdict } from '../sweeps/conclude.js'
import type { JournalEvent } from '../sweeps/journal.js'
import { lockSweep } from '../sweeps/lock.js'
import { isComplete, SweepState } from '../sweeps/state.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { MlflowClient, type Point } from '../tracking/mlflow-client.js'
import { mlflowSettings } from '../tracking/mlflow-settings.js'
import { MlflowTracker, type SweepStory } from '../tracking/mlflow-tracker.js'
import { writeMlruns } from '../tracking/mlruns.js'
import type { SweepInfo, Tracker } from '../tracking/tracker.js'
import type { TrialEvent } from '../trial.js'
import { formatNumber } from '../format.js'

/** A sweep's connection to one MLflow server, held by one process at a time. */
export interface Tracking {
  readonly tracker: Tracker
  /** Brings what is missing, after a run or without one, and tells the story. */
  finish(info: SweepInfo, told: { verdicts: readonly ClaimVerdict[]; figures: readonly string[] }): Promise<Tracked>
  /** What an earlier `finish` brought, if the journal has not grown since and the server still has it. */
  alreadyHeld(): Promise<Tracked | undefined>
  close(): Promise<void>
}

/** Where a sweep is to be seen. */
export interface Tracked {
  /** The table of runs. */
  readonly link: string
  /** The parent run: note, figures, counts. */
  readonly parentLink: string
  /** Runs brought up to date. */
  readonly sent: number
}

export interface OpenTrackingOptions {
  readonly sweep: SweepFolder
  readonly experiment: Experiment
  readonly url: string
  /** Name of the file that remembers what the server has; default: one per address. */
  readonly ledger?: string
  readonly warn: (message: string) => void
  /** Gives up waiting for the server; what is missing then stays for the next sync. */
  readonly signal?: AbortSignal
}

/** @throws MldsError for an address or variable that is not right, StoreError when another process tracks this sweep there. */
export function openTracking({ sweep, experiment, url, ledger, warn, signal }: OpenTrackingOptions): Tracking {
  const settings = mlflowSettings(url, process.env)
  const client = new MlflowClient(settings, signal)
  const folder = join(sweep.folder, 'tracking')
  const file = join(folder, ledger ?? contentHash(settings.url))
  mkdirSync(folder, { recursive: true })
  const unlock = lockSweep(`${file}.lock`, sweep.id)
  const tracker = new MlflowTracker({
    client,
    experimentName: settings.experimentName ?? sweep.plan.experiment,
    acknowledgedFile: `${file}.jsonl`,
    history: function* () {
      for (const { event, offset } of sweep.entries()) if (isTrialEvent(event)) yield { event, offset }
    },
    readLog: (trial, attempt) => readFile(sweep.logFile(trial, attempt)).catch(() => undefined),
    warn: saidOnce(warn),
  })
  let opened = false
  const lastOffset = (): number => {
    let last = -1
    for (const { event, offset } of sweep.entries()) if (isTrialEvent(event)) last = offset
    return last
  }
  const page = (path: string): string => `${settings.url}/#/experiments/${path}?workflowType=machine_learning`
  const linksTo = (
    { experiment: id, parentRun }: { experiment: string; parentRun: string },
    sent: number,
  ): Tracked => ({
    link: page(`${id}/runs`),
    parentLink: page(`${id}/runs/${parentRun}`),
    sent,
  })
  return {
    tracker: {
      open: (info) => {
        opened = true
        return tracker.open(info)
      },
      record: (event, offset) => tracker.record(event, offset),
      close: () => tracker.close(),
    },
    async finish(info, { verdicts, figures }) {
      if (!opened) await tracker.open(info)
      const story = await tellStory(sweep, experiment, verdicts, figures)
      const told = await tracker.complete(story, false)
      return linksTo(told, told.sent)
    },
    async alreadyHeld() {
      const held = await tracker.alreadyHeld(sweep.id, lastOffset())
      return held === undefined ? undefined : linksTo(held, 0)
    },
    async close() {
      await tracker.close()
      unlock()
    },
  }
}

/** Writes a sweep as a tree of files that MLflow opens. Returns how many runs. */
export async function exportMlruns(
  sweep: SweepFolder,
  experiment: Experiment,
  folder: string,
  told: { info: SweepInfo; verdicts: readonly ClaimVerdict[]; figures: readonly string[] },
): Promise<number> {
  return writeMlruns({
    folder,
    experimentName: process.env['MLFLOW_EXPERIMENT_NAME'] ?? sweep.plan.experiment,
    info: told.info,
    history: (function* () {
      for (const { event } of sweep.entries()) if (isTrialEvent(event)) yield event
    })(),
    story: await tellStory(sweep, experiment, told.verdicts, told.figures),
    readLog: (trial, attempt) => readFile(sweep.logFile(trial, attempt)).catch(() => undefined),
  })
}

const trialEvents = ['started', 'report', 'ended', 'lost']
function isTrialEvent(event: JournalEvent): event is TrialEvent {
  return trialEvents.includes(event.type)
}

function saidOnce(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (!said.has(message)) warn(message)
    said.add(message)
  }
}

async function tellStory(
  sweep: SweepFolder,
  experiment: Experiment,
  verdicts: readonly ClaimVerdict[],
  figures: readonly string[],
): Promise<SweepStory> {
  const { state, points, endedAtMs } = followCounts(sweep, experiment)
  const counts = state.counts()
  const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 1)}\n`)
  const files = new Map<string, Uint8Array>([
    ['sweep/plan.json', await readFile(join(sweep.folder, 'plan.json'))],
    ['sweep/spec.json', json(sweep.plan.spec)],
    ['sweep/verdicts.json', json(verdicts)],
  ])
  for (const figure of figures) files.set(`figures/${basename(figure)}`, await readFile(figure))
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
  const best = points.filter(({ key }) => key.startsWith('best/')).at(-1)
  const note = [
    `**${experiment.question}**`,
    '',
    `${counts.finished} of ${counts.planned} trials finished, ${counts.failed + counts.dead} failed, ${counts.missing} missing.`,
    ...(best === undefined ? [] : [`Best ${experiment.objective.metric}: ${formatNumber(best.value)}.`]),
    '',
    ...(verdicts.length === 0 ? [] : ['| verdict | claim | seen |', '|---|---|---|']),
    ...verdicts.map(({ state, statement, summary }) => `| ${state} | ${cell(statement)} | ${cell(summary)} |`),
    '',
    `Spec: \`${JSON.stringify(sweep.plan.spec)}\``,
    '',
    'Figures are among the artifacts, under `figures/`.',
  ].join('\n')
  return { note, complete: isComplete(counts), endedAtMs, tags: { 'mlds.state': 'ended' }, points, files }
}

/** How the sweep went, at most 300 points a metric: the step is the number of trials that have ended. */
function followCounts(
  sweep: SweepFolder,
  { objective }: Experiment,
): { state: SweepState; points: Point[]; endedAtMs: number } {
  const state = new SweepState(sweep.plan.trials)
  const every = Math.ceil(sweep.plan.trials.length / 299)
  const points: Point[] = []
  let [ended, failed, best, endedAtMs] = [0, 0, NaN, sweep.plan.createdAtMs]
  let pending: Point[] = []
  for (const { event } of sweep.entries()) {
    state.apply(event)
    if (event.type !== 'ended') continue
    ended++
    endedAtMs = event.atMs
    if (event.outcome.state === 'failed' || event.outcome.state === 'dead') failed++
    const value = 'metrics' in event.outcome ? (event.outcome.metrics[objective.metric] ?? NaN) : NaN
    if (Number.isNaN(best) || (objective.direction === 'minimize' ? value < best : value > best)) best = value
    const point = (key: string, value: number): Point => ({ key, value, timestamp: event.atMs, step: ended })
    pending = [
      point('trials/ended', ended),
      point('trials/failed', failed),
      ...(Number.isNaN(best) ? [] : [point(`best/${objective.metric}`, best)]),
    ]
    if (ended % every !== 0) continue
    points.push(...pending)
    pending = []
  }
  state.settle()
  return { state, points: [...points, ...pending], endedAtMs }
}
