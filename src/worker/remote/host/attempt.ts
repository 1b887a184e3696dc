import { randomUUID } from 'node:crypto'
import { asFailure } from '../../../core/divergence.js'
import { wasToldToGo } from '../../../core/told-to-go.js'
import type { Assignment } from '../../../core/trial.js'
import type { Dataset } from '../../../data/dataset.js'
import type { CustomExperiment } from '../../../experiments/custom/source.js'
import type { Place } from '../../host-shares.js'
import { readEnd } from '../../../sweeps/trial-logs.js'
import { logFileOf } from '../../../system/log-file.js'
import type { RunKey } from '../wire/names.js'
import { isLasting } from '../wire/nats-errors.js'
import { tagged } from '../wire/run-tokens.js'
import {
  divergedSince,
  maxSavedBytes,
  maxLogCharacters,
  oldestProtocol,
  type ResultMessage,
  type TrialMessage,
} from '../wire/protocol.js'
import { ActiveTrial, type AttemptEnd } from './active-trial.js'
import { beginAttempt, closeAttempt, readAttempt, tellAlive, vanishedBefore, type BegunAttempt } from './attempts.js'
import type { KnownCheckpoint } from './carried-checkpoints.js'
import type { Commits } from './commit.js'
import { pullMs, type PulledTrial } from './pull.js'
import type { Requirements } from './requirements.js'
import type { WorkerContext } from './worker-context.js'

/** A trial that this worker can run, as it was pulled. */
export interface ReadyTrial {
  readonly key: RunKey
  readonly pulled: PulledTrial
  readonly trial: TrialMessage
  readonly datasets: readonly Dataset[]
  readonly place: Place
  /** Its experiment, where that came with it. */
  readonly shipped?: CustomExperiment
}

type AttemptFacts = Pick<ResultMessage, 'v' | 'worker' | 'nonce' | 'attempt' | 'startedAtMs'>

/** Runs one attempt at a trial, from its beginning, which is stored first, to its result or its end without one. */
export class AttemptRunner {
  constructor(
    private readonly context: WorkerContext,
    private readonly requirements: Requirements,
    private readonly commits: Commits,
  ) {}

  /** @returns whether the trial is done here. */
  async run(ready: ReadyTrial): Promise<boolean> {
    const { key, pulled, trial, datasets } = ready
    const { options, broker } = this.context
    const facts = { worker: options.name, nonce: randomUUID(), startedAtMs: options.clock.now() }
    const mayBeFirst = pulled.count === 1
    const { checkpoints } = this.context
    const head = mayBeFirst ? undefined : await checkpoints.head(key)
    const limits = {
      mayBeFirst,
      maxAttempts: trial.maxAttempts,
      ...(head === undefined ? {} : { keptBy: head.head.attempt }),
    }
    const begun = await beginAttempt(broker, key, facts, limits)
    if ('exhausted' in begun) {
      await this.#commitDead(key, { v: trial.v, ...facts, attempt: begun.exhausted.attempt }, begun.exhausted)
      return true
    }
    // It stays with whoever runs it, by whose next beat the server knows.
    if ('held' in begun) {
      pulled.nak(broker.leaseMs / 2)
      return false
    }
    const { attempt } = begun.message
    // Nobody can have committed what nobody had begun.
    if (attempt > 1 && (await this.#hasResult(key))) return true
    const reads = datasets.map((dataset) => dataset.name)
    const assignment = { ...trial.assignment, reads, attempt: trial.assignment.attempt + attempt - 1 } as Assignment
    const progress = {
      type: 'progress',
      v: oldestProtocol,
      worker: facts.worker,
      attempt,
      startedAtMs: facts.startedAtMs,
    } as const
    const active = new ActiveTrial(key, assignment.interactive, options.clock, {
      publish: (reports) => this.context.publish(key, { ...progress, ...reports }),
      proceed: () => this.context.threads.proceed(key.trial),
    })
    const logFile = logFileOf(this.context.threads.logsFolder, key.trial, assignment.attempt)
    this.context.begin({ sweep: assignment.sweep, active, begun, logFile, sinceMs: facts.startedAtMs })
    // Whoever was told to go handed back what ran by then.
    if (options.abort.aborted) this.context.handBack(active)
    try {
      // A trial that was queued again may have had attempts, for all that this is its first delivery.
      const own = head ?? (attempt > 1 ? await checkpoints.head(key) : undefined)
      await checkpoints.begin(key, attempt, own ?? (await this.#ofEarlierRun(ready)))
      const end = await this.#execute(assignment, active, ready)
      return await this.#tellServer(ready, begun, { end, active, assignment, facts: { v: trial.v, ...facts, attempt } })
    } finally {
      this.context.end(key.trial)
      active.close()
      await checkpoints.end(key.trial)
    }
  }

  /** The checkpoint of the run that the trial was paused in. */
  async #ofEarlierRun({ key, trial: { goesOnFrom } }: ReadyTrial): Promise<KnownCheckpoint | undefined> {
    return goesOnFrom === undefined ? undefined : this.context.checkpoints.head({ ...key, ...goesOnFrom })
  }

  /** So many attempts vanished that no other may begin. */
  async #commitDead(key: RunKey, facts: AttemptFacts, last: BegunAttempt['message']): Promise<void> {
    const why = last.reason === undefined ? '' : `; the last: ${last.reason}`
    const reason = `${vanishedBefore(last)} attempts vanished with their workers${why}`
    const atMs = this.context.options.clock.now()
    await this.commits.commit(key, { ...facts, atMs, reports: [], outcome: { state: 'dead', reason } })
  }

  async #hasResult(key: RunKey): Promise<boolean> {
    const { reads, names } = this.context.broker
    return (await reads.last(names.results, names.result(tagged(key, 'result')))) !== undefined
  }

  async #execute(
    assignment: Assignment,
    active: ActiveTrial,
    { datasets, place, shipped, pulled }: ReadyTrial,
  ): Promise<AttemptEnd> {
    const { threads, timeLeft } = this.context
    const { drain, abort, name, clock } = this.context.options
    const beganMs = clock.monotonic()
    if (!active.hasEnded)
      await threads.start(assignment, { datasets, place, ...(shipped === undefined ? {} : { shipped }) })
    const end = await active.ended
    timeLeft.learn(pulled.lane, clock.monotonic() - beganMs, assignment.trial.cost)
    if (end.how === 'ended' && (drain.aborted || abort.aborted) && wasToldToGo(end.outcome))
      return { how: 'handed back', reason: `worker ${name} and its program were told to go` }
    // The thread is made free before the slot takes another trial.
    if (end.how !== 'ended' && end.how !== 'lost') await threads.stop(assignment.trial.id, 'given up')
    return end
  }

