import { StringDecoder } from 'node:string_decoder'
import type { Clock } from '../../../core/clock.js'
import type { TrialId } from '../../../core/trial.js'
import { wait } from '../../../system/retry.js'
import type { Store } from '../../../system/store.js'
import { readAttempt } from '../host/attempts.js'
import { sweepToken, type RunKey } from '../wire/names.js'
import { decode, encode, logMessage, type OrderMessage } from '../wire/protocol.js'
import { tagged } from '../wire/run-tokens.js'
import { readResults } from '../wire/stored-results.js'
import { readTokens } from '../wire/sweep-registry.js'
import { runsOf, type OrchestratorBroker } from '../wire/streams.js'

/** A trial that runs on a worker elsewhere. */
export interface RunningElsewhere {
  readonly run: RunKey
  readonly worker: string
  /** Of this run, counted from 1. */
  readonly attempt: number
}

/** The run of a trial that a worker has now; `undefined` when none has. */
export async function findRunning(
  broker: OrchestratorBroker,
  sweep: string,
  trial: TrialId,
): Promise<RunningElsewhere | undefined> {
  const { jsm, names, reads } = broker
  const tokens = await readTokens(broker, sweep)
  const keys = await runsOf(jsm, names.attempts, names.attempt({ sweep: sweepToken(sweep), trial }))
  const runs = keys.filter((key) => tokens.isShown(key, 'attempt 1')).map((key) => tokens.given(key))
  for (const run of runs.sort((a, b) => b.generation - a.generation)) {
    const latest = await readAttempt(broker, run)
    if (latest?.message.standing !== 'running' || run.token === undefined) continue
    if ((await reads.last(names.results, names.result(tagged(run, 'result')))) !== undefined) return undefined
    return { run, worker: latest.message.worker, attempt: latest.message.attempt }
  }
  return undefined
}

/** How often a worker is asked what its trial has written since. */
const askMs = 1_000

/**
 * Passes on what a trial that runs elsewhere writes to its log, until its result is stored or `signal` aborts. What its worker
 * wrote last comes with the result.
 * @param once only what is there now.
 */
export async function followRemoteLog(
  broker: OrchestratorBroker,
  { run }: RunningElsewhere,
  options: {
    readonly sweep: string
    readonly store: Store
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly write: (text: string) => void
    readonly once?: boolean
  },
): Promise<'ended' | 'interrupted'> {
  const { nc, names, reads } = broker
  const { sweep, store, clock, signal, write, once = false } = options
  const text = new StringDecoder('utf8')
  let [bytes, printed] = [0, '']
  const print = (words: string): void => {
    if (words !== '') write(words)
    printed = (printed + words).slice(-overlapCharacters)
  }
  let heard = (): void => {}
  const ear = nc.subscribe(names.log(tagged(run, 'log')), {
    callback: (error, message) => {
      const piece = error === null ? decode(logMessage, message.string()) : undefined
      if (piece === undefined || piece.from !== bytes) return
      const added = Buffer.from(piece.base64, 'base64')
      bytes += added.length
      print(text.write(added))
      heard()
    },
  })
  try {
    while (!signal.aborted) {
      const answered = new Promise<void>((resolve) => (heard = resolve))
      const before = bytes
      nc.publish(names.order(run), encode({ type: 'tell-log', from: bytes } satisfies OrderMessage))
      await Promise.race([answered, wait(clock, askMs, signal)])
      if (bytes > before) continue
      if (once) return 'interrupted'
      if ((await reads.last(names.results, names.result(tagged(run, 'result')))) !== undefined) {
        const { result } = (await readResults(broker, store, sweep)).get(run.trial) ?? {}
        print(whatFollows(result?.log ?? '', printed))
        return 'ended'
      }
      await wait(clock, askMs, signal)
    }
    return 'interrupted'
  } finally {
    ear.unsubscribe()
  }
}

/** By so much of what was printed the rest is found in the log of the result, of which only the end travels. */
const overlapCharacters = 2_000

function whatFollows(log: string, printed: string): string {
  if (printed === '') return log
  const at = log.lastIndexOf(printed)
  return at < 0 ? '' : log.slice(at + printed.length)
}
