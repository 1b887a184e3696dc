import { maxOf } from '../../../core/extremes.js'
import { attemptMessage, decode, decodeKept, encode, oldestProtocol, type AttemptMessage } from '../wire/protocol.js'
import type { RunKey } from '../wire/names.js'
import { isHeldAlready, isTaken } from '../wire/nats-errors.js'
import { sealed, tagged, unsealed } from '../wire/run-tokens.js'
import type { Broker } from '../wire/streams.js'

/** One begun attempt, and where it is stored. */
export interface BegunAttempt {
  readonly message: AttemptMessage
  readonly sequence: number
}

type AttemptFacts = Pick<AttemptMessage, 'worker' | 'nonce' | 'startedAtMs'>

/**
 * Stores that an attempt begins, before it does: deliveries say nothing of this, since the server also counts those
 * into a dead connection or to a worker that refused. Each is a compare-and-set on the one before, so that two workers
 * never hold the same number.
 * @returns the attempt; or the last one when so many vanished that no other may begin (`exhausted`), or when it still goes
 * on (`held`).
 */
export async function beginAttempt(
  broker: Broker,
  run: RunKey,
  facts: AttemptFacts,
  limits: {
    readonly mayBeFirst: boolean
    readonly maxAttempts: number
    /** The attempt that left a checkpoint: it got further than the one before, and did not vanish in vain. */
    readonly keptBy?: number
  },
): Promise<BegunAttempt | { readonly exhausted: AttemptMessage } | { readonly held: AttemptMessage }> {
  // The first delivery of a trial is nearly always its first attempt: one round trip then, instead of two.
  const { mayBeFirst, maxAttempts, keptBy } = limits
  let before = mayBeFirst ? undefined : await readAttempt(broker, run)
  for (;;) {
    const { message: last } = before ?? {}
    if (last?.nonce === facts.nonce) return { message: last, sequence: before!.sequence }
    if (last !== undefined && (await goesOn(broker, run, last))) return { held: last }
    const vanished = last === undefined || last.attempt === keptBy ? 0 : vanishedBefore(last)
    if (last !== undefined && vanished >= maxAttempts) return { exhausted: last }
    const message: AttemptMessage = {
      v: oldestProtocol,
      ...facts,
      attempt: (last?.attempt ?? 0) + 1,
      vanished,
      standing: 'running',
      atMs: facts.startedAtMs,
      ...(last?.reason === undefined ? {} : { reason: last.reason }),
    }
    try {
      return { message, sequence: await write(broker, run, message, before?.sequence ?? 0) }
    } catch (error) {
      if (!isTaken(error)) throw error
      before = await readAttempt(broker, run)
    }
  }
}

/**
 * With a token, each attempt and each end has a subject of its own, which nobody else can tell before it is used: what
 * stands there was written by someone who was given the run, even where another wrote over its words.
 */
function write({ publisher, names }: Broker, run: RunKey, message: AttemptMessage, after: number): Promise<number> {
  const text = encode(message)
  if (run.token === undefined) return publisher.publish(names.attempt(run), text, after)
  const what = message.standing === 'running' ? 'attempt' : 'end of attempt'
  const subject = names.attempt(tagged(run, `${what} ${message.attempt}`))
  return publisher.publish(subject, sealed(text, run.token), 0)
}

/** Says that the attempt goes on, three times a lease; the word may be lost. */
export function tellAlive({ nc, names }: Broker, run: RunKey, message: AttemptMessage, atMs: number): void {
  if (run.token === undefined || nc.isClosed()) return
  const subject = names.attempt(tagged(run, `beat of attempt ${message.attempt}`))
  nc.publish(subject, sealed(encode({ ...message, atMs } satisfies AttemptMessage), run.token))
}

/**
 * Whether an attempt without an end was heard of within half a lease, by the server's clock: whoever runs it speaks three
 * times a lease, and the server gives the trial to another after a whole one. So its worker did not fall silent: the message
 * was handed back by someone who has not got it (an acknowledgement can be guessed), or came anew with a new consumer.
 */
