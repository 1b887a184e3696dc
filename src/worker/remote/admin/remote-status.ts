import type { Outcome, TrialId } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'
import { lastHeard, readAttempt } from '../host/attempts.js'
import type { AttemptMessage, ControlMessage } from '../wire/protocol.js'
import { sweepToken, nameRun } from '../wire/names.js'
import { leaseHolder } from '../orchestrator/lease.js'
import { runsOf, type OrchestratorBroker } from '../wire/streams.js'
import { readResults } from '../wire/stored-results.js'
import { readTokens } from '../wire/sweep-registry.js'
import { readControl } from '../wire/sweep-control.js'

export interface RemoteStatus {
  readonly orchestrator?: string
  readonly wanted: ControlMessage['wanted']
  readonly queued: number
  /** Begun and without a result: running, or waiting for their lease to run out. */
  readonly running: readonly {
    readonly trial: TrialId
    readonly message: AttemptMessage
    /** When its worker last spoke of it, by the server's clock; missing for a run of an earlier version. */
    readonly heardAtMs?: number
  }[]
  /** How trials ended, the latest generation of each. */
  readonly ended: Readonly<Partial<Record<Outcome['state'], number>>>
  readonly dead: readonly { readonly trial: TrialId; readonly attempts: number; readonly reason: string }[]
}

/** Where a sweep stands on the server, whoever runs it and wherever its folder is. */
export async function remoteStatus(broker: OrchestratorBroker, store: Store, sweep: string): Promise<RemoteStatus> {
  const { jsm, names } = broker
  const token = sweepToken(sweep)
  const tokens = await readTokens(broker, sweep)
  const [queued, attempted, results, control, orchestrator] = await Promise.all([
    runsOf(jsm, names.trials, names.trial({ sweep: token })),
    runsOf(jsm, names.attempts, names.attempt({ sweep: token })),
    readResults(broker, store, sweep),
    readControl(broker, token),
    leaseHolder(broker.leases, sweep),
  ])
  const committed = new Set([...results.values()].map(({ run }) => nameRun(run)))
  const begun = attempted.filter((key) => tokens.isShown(key, 'attempt 1')).map((key) => tokens.given(key))
  const open = begun.filter((run) => {
    const latest = results.get(run.trial)
    return !committed.has(nameRun(run)) && (latest === undefined || latest.run.generation < run.generation)
  })
  const attempts = await Promise.all(
    open.map(async (run) => {
      const attempt = (await readAttempt(broker, run))?.message
      const heardAtMs = attempt === undefined ? undefined : await lastHeard(broker, run, attempt.attempt)
      return { run, attempt, ...(heardAtMs === undefined ? {} : { heardAtMs }) }
    }),
  )
  const running = attempts.flatMap(({ run: { trial }, attempt, ...heard }) =>
    attempt?.standing === 'running' ? { trial, message: attempt, ...heard } : [],
  )
  const busy = new Set(running.map(({ trial }) => trial))
  const ended: Partial<Record<Outcome['state'], number>> = {}
  const dead: { trial: TrialId; attempts: number; reason: string }[] = []
  for (const [trial, { result }] of results) {
    ended[result.outcome.state] = (ended[result.outcome.state] ?? 0) + 1
    if (result.outcome.state === 'dead') dead.push({ trial, attempts: result.attempt, reason: result.outcome.reason })
  }
  return {
    ...(orchestrator === undefined ? {} : { orchestrator }),
    wanted: control?.wanted ?? 'run',
    // A delivered message stays in the queue until its result is stored.
    queued: queued.filter((run) => !busy.has(run.trial) && !committed.has(nameRun(run))).length,
    running,
    ended,
    dead,
  }
}