  /** Tells the server how the attempt ended: each way has its own answer. @returns whether the trial is done here. */
  async #tellServer(
    { key, pulled }: ReadyTrial,
    begun: BegunAttempt,
    { end, active, assignment, facts }: EndedAttempt,
  ): Promise<boolean> {
    const { options, broker } = this.context
    const close = (standing: Parameters<typeof closeAttempt>[3], why: string): Promise<void> =>
      closeAttempt(broker, key, begun, standing, why, options.clock.now()).catch(() => {})
    switch (end.how) {
      case 'ended':
        try {
          await this.#commitOutcome(key, { end, active, assignment, facts })
          return true
        } catch (error) {
          if (!isLasting(error)) throw error
          const reason = `its result could not be stored: ${(error as Error).message}`
          options.say(`trial ${key.trial} is lost: ${reason}`)
          await close('lost', reason)
          pulled.nak()
          return false
        }
      case 'unfit':
        this.requirements.lack(assignment.engine, end.error)
        await close('handed back', end.error.message)
        this.context.leaveToOthers(pulled, key, end.error)
        return false
      case 'dropped':
        await close('given up', 'its sweep gave it up')
        return true
      case 'superseded':
        // An acknowledgement, late as it is, would take the message from the worker that has it now.
        return false
      case 'lost':
      case 'handed back':
        await close(end.how, end.reason)
        // Later than this worker's own open pulls last, which would catch it again.
        pulled.nak(end.how === 'lost' ? 0 : pullMs)
        return false
    }
  }

  async #commitOutcome(
    key: RunKey,
    { end, active, assignment, facts }: EndedAttempt<Extract<AttemptEnd, { how: 'ended' }>>,
  ): Promise<void> {
    const { atMs, log, usage } = end
    const outcome = withinSize(end.outcome)
    const counts = await this.commits.commitOutcome(key, {
      ...facts,
      outcome: facts.v < divergedSince && outcome.state === 'diverged' ? asFailure(outcome) : outcome,
      atMs,
      reports: active.reports,
      ...(usage && { usage }),
      ...(this.context.checkpoints.has(key.trial) ? { checkpointed: true as const } : {}),
      ...this.#logOf(assignment, log),
    })
    if (counts) this.context.tally.done++
    else this.context.tally.fenced++
  }

  /** The end of what the trial wrote to its log; the beginning of a long one is on this worker's disk. */
  #logOf({ trial, attempt }: Assignment, told: string | undefined): { log?: string } {
    const { logsFolder } = this.context.threads
    // Read at once: a few lines cost less than the promises to read them would.
    const text = told?.slice(-maxLogCharacters) ?? readEnd(logFileOf(logsFolder, trial.id, attempt), maxLogCharacters)
    return text === '' ? {} : { log: text }
  }

  /** Tells other workers that the attempt goes on, so that none takes it for lost. */
  beat(key: RunKey): void {
    const running = this.context.find(key)
    if (running !== undefined)
      tellAlive(this.context.broker, running.active.key, running.begun.message, this.context.options.clock.now())
  }

  /** After this process stood still for longer than a lease, another worker may have the trial. */
  async lookAgain(key: RunKey): Promise<void> {
    const running = this.context.find(key)
    if (running === undefined) return
    const latest = await readAttempt(this.context.broker, running.active.key).catch(() => undefined)
    if (latest === undefined || latest.message.attempt <= running.begun.message.attempt) return
    this.context.options.say(`trial ${key.trial}: this worker fell silent and another has it now; given up here`)
    this.context.tally.fenced++
    running.active.giveUp({ how: 'superseded' })
  }
}

type EndedOutcome = Extract<AttemptEnd, { how: 'ended' }>['outcome']

/** The outcome, or that of a trial which saved more than crosses the wire. */
function withinSize(outcome: EndedOutcome): EndedOutcome {
  const [large] = Object.entries('artifacts' in outcome ? outcome.artifacts : {}).filter(
    ([, { sizeBytes }]) => sizeBytes > maxSavedBytes,
  )
  if (large === undefined) return outcome
  const [name, { sizeBytes }] = large
  const message = `a file is too large for a remote worker to send: ${name}: ${sizeBytes} bytes (at most ${maxSavedBytes})`
  return { state: 'failed', error: { name: 'MldsError', message } }
}

/** An attempt that has ended, and what is told of it. */
interface EndedAttempt<End = AttemptEnd> {
  readonly end: End
  readonly active: ActiveTrial
  readonly assignment: Assignment
  readonly facts: AttemptFacts
}