async function goesOn(broker: Broker, run: RunKey, last: AttemptMessage): Promise<boolean> {
  if (run.token === undefined || last.standing !== 'running') return false
  const { publisher, reads, names, leaseMs } = broker
  const [begin, beat, question] = (['attempt', 'beat of attempt', 'question about attempt'] as const).map((what) =>
    names.attempt(tagged(run, `${what} ${last.attempt}`)),
  ) as [string, string, string]
  // A message of one's own is the only way to ask for the server's time.
  await publisher.publish(question, sealed(encode(last), run.token))
  const [now, ...words] = await Promise.all(
    [question, beat, begin].map((subject) => reads.last(names.attempts, subject)),
  )
  // A replica that does not know of the question yet is behind with beats as well.
  if (now === undefined) return true
  // What another wrote over them was stored later: that delays the next attempt, and is not held against the trial.
  const heardAtMs = maxOf(words.map((word) => word?.storedAtMs ?? 0))
  return now.storedAtMs - heardAtMs < leaseMs / 2
}

/** When the worker of an attempt last said that it goes on, by the server's clock; `undefined` where that is not told. */
export async function lastHeard({ reads, names }: Broker, run: RunKey, attempt: number): Promise<number | undefined> {
  if (run.token === undefined) return undefined
  const words = await Promise.all(
    (['attempt', 'beat of attempt'] as const).map((what) =>
      reads.last(names.attempts, names.attempt(tagged(run, `${what} ${attempt}`))),
    ),
  )
  const times = words.flatMap((word) => (word === undefined ? [] : word.storedAtMs))
  return times.length === 0 ? undefined : maxOf(times)
}

/** How many attempts vanished, seen from the one that follows `last`. */
export function vanishedBefore(last: AttemptMessage): number {
  return last.vanished + (last.standing === 'running' || last.standing === 'lost' ? 1 : 0)
}

/** Says how an attempt ended that has no outcome; if another has begun since, its word stands. */
export async function closeAttempt(
  broker: Broker,
  run: RunKey,
  { message, sequence }: BegunAttempt,
  standing: Exclude<AttemptMessage['standing'], 'running'>,
  reason: string,
  atMs: number,
): Promise<void> {
  const end: AttemptMessage = { ...message, standing, atMs, reason: reason.slice(0, 1_000) }
  await write(broker, run, end, sequence).catch((error: unknown) => {
    if (!isTaken(error) && !isHeldAlready(error)) throw error
  })
}

/** The latest attempt at a run. What is stored but is no attempt counts as none. @throws StoreError when a newer mlds began it. */
export async function readAttempt(broker: Broker, run: RunKey): Promise<BegunAttempt | undefined> {
  if (run.token !== undefined) return readTokened(broker, run, run.token)
  const stored = await broker.reads.last(broker.names.attempts, broker.names.attempt(run))
  if (stored === undefined) return undefined
  return { message: decodeAttempt(stored.text, run) ?? placeholder, sequence: stored.sequence }
}

const decodeAttempt = (text: string, { trial }: RunKey): AttemptMessage | undefined =>
  decodeKept(attemptMessage, text, `the latest attempt at trial ${trial}`)

/** One attempt after the other, each with its end. */
async function readTokened({ reads, names }: Broker, run: RunKey, token: string): Promise<BegunAttempt | undefined> {
  let latest: BegunAttempt | undefined
  for (let attempt = 1; ; attempt++) {
    const [begin, end] = await Promise.all(
      (['attempt', 'end of attempt'] as const).map((what) =>
        reads.last(names.attempts, names.attempt(tagged(run, `${what} ${attempt}`))),
      ),
    )
    if (begin === undefined) return latest
    const [begun, ended] = [begin, end].map((stored) => {
      const text = stored === undefined ? undefined : unsealed(stored.text, token)
      // Not one of a newer mlds, whatever it says: that would have been asked in a protocol which this one leaves alone.
      return text === undefined ? undefined : decode(attemptMessage, text)
    })
    // An end whose words another wrote over is not held against the trial.
    const standing = ended?.standing ?? (end === undefined ? 'running' : 'handed back')
    const vanished = begun?.vanished ?? (latest === undefined ? 0 : vanishedBefore(latest.message))
    const message = { ...(ended ?? begun ?? placeholder), attempt, vanished, standing }
    latest = { message, sequence: begin.sequence }
  }
}

/** Stands for a stored message that can't be read: it keeps its place, and its number is not used again. */
const placeholder: AttemptMessage = {
  v: oldestProtocol,
  attempt: 1,
  vanished: 0,
  worker: 'unknown',
  nonce: 'unknown',
  startedAtMs: 0,
  standing: 'handed back',
  atMs: 0,
}
