import type { Assignment, TrialEvent } from '../../core/trial.js'
import type { Dataset } from '../../data/dataset.js'
import type { CustomExperiment } from '../../experiments/custom/source.js'
import type { Place } from '../host-shares.js'
import type { ThreadData } from '../threads/thread-messages.js'

/** Everything that crosses between mlds and the process of an isolated trial. */

/** The first word: the trial, and what a thread needs to run it. */
export interface BeginMessage {
  readonly type: 'begin'
  readonly assignment: Assignment
  readonly place: Place
  /** Its experiment, where that came with it. */
  readonly shipped?: CustomExperiment
  /** Those that it reads. */
  readonly datasets: readonly Dataset[]
  readonly thread: Omit<ThreadData, 'datasets'>
  readonly heapMb: number
  /** Whether a checkpoint is waited for until it has been brought elsewhere. */
  readonly bringsCheckpoints: boolean
}

export type ToProcess =
  | BeginMessage
  | { readonly type: 'stop'; readonly reason: string; readonly keep: boolean }
  | { readonly type: 'proceed' }
  /** The checkpoint that was told of is where the next attempt finds it, or why it is not. */
  | { readonly type: 'brought'; readonly problem?: string }
  /** Keep a checkpoint as soon as you can, and end there. */
  | { readonly type: 'leave' }
  /** End without an outcome, whatever runs. */
  | { readonly type: 'give-up' }
  /** The same, and say nothing more. */
  | { readonly type: 'close' }

export type FromProcess =
  | { readonly type: 'event'; readonly event: TrialEvent }
  /** It has kept a checkpoint, and waits until it has been brought elsewhere. */
  | { readonly type: 'checkpoint' }
