import { formatCount } from '../../../core/format.js'
import { groupBy } from '../../../core/group-by.js'
import { lookUp } from '../../../core/names.js'
import { isSameValue } from '../../../core/param-value.js'
import { describeBest } from '../../../core/describe-best.js'
import { hasFront } from '../../../core/objective.js'
import { Ranking } from '../../../core/ranking.js'
import type { SweepSource } from '../../../core/sweep-source.js'
import { skippedForGood, type Objective, type OutcomeState, type Trial, type TrialId } from '../../../core/trial.js'
import type { HistoryEvent } from './attempts.js'
import type { Point } from '../rest/wire.js'
import { isKeptLive } from './selection.js'
import type { SweepInfo, SweepStory } from '../../tracker.js'

export type { SweepStory } from '../../tracker.js'

/** Of a sweep that is over, and whose story nobody asks for. */
export const untold: SweepStory = { verdicts: [], figures: [], files: new Map(), facts: {} }

/** How a sweep has gone so far: counts, the best, and both as points over the number of trials that have ended. */
export class SweepCourse {
  readonly #standing: Map<TrialId, OutcomeState | undefined>
  readonly #points: Point[] = []
  /** Weighed when somebody wants them: for each of many trials it would take time that grows with them. */
  #lastPoints: (() => Point[]) | undefined
  #ended = 0
  #failed = 0
  #endedAtMs: number
  #voidedAtMs: number | undefined
  #source: SweepSource | undefined
  #hasUsage = false
  #ranking: Ranking
  readonly #planned: Map<TrialId, Trial>

  constructor(
    private readonly objective: Objective,
    trials: readonly Trial[],
    openedAtMs: number,
  ) {
    this.#standing = new Map(trials.map((trial) => [trial.id, undefined]))
    this.#endedAtMs = openedAtMs
    this.#planned = new Map(trials.map((trial) => [trial.id, trial]))
    this.#ranking = new Ranking(objective)
  }

