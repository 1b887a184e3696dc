import { describe, expect, it } from 'vitest'
import {
  beginAttempt,
  closeAttempt,
  readAttempt,
  tellAlive,
  vanishedBefore,
} from '../../../../src/worker/remote/host/attempts.js'
import {
  encode,
  oldestProtocol,
  protocolVersion,
  type AttemptMessage,
} from '../../../../src/worker/remote/wire/protocol.js'
import { sealed } from '../../../../src/worker/remote/wire/run-tokens.js'
import { subjectsOf } from '../../../../src/worker/remote/wire/streams.js'
import { hasNats } from '../../../helpers/nats.js'
import { RemoteLab, runKey } from '../../../helpers/remote-lab.js'

const last = (standing: AttemptMessage['standing'], vanished: number): AttemptMessage => ({
  v: oldestProtocol,
  attempt: 5,
  vanished,
  worker: 'w',
  nonce: 'n',
  startedAtMs: 1,
  standing,
  atMs: 2,
})

describe('the attempts that are held against a trial', () => {
  it.each([
    ['running', 2, 3],
    ['lost', 2, 3],
    ['handed back', 2, 2],
    ['given up', 2, 2],
  ] as const)('after one that is %s, with %i before it, are %i', (standing, vanished, expected) => {
    expect(vanishedBefore(last(standing, vanished))).toBe(expected)
  })
})

describe.skipIf(!hasNats)('the attempts at a run', () => {
  const lab = RemoteLab.open()

  it.each([
    ['without a token', undefined],
    ['with a token', 'a'.repeat(32)],
  ])('%s are numbered without a gap; those that ended without a word are held against it', async (how, token) => {
    // Whatever is silent has been so for a lease of no length.
    const broker = { ...(await lab.broker(how.replaceAll(' ', '-'))), leaseMs: 0 }
    const key = { ...runKey('0000000000000001'), ...(token === undefined ? {} : { token }) }
    const begin = async (nonce: string, mayBeFirst = false, maxAttempts = 9) => {
      const begun = await beginAttempt(broker, key, { worker: 'w', nonce, startedAtMs: 1 }, { mayBeFirst, maxAttempts })
      if ('held' in begun) throw new Error(`attempt ${begun.held.attempt} goes on`)
      if ('exhausted' in begun) throw new Error(`exhausted after attempt ${begun.exhausted.attempt}`)
      return begun
    }
    const first = await begin('a', true)
    // The answer was lost and it is asked again: the same attempt.
    expect(await begin('a', true)).toEqual(first)
    await closeAttempt(broker, key, first, 'handed back', 'told to go', 2)
    const second = await begin('b', true)
    expect(second.message).toMatchObject({ attempt: 2, vanished: 0 })
    const third = await begin('c')
    expect(third.message).toMatchObject({ attempt: 3, vanished: 1 })
    // A late word of an attempt that was succeeded changes nothing.
    await closeAttempt(broker, key, second, 'handed back', 'too late', 2)
    expect((await begin('d')).message).toMatchObject({ attempt: 4, vanished: 2 })
    // Two at once never get the same number.
    const both = await Promise.all([begin('e'), begin('f')])
    expect(both.map(({ message }) => message.attempt).sort()).toEqual([5, 6])
    // Attempts 2 to 6 vanished: where five are too many, a seventh is not even stored.
    await expect(begin('g', true, 5)).rejects.toThrow('exhausted after attempt 6')
    expect((await begin('h')).message).toMatchObject({ attempt: 7, vanished: 5 })
  })

  it('with a token stay what they were when another writes over their words, once it has seen the subjects', async () => {
    const broker = { ...(await lab.broker('overwritten')), leaseMs: 0 }
    const key = { ...runKey('0000000000000005'), token: 'a'.repeat(32) }
    const begin = async (nonce: string) => {
      const facts = { worker: 'w', nonce, startedAtMs: 1 }
      return beginAttempt(broker, key, facts, { mayBeFirst: true, maxAttempts: 9 })
    }
    const vandalize = async (text: string): Promise<void> => {
      for (const subject of await subjectsOf(
        broker.jsm,
        broker.names.attempts,
        broker.names.attempt({ trial: key.trial }),
      ))
        await broker.publisher.publish(subject, text)
    }
    const first = await begin('a')
    if (!('message' in first)) throw new Error('the first attempt may begin')
    await closeAttempt(broker, key, first, 'handed back', 'told to go', 2)
    // One that says that the trial killed three workers, one that says that nobody can read it, and noise.
    await vandalize(encode({ ...first.message, vanished: 3, standing: 'lost' }))
    expect(await begin('b')).toMatchObject({ message: { attempt: 2, vanished: 0 } })
    await vandalize(encode({ v: protocolVersion + 1 }))
    expect(await begin('c')).toMatchObject({ message: { attempt: 3, vanished: 1 } })
    // One that was given the run may say that a newer mlds began it, and nobody would ever begin it again.
    await vandalize(sealed(encode({ v: protocolVersion + 1 }), key.token))
    expect(await begin('d')).toMatchObject({ message: { attempt: 4, vanished: 2 } })
    await vandalize('noise')
    expect(await readAttempt(broker, key)).toMatchObject({ message: { attempt: 4, vanished: 2, standing: 'running' } })
  })

  it('are followed by none while the last one speaks, or its words are written over', async () => {
    const broker = await lab.broker('held')
    const key = { ...runKey('0000000000000006'), token: 'a'.repeat(32) }
    // A lease longer than this test, and one that has run out at once.
    const begin = (nonce: string, leaseMs: number) => {
      const facts = { worker: 'w', nonce, startedAtMs: 1 }
      return beginAttempt({ ...broker, leaseMs }, key, facts, { mayBeFirst: true, maxAttempts: 9 })
    }
    const first = await begin('a', 0)
    if (!('message' in first)) throw new Error('the first attempt may begin')
    expect(await begin('b', 600_000)).toMatchObject({ held: { attempt: 1 } })
    tellAlive(broker, key, first.message, 2)
    expect(await begin('b', 600_000)).toMatchObject({ held: { attempt: 1 } })
    const filter = broker.names.attempt({ trial: key.trial })
    for (const subject of await subjectsOf(broker.jsm, broker.names.attempts, filter))
      await broker.publisher.publish(subject, 'noise')
    expect(await begin('b', 600_000)).toMatchObject({ held: { attempt: 1 } })
    expect(await begin('b', 0)).toMatchObject({ message: { attempt: 2, vanished: 1 } })
  })

  it('keep the place of a stored message that can not be read, and leave that of a newer mlds alone', async () => {
    const broker = await lab.broker('unreadable')
    const begin = (trial: string) =>
      beginAttempt(
        broker,
        runKey(trial),
        { worker: 'w', nonce: 'n', startedAtMs: 1 },
        { mayBeFirst: true, maxAttempts: 3 },
      )
    const [junk, newer] = ['0000000000000002', '0000000000000003']
    await broker.js.publish(broker.names.attempt(runKey(junk)), 'junk')
    expect(await begin(junk)).toMatchObject({ message: { attempt: 2, vanished: 0 } })
    await broker.js.publish(broker.names.attempt(runKey(newer)), encode({ v: protocolVersion + 1 }))
    await expect(begin(newer)).rejects.toThrow('was written by a newer mlds')
    expect(await readAttempt(broker, runKey('0000000000000004'))).toBeUndefined()
  })
})
