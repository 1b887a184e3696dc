import { noTracker, type SweepInfo, type Tracked, type Tracker } from '../tracking/tracker.js'
import type { ProgramLogging, TrialId } from '../core/trial.js'
import type { Conclusion } from '../sweeps/conclusion.js'
import type { Tracking } from './running/choices.js'
import type { StoredSweep } from './stored-sweep.js'

/** How long a finished sweep waits for MLflow to take the rest; what it has not got by then is left to `mlds sync`. */
const patience = { answeredMs: 30_000, silentMs: 5_000 }

/** The tracker of a sweep that runs, nobody's where none is asked for; and where programs log, if they are to. */
interface OpenedTracker {
  readonly tracker: Tracker
  readonly loggingOf?: (trial: TrialId) => ProgramLogging
}

/** What closes the parts goes into `closing` as soon as they are open. */
export async function openTracker(
  stored: StoredSweep,
  track: Tracking | undefined,
  say: (message: string) => void,
  closing: Pick<(() => Promise<void>)[], 'push'>,
): Promise<OpenedTracker> {
  if (track === undefined) return { tracker: noTracker }
  const { openTracking } = await import('./mlflow/open-tracking.js')
  const onOpen = ({ link }: { link: string }): void => say(`In MLflow while it runs: ${link}`)
  const { programs = false, ...whereTo } = track
  const tracker = openTracking({ ...stored, ...whereTo, warn: say, patience, onOpen })
  closing.push(() => tracker.close())
  if (!programs) return { tracker }
  const { openGateway } = await import('./mlflow/open-gateway.js')
  const gateway = await openGateway(stored.sweep, track.url, tracker)
  closing.push(() => gateway.close())
  return { tracker, loggingOf: (trial) => gateway.logging(trial) }
}

/** What keeps a tracker from beginning keeps no sweep from running. */
export async function beginTracking(tracker: Tracker, info: SweepInfo, say: (message: string) => void): Promise<void> {
  await tracker.open(info).catch((error: Error) => say(`tracking has trouble: ${error.message}`))
}

/** Brings the tracker what the sweep has come to; none of the tracker's failures is the sweep's. */
export async function finishTracking(
  tracker: Tracker,
  stored: StoredSweep,
  conclusion: Conclusion,
  track: Tracking | undefined,
  say: (message: string) => void,
): Promise<Tracked | undefined> {
  try {
    return await tracker.finish(async () => (await import('./mlflow/story.js')).storyOf(stored, conclusion))
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string }
    const url = track?.url.replace(/\/\/[^@/]*@/, '//') ?? ''
    say(
      `MLflow has not got all of it: ${message}${hint === undefined ? '' : ` (${hint})`}\nBring the rest with: mlds sync ${stored.sweep.id} --track ${url}`,
    )
    return undefined
  }
}