  apply(event: HistoryEvent): void {
    if (event.type === 'opened') this.#source = event.source ?? this.#source
    if (event.type === 'voided') {
      this.#voidedAtMs = event.atMs
      this.#ranking = new Ranking(this.objective)
      this.#lastPoints = undefined
      for (const trial of this.#standing.keys()) this.#standing.set(trial, undefined)
      return
    }
    if (event.type === 'trials-added')
      for (const trial of event.trials) {
        if (this.#planned.has(trial.id)) continue
        this.#planned.set(trial.id, trial)
        this.#standing.set(trial.id, undefined)
      }
    if (event.type !== 'ended' || !this.#standing.has(event.trial)) return
    const { outcome, atMs, trial, usage } = event
    this.#hasUsage ||= usage !== undefined
    this.#standing.set(trial, outcome.state)
    this.#endedAtMs = atMs
    this.#ended++
    if (outcome.state === 'failed' || outcome.state === 'dead') this.#failed++
    const planned = this.#planned.get(trial)
    if (planned !== undefined && 'metrics' in outcome)
      this.#ranking.add({ trial: planned, state: outcome.state, metrics: outcome.metrics })
    this.#lastPoints = undefined
    if (isKeptLive(this.#ended - 1)) for (const point of this.#pointsNow()) this.#points.push(point)
    else this.#lastPoints = () => this.#pointsNow()
  }

  #pointsNow(): Point[] {
    const { best } = this
    const point = (key: string, value: number): Point => ({
      key,
      value,
      timestamp: this.#endedAtMs,
      step: this.#ended,
    })
    return [
      point('trials/ended', this.#ended),
      point('trials/failed', this.#failed),
      ...(best === undefined ? [] : [point(`best/${this.objective.metric}`, best.value)]),
      ...(hasFront(this.objective) ? [point('front/points', this.front.length)] : []),
    ]
  }

  /** At most 300 a metric, from the first on; fewer than the trials in a large sweep. */
  get points(): readonly Point[] {
    return this.#points
  }

  /** The newest, where `points` passes over it. */
  get lastPoints(): readonly Point[] {
    return this.#lastPoints?.() ?? []
  }

  /** The best point's mean over its seeds, its trials, and the first of them. */
  get best(): { readonly trial: TrialId; readonly trials: readonly TrialId[]; readonly value: number } | undefined {
    const best = this.#ranking.best()
    if (best === undefined) return undefined
    const { trials, mean } = best.standing
    return { trial: trials[0]!, trials, value: mean }
  }

  /** Of several objectives: the trials of each point on the front. */
  get front(): readonly (readonly TrialId[])[] {
    return this.#ranking.front().map(({ trials }) => trials)
  }

  /** The best point, or the front, in one line, as every other place says it; undefined while there is none. */
  describeBest(axes: readonly string[]): string | undefined {
    const isNone = this.#ranking.best() === undefined && this.#ranking.front().length === 0
    return isNone ? undefined : describeBest(this.#ranking, this.objective, axes)
  }

  /** When all results before were last declared void. */
  get voidedAtMs(): number | undefined {
    return this.#voidedAtMs
  }

  /** What its newest trials run; undefined where nobody wrote that down. */
  get source(): SweepSource | undefined {
    return this.#source
  }

  /** Whether of any attempt it was noted what its processes took. */
  get hasUsage(): boolean {
    return this.#hasUsage
  }

  get endedAtMs(): number {
    return this.#endedAtMs
  }

  /** True when every planned trial has a result, or was skipped and can never have one. */
  isComplete(): boolean {
    const { planned, finished, stopped, diverged } = this.counts()
    const forGood = skippedForGood(this.#planned.values(), (id) => this.#standing.get(id))
    return finished + stopped + diverged + forGood.size === planned
  }

  /** Trials by how they ended; `missing` ones have not. */
  counts(): Record<OutcomeState | 'planned' | 'missing', number> {
    const counts = {
      planned: 0,
      missing: 0,
      finished: 0,
      stopped: 0,
      diverged: 0,
      failed: 0,
      dead: 0,
      cancelled: 0,
      skipped: 0,
    }
    for (const state of this.#standing.values()) {
      counts.planned++
      counts[state ?? 'missing']++
    }
    return counts
  }
}

/** Longer would be cut short by the server without a word. */
const maxNoteLength = 7900
export const notePath = 'sweep/note.md'

/** Words that only who writes the runs knows. */
interface NoteWords {
  /** Where a page of MLflow finds an artifact of the run. */
  readonly imageUrl: (path: string) => string
  /** A trial by its name, as a link where its run is known. */
  readonly linkTo: (trial: TrialId) => string
}

/**
 * The sweep's story as Markdown for `mlflow.note.content`: what came of it in the few lines that MLflow shows unfolded, then
 * question, verdicts, figures, spec.
 */
export function writeNote(
  info: SweepInfo,
  course: SweepCourse,
  story: SweepStory | undefined,
  { imageUrl, linkTo }: NoteWords,
): string {
  const { verdicts = [], figures = [], importance } = story ?? {}
  const counts =
    story === undefined
      ? `${info.trials.length} trials are planned; the counts are among the metrics.`
      : [outcome(course), ...tallyOf(verdicts)].join(' ')
  const [best = [], trials = []] = tellBest(info, course, linkTo)
  const lines = [
    // One paragraph: the space between two would be a line that a person does not see.
    [
      ...best,
      counts,
      ...trials,
      ...(importance === undefined ? [] : [sentence(importance)]),
      `*${info.question}*`,
    ].join('  \n'),
    '',
    ...(verdicts.length === 0 ? [] : ['| verdict | claim | seen |', '|---|---|---|']),
    ...verdicts.map(({ state, statement, summary }) => `| **${state}** | ${cell(statement)} | ${cell(summary)} |`),
    '',
    ...figures.flatMap(({ name, caption, path }) => [`![${name}](${imageUrl(path)})`, '', `${name}: ${caption}`, '']),
    ...(figures.length === 0
      ? []
      : [
          'Each figure is among the artifacts, under `figures/`, as PNG, SVG, HTML page, vega-lite JSON and rows (CSV).',
          '',
        ]),
    'Spec:',
    '',
    '```json',
    JSON.stringify(info.spec, null, 1),
    '```',
    '',
    `Plan ${info.planHash}, mlds ${info.codeVersion}.`,
  ]
  return lines.join('\n')
}

/** The note as a tag can hold it: cut at the end of a line, saying where the rest is. */
export function shortenNote(note: string): string {
  if (note.length <= maxNoteLength) return note
  const end = `\n\n… the whole note is the artifact \`${notePath}\`.`
  const cut = note.lastIndexOf('\n', maxNoteLength - end.length)
  const kept = note.slice(0, cut > 0 ? cut : maxNoteLength - end.length)
  // A block of code that lost its end would swallow the sentence.
  return `${kept}${(kept.match(/^```/gm)?.length ?? 0) % 2 === 1 ? '\n```' : ''}${end}`
}

function outcome(course: SweepCourse): string {
  const { planned, finished, ...others } = course.counts()
  const apart = Object.entries(others).flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []))
  return `${[`${finished} of ${formatCount(planned, 'trial')} finished`, ...apart].join(', ')}.`
}

/** Such as `Verdicts: 3 reproduced, 1 inconclusive.`; nothing where there are none. */
function tallyOf(verdicts: SweepStory['verdicts']): string[] {
  const counted = [...groupBy(verdicts, ({ state }) => state)].map(([state, same]) => `${same.length} ${state}`)
  return counted.length === 0 ? [] : [`Verdicts: ${counted.join(', ')}.`]
}

const maxLinks = 5

/** The best point or the front, and links to its trials; nothing while there is none. */
function tellBest(info: SweepInfo, course: SweepCourse, linkTo: NoteWords['linkTo']): [string[], string[]] | [] {
  const [first] = info.trials
  const axes = Object.keys(first?.params ?? {}).filter((axis) =>
    info.trials.some(({ params }) => !isSameValue(lookUp(params, axis), lookUp(first!.params, axis))),
  )
  const told = course.describeBest(axes)
  if (told === undefined) return []
  const { best, front } = course
  const trials = best?.trials ?? front.map(([first]) => first!)
  const links = trials.slice(0, maxLinks).map(linkTo)
  const more = trials.length > maxLinks ? [`${trials.length - maxLinks} more`] : []
  const word = trials.length === 1 ? 'Its trial' : best === undefined ? 'The first trial of each' : 'Its trials'
  return [[`**${sentence(told)}**`], [`${word}: ${[...links, ...more].join(', ')}.`]]
}

const sentence = (told: string): string => `${told[0]!.toUpperCase()}${told.slice(1)}.`

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim()
}
