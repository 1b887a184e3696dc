import { systemClock } from '../core/clock.js'
import { hasFront } from '../core/objective.js'
import { rankingOf } from '../core/ranking.js'
import { refuseToRun } from '../experiments/custom/study.js'
import type { Conclusion } from '../sweeps/conclusion.js'
import { isComplete } from '../sweeps/journal/state.js'
import { describeDecision } from '../sweeps/until-decided.js'
import { runSweep, type SweepEnd } from '../sweeps/run-sweep.js'
import { MetricWatch } from '../sweeps/scheduling/metric-watch.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { concludeOnce } from './conclude.js'
import { decide, type DecidedChoices, type RunChoices, type RunObserver } from './running/choices.js'
import { describeNothingLeft, putBack } from './running/left-to-run.js'
import { tellChanges } from './running/own-code.js'
import { refuseCopies } from './running/refuse-copies.js'
import { closeParts, openParts, type Closer, type Parts, type SweepToRun } from './running/parts.js'
import { summarise, type SweepSummary } from './summary.js'
import { beginTracking, finishTracking } from './tracking.js'

/**
 * Runs what a sweep still lacks, then weighs its claims and draws its figures.
 * @throws StoreError when another process runs it, MldsError when something refuses before a trial begins.
 */
export async function run(sweep: SweepToRun, choices: RunChoices, observer: RunObserver): Promise<SweepSummary> {
  const startedAtMs = systemClock.now()
  const say = (message: string): void => observer.say(message)
  if (sweep.sweep.plan.spec.own?.kind === 'study') refuseToRun()
  const decided = decide(choices)
  refuseCopies(sweep.sweep.plan.spec, decided.copies)
  const closing: Closer[] = []
  let failed = true
  try {
    const parts = await openParts(sweep, decided, observer, closing)
    const { lock, tracker, info, state } = parts
    if (parts.loop === undefined) await sayNothingLeft(sweep.sweep, parts, decided, say)
    // After what was taken over and what is void: its history holds both.
    await beginTracking(tracker, info, say)
    const end = await runLoop(sweep.sweep, parts, decided, observer)
    observer.ended?.()
    lock.assertHeld()
    const conclusion: Conclusion = decided.detach ? { verdicts: [], figures: [] } : await concludeOnce(sweep, say)
    const ranking = rankingOf(state.trials.values(), info.objective)
    const best = ranking.best()
    const confirmed = ranking.confirmed?.best()?.standing
    const confirmedFront = ranking.confirmed?.front() ?? []
    const tracked = await finishTracking(tracker, sweep, conclusion, decided.track, say)
    const counts = state.counts()
    const decision = describeDecision(sweep.sweep.plan, conclusion.verdicts, isComplete(counts))
    failed = false
    return {
      ...summarise(sweep.sweep, counts),
      ...end,
      ...(decision === undefined ? {} : { decision }),
      ...(best === undefined ? {} : { best }),
      ...(confirmed === undefined ? {} : { confirmed }),
      ...(hasFront(info.objective) ? { front: ranking.front() } : {}),
      ...(confirmedFront.length === 0 ? {} : { confirmedFront }),
      ...(decided.detach ? { detached: true as const } : {}),
      durationMs: systemClock.now() - startedAtMs,
      peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
      ...conclusion,
      ...(tracked === undefined
        ? {}
        : { link: tracked.link, storyLink: tracked.parentLink, compareLink: tracked.compareLink }),
    }
  } finally {
    await closeParts(closing, failed)
  }
}

async function sayNothingLeft(
  sweep: SweepFolder,
  { state, info, judges }: Parts,
  { only }: DecidedChoices,
  say: (message: string) => void,
): Promise<void> {
  say(describeNothingLeft(only, state))
  const consequence = 'The results are those of the sweep’s own copy; --fresh runs every trial again'
  await tellChanges(sweep, { consequence, withNew: false }, say)
  const lacking = new MetricWatch(state, info.objective, judges).atStart()
  if (lacking !== undefined) say(lacking)
}

async function runLoop(
  sweep: SweepFolder,
  { loop, left, info, state, tracker }: Parts,
  { engine, limits, detach }: DecidedChoices,
  observer: RunObserver,
): Promise<SweepEnd> {
  if (loop === undefined) return {}
  const never = new AbortController().signal
  const end = await runSweep({
    ...loop,
    ...{ info, engine, state, tracker, detach },
    earlier: left.before,
    limits: { ...limits, retries: Math.max(limits.retries, sweep.plan.spec.retries ?? 0) },
    clock: systemClock,
    drain: observer.drain ?? never,
    leave: observer.leave ?? never,
    abort: observer.abort ?? never,
    onEvent: (event) => {
      if (event.type === 'trials-added') sweep.grow(event)
      observer.onEvent?.(event)
    },
    warn: (message) => observer.say(message),
  })
  putBack(state, left)
  return end
}
