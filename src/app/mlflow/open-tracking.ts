import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolderSync } from '../../system/make-folder.js'
import { systemClock } from '../../core/clock.js'
import { contentHash } from '../../core/seed.js'
import type { JournalEvent } from '../../sweeps/journal/journal.js'
import { lockSweep } from '../../system/lock.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { MlflowClient } from '../../tracking/mlflow/rest/client.js'
import type { FirstAnswer } from '../../tracking/mlflow/rest/transport.js'
import { experimentFrom, mlflowSettings, type MlflowSettings } from '../../tracking/mlflow/rest/settings.js'
import { Ledger } from '../../tracking/mlflow/ledger.js'
import { MlflowTracker } from '../../tracking/mlflow/tracker.js'
import type { Patience } from '../../tracking/mlflow/rest/patience.js'
import { pagesOf } from '../../tracking/mlflow/projection/first-look.js'
import { writeMlruns } from '../../tracking/mlflow/mlruns.js'
import type { SweepInfo, Tracked } from '../../tracking/tracker.js'
import type { HistoryEvent } from '../../tracking/mlflow/projection/attempts.js'
import type { Conclusion } from '../../sweeps/conclusion.js'
import type { StoredSweep } from '../stored-sweep.js'
import { sourcesOf, storyOf } from './story.js'

export interface OpenTrackingOptions extends StoredSweep {
  readonly url: string
  /** Name of the file that remembers what the server has; default: one per address. */
  readonly ledger?: string
  /** Bring trials' checkpoints too. Default false. */
  readonly checkpoints?: boolean
  /** Compare every point and file with what the server has. Default false. */
  readonly deep?: boolean
  /** Nobody runs the sweep. Default false. */
  readonly isOver?: boolean
  readonly warn: (message: string) => void
  /** Told once where the sweep is to be seen, as soon as the server has it. */
  readonly onOpen?: (links: Omit<Tracked, 'sent'>) => void
  /** Told as `finish` goes on: so many of the runs that it brings are brought. */
  readonly onProgress?: ((brought: number, of: number) => void) | undefined
  /** How long `finish` may take. Default: as long as it needs. */
  readonly patience?: Omit<Patience, 'giveUp'>
  /** Gives a server that has not answered yet so long and no longer. Default: as long as every call may take. */
  readonly firstAnswer?: FirstAnswer
  /** Gives up waiting for the server; what is missing then stays for the next sync. */
  readonly signal?: AbortSignal
}

/** What the server has acknowledged of the sweep is written beside its journal, in a file of each address. */
const ledgerIn = (sweepFolder: string, name: string): string => join(sweepFolder, 'tracking', name)

/** What the MLflow server at that address ever acknowledged of the sweep in that folder; undefined when it never did. */
export function acknowledgedBy(sweepFolder: string, { url }: Pick<MlflowSettings, 'url'>): Ledger | undefined {
  const file = `${ledgerIn(sweepFolder, contentHash(url))}.jsonl`
  return existsSync(file) ? new Ledger(file, () => {}) : undefined
}

/**
 * A sweep's connection to one MLflow server, held by one process at a time.
 * @throws MldsError for an address or variable that is not right, StoreError when another process tracks this sweep there.
 */
export function openTracking(options: OpenTrackingOptions): MlflowTracker {
  const {
    url,
    ledger,
    checkpoints = false,
    deep = false,
    isOver = false,
    warn,
    onOpen,
    onProgress,
    patience,
    signal,
    firstAnswer,
    ...stored
  } = options
  const { sweep } = stored
  const settings = mlflowSettings(url, process.env)
  const giveUp = new AbortController()
  const ends = AbortSignal.any([giveUp.signal, ...(signal === undefined ? [] : [signal])])
  const client = new MlflowClient(settings, ends, systemClock, Math.random, firstAnswer)
  const file = ledgerIn(sweep.folder, ledger ?? contentHash(settings.url))
  makeFolderSync(dirname(file))
  const lock = lockSweep(`${file}.lock`, sweep.id)
  return new MlflowTracker({
    ...sourcesOf(stored, checkpoints),
    client,
    deep,
    isOver,
    experimentName: settings.experimentName ?? sweep.plan.experiment,
    isExperimentChosen: settings.experimentName !== undefined,
    acknowledgedFile: `${file}.jsonl`,
    history: () => trialEntries(sweep),
    warn: saidOnce(warn),
    onProgress,
    linksTo: (runs) => pagesOf(settings.url, runs),
    onClosed: () => lock.release(),
    ...(onOpen === undefined ? {} : { onOpen }),
    ...(patience === undefined ? {} : { patience: { ...patience, giveUp } }),
    ...(settings.experimentId === undefined ? {} : { experimentId: settings.experimentId }),
    ...(settings.inFlight === undefined ? {} : { inFlight: settings.inFlight }),
  })
}

/** Writes a sweep as a tree of files that MLflow opens. Returns how many runs. @throws MldsError for an experiment's id that is not a number. */
export async function exportMlruns(
  stored: StoredSweep,
  folder: string,
  info: SweepInfo,
  conclusion: Conclusion,
  checkpoints: boolean,
): Promise<number> {
  const { sweep } = stored
  return writeMlruns({
    ...sourcesOf(stored, checkpoints),
    folder,
    experimentName: sweep.plan.experiment,
    ...experimentFrom(process.env),
    info,
    history: function* () {
      for (const { event } of trialEntries(sweep)) yield event
    },
    story: await storyOf(stored, conclusion),
  })
}

const trialEvents = ['started', 'report', 'ended', 'lost', 'trials-added', 'voided']
function isTrialEvent(event: JournalEvent): event is JournalEvent & HistoryEvent {
  return trialEvents.includes(event.type) || (event.type === 'opened' && event.source !== undefined)
}

/** What of a journal concerns a tracker. */
export function* trialEntries(sweep: SweepFolder): Generator<{ event: HistoryEvent; offset: number }> {
  for (const { event, offset } of sweep.entries()) if (isTrialEvent(event)) yield { event, offset }
}

function saidOnce(warn: (message: string) => void): (message: string) => void {
  const said = new Set<string>()
  return (message) => {
    if (!said.has(message)) warn(message)
    said.add(message)
  }
}
