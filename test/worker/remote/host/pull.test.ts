import { NoRespondersError } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock, systemClock, type Clock } from '../../../../src/core/clock.js'
import { Pull, type PulledTrial } from '../../../../src/worker/remote/host/pull.js'
import { isTaken } from '../../../../src/worker/remote/wire/nats-errors.js'
import { defaultLane } from '../../../../src/worker/remote/wire/needs.js'
import { consumerConfig, type Broker } from '../../../../src/worker/remote/wire/streams.js'
import { hasNats } from '../../../helpers/nats.js'
import { RemoteLab, runKey } from '../../../helpers/remote-lab.js'

const here = [defaultLane]

describe.skipIf(!hasNats)('with a queue on a real server', () => {
  const lab = RemoteLab.open()
  const slot = (broker: Broker, clock: Clock, drain = new AbortController().signal): Pull => {
    const pull = new Pull(broker, clock, drain)
    onTestFinished(() => pull.close())
    return pull
  }
  const queue = (broker: Broker, trial: string, lane = defaultLane): Promise<number> =>
    broker.publisher.publish(broker.names.trial(runKey(trial), lane), trial)

  /** As a slot does, which asks again when a request has come to nothing. */
  const untilOne = async (pull: Pull, lanes: readonly string[], done?: PulledTrial): Promise<PulledTrial> =>
    (await pull.next(lanes, done)) ?? untilOne(pull, lanes)

  it('a slot gets one trial for each time it asks, and what it acknowledges leaves the queue', async () => {
    const broker = await lab.broker('one')
    const [a, b, c] = ['000000000000000a', '000000000000000b', '000000000000000c']
    for (const trial of [a, b, c]) await queue(broker, trial)
    const pull = slot(broker, systemClock)
    const first = (await pull.next(here))!
    expect([first.text, first.count]).toEqual([a, 1])
    const info = await broker.jsm.consumers.info(broker.names.trials, broker.names.consumer())
    expect([info.num_ack_pending, info.num_pending]).toEqual([1, 2])
    first.ack()
    const second = (await pull.next(here))!
    expect(second.subject).toBe(broker.names.trial(runKey(b), defaultLane))
    const third = (await pull.next(here, second))!
    expect(third.text).toBe(c)
    const later = await broker.jsm.consumers.info(broker.names.trials, broker.names.consumer())
    expect([later.num_ack_pending, later.num_pending]).toEqual([1, 0])
    third.term()
    await expect.poll(async () => (await broker.jsm.streams.info(broker.names.trials)).state.messages).toBe(0)
  })

  it('a trial that comes when its slot has stopped waiting goes back to the queue', async () => {
    const broker = await lab.broker('late', 30_000)
    const clock = new SimulatedClock()
    const waiting = slot(broker, clock).next(here)
    // The server has the request, and keeps it open for longer than this clock takes.
    await broker.nc.flush()
    clock.advance(3_000)
    expect(await waiting).toBeUndefined()
    await queue(broker, '000000000000000c')
    const pulled = (await slot(broker, systemClock).next(here))!
    expect(pulled.text).toBe('000000000000000c')
  })

  it('a lane in which nothing is has one request of a slot at most, however many trials come in another', async () => {
    const broker = await lab.broker('lanes')
    await broker.jsm.consumers.add(broker.names.trials, consumerConfig(broker.names, 30_000, 'busy'))
    const pull = slot(broker, systemClock)
    let done: PulledTrial | undefined
    for (let i = 0; i < 20; i++) {
      const next = untilOne(pull, [defaultLane, 'busy'], done)
      await broker.nc.flush()
      await queue(broker, `00000000000000${10 + i}`, 'busy')
      done = await next
      expect(done.text).toBe(`00000000000000${10 + i}`)
      const { num_waiting } = await broker.jsm.consumers.info(broker.names.trials, broker.names.consumer())
      expect(num_waiting).toBeLessThanOrEqual(1)
    }
  })

  it('a slot that waits in several lanes asks each anew when its request has come to nothing, and takes what comes there', async () => {
    const broker = await lab.broker('anew')
    await broker.jsm.consumers.add(broker.names.trials, consumerConfig(broker.names, 30_000, 'other'))
    const pull = slot(broker, systemClock)
    expect(await pull.next([defaultLane])).toBeUndefined()
    const early = pull.next([defaultLane])
    await broker.nc.flush()
    pull.askAnew()
    expect(await early).toBeUndefined()
    // The request of before still waits in the one lane when the other is asked.
    expect(await pull.next([defaultLane, 'other'])).toBeUndefined()
    const next = untilOne(pull, [defaultLane, 'other'])
    await broker.nc.flush()
    await queue(broker, '00000000000000aa')
    expect((await next).lane).toBe(defaultLane)
  })

  it('a slot that is told to take no more asks no further lane', async () => {
    const broker = await lab.broker('drained')
    await broker.jsm.consumers.add(broker.names.trials, consumerConfig(broker.names, 30_000, 'other'))
    await queue(broker, '00000000000000aa', 'other')
    expect(await slot(broker, systemClock, AbortSignal.abort()).next([defaultLane, 'other'])).toBeUndefined()
    const info = await broker.jsm.consumers.info(broker.names.trials, broker.names.consumer('other'))
    expect(info.num_pending).toBe(1)
  })

  it('a message that a stream refuses is told from one that no stream takes', async () => {
    const broker = await lab.broker('publish')
    const subject = broker.names.result(runKey('000000000000000d'))
    const sequence = await broker.publisher.publish(subject, 'first', 0)
    expect(sequence).toBe(1)
    await expect(broker.publisher.publish(subject, 'second', 0)).rejects.toSatisfy(isTaken)
    expect((await broker.jsm.streams.getMessage(broker.names.results, { seq: sequence }))!.string()).toBe('first')
    await expect(broker.publisher.publish('nobody.listens', 'x')).rejects.toBeInstanceOf(NoRespondersError)
  })
})
