import type { MessagePort } from 'node:worker_threads'
import type { Dataset } from '../../data/dataset.js'
import type { CustomExperiment } from '../../experiments/custom/source.js'
import type { Assignment, TrialEvent, TrialId } from '../../core/trial.js'

/** Everything that crosses between the main thread and a worker thread. */

/** Given to each thread when it starts. */
export interface ThreadData {
  readonly storeFolder: string
  /** Where the logs of longer trials go: `<logsFolder>/<trial>.<attempt>.log`. Short ones come with their outcomes. */
  readonly logsFolder: string
  /** Where checkpoints go, each trial's in a folder named after it. */
  readonly checkpointsFolder: string
  /** At most so often a trial keeps one. Default: a minute. */
  readonly checkpointEveryMs?: number
  /**
   * Set for a remote worker: it publishes starts itself, so they are sent lazily, and a short trial's log travels with its
   * `ended` event. Default false.
   */
  readonly relayed?: boolean
  /** In shared memory. */
  readonly datasets: readonly Dataset[]
  /** Experiments that are not built in. Default: none. */
  readonly custom?: readonly CustomExperiment[]
}

/** Whether checkpoints are brought elsewhere by the main thread: each is then waited for. */
export interface BringsCheckpoints {
  readonly bringsCheckpoints: boolean
}

/** Raised by the main thread before it takes the pool down: a thread that sees it starts nothing more. */
export interface ClosingFlag {
  readonly closing: Int32Array
}

/** What the pool hands to a thread. */
export interface ThreadTask extends Assignment {
  /** For this trial alone; in shared memory. */
  readonly datasets?: readonly Dataset[]
  /** Its experiment, where that came with it: the files have been checked. */
  readonly shipped?: CustomExperiment
  /** What its code and its programs find in their environment beside what is there. */
  readonly environment?: Readonly<Record<string, string>>
}

/** To the thread that runs a trial. */
export type ToThread =
  /** `keep`: a checkpoint first, where it keeps any. */
  | { readonly type: 'stop'; readonly trial: TrialId; readonly reason: string; readonly keep: boolean }
  | { readonly type: 'proceed'; readonly trial: TrialId }
  /** End without an outcome: another attempt at the trial counts. */
  | { readonly type: 'drop'; readonly trial: TrialId; readonly attempt: number }
  /** Its time is over. */
  | { readonly type: 'limit'; readonly trial: TrialId; readonly limitMs: number }
  /** The checkpoint that the thread told of is where the next attempt finds it, or why it is not. */
  | { readonly type: 'brought'; readonly trial: TrialId; readonly problem?: string }
  /** Keep a checkpoint as soon as you can, and end there. */
  | { readonly type: 'leave' }
  /** End without an outcome, whatever runs. */
  | { readonly type: 'give-up' }

/** From a thread, in order. */
export interface EventsMessage {
  readonly type: 'mlds-events'
  /** The thread that runs the trials of these events. */
  readonly threadId: number
  readonly events: readonly TrialEvent[]
}

/** A trial has kept a checkpoint, and waits until it has been brought elsewhere. */
export interface CheckpointMessage {
  readonly type: 'mlds-checkpoint'
  readonly threadId: number
  readonly trial: TrialId
}

/** A thread's first word: where it listens. */
export interface PortMessage {
  readonly type: 'mlds-port'
  readonly threadId: number
  readonly port: MessagePort
}

export type FromThread = EventsMessage | CheckpointMessage | PortMessage
