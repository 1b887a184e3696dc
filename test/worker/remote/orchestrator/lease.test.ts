import { describe, expect, it, onTestFinished } from 'vitest'
import type { Clock } from '../../../../src/core/clock.js'
import { thisProcess } from '../../../../src/system/process-identity.js'
import { leaseHolder, SweepLease } from '../../../../src/worker/remote/orchestrator/lease.js'
import { encode, protocolVersion } from '../../../../src/worker/remote/wire/protocol.js'
import { sweepToken } from '../../../../src/worker/remote/wire/names.js'
import { until } from '../../../helpers/cli.js'
import { hasNats } from '../../../helpers/nats.js'
import { RemoteLab } from '../../../helpers/remote-lab.js'

/** A hundred times as fast as the wall's: renewals every 100 ms. The server's own memory of 30 s stays. */
const fast: Clock = {
  now: () => Date.now() * 100,
  monotonic: () => performance.now() * 100,
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs / 100)
    return () => clearTimeout(timer)
  },
}

describe.skipIf(!hasNats)("a sweep's lease", () => {
  const lab = RemoteLab.open()
  const take = async (sweep: string, onLost: (by: string) => void = () => {}): Promise<SweepLease> => {
    const { leases } = await lab.broker('lease')
    const lease = await SweepLease.take({ leases, sweep, clock: fast, onLost, say: () => {} })
    onTestFinished(() => lease.release())
    return lease
  }
  const words = (holder: { pid: number; host: string; started: string; boot: string }, sweep: string): string =>
    encode({ v: protocolVersion, sweep, holder, nonce: 'another', atMs: 1 })

  it('is refused while its holder renews it, naming the holder', async () => {
    await take('held')
    await expect(take('held')).rejects.toThrow(
      `sweep held is being run by another process: pid ${process.pid} on ${thisProcess().host}`,
    )
  })

  it('is free once it is released', async () => {
    const lease = await take('released')
    await lease.release()
    expect(await leaseHolder((await lab.broker('lease')).leases, 'released')).toBeUndefined()
    await take('released')
  })

  it('is taken over at once from a process of this host that has ended', async () => {
    const { leases } = await lab.broker('lease')
    // No process has this number: it is above what Linux hands out.
    await leases.put(sweepToken('orphaned'), words({ ...thisProcess(), pid: 2 ** 22 + 1 }, 'orphaned'))
    await take('orphaned')
  })

  it('tells a holder that was succeeded to let go, and does not disturb its successor', async () => {
    let successor: string | undefined
    const lease = await take('succeeded', (by) => (successor = by))
    const { leases } = await lab.broker('lease')
    await leases.put(sweepToken('succeeded'), words({ pid: 7, host: 'elsewhere', started: '', boot: 'x' }, 'succeeded'))
    await until(() => successor !== undefined)
    expect(successor).toBe('pid 7 on elsewhere')
    await lease.release()
    expect(await leaseHolder(leases, 'succeeded')).toBe('pid 7 on elsewhere')
  })

  it('is renewed when it expired and nobody wanted it', async () => {
    let lost = false
    await take('slept', () => (lost = true))
    const { leases, jsm, names } = await lab.broker('lease')
    await jsm.streams.purge(`KV_${names.leases}`, { filter: `$KV.${names.leases}.${sweepToken('slept')}` })
    await expect.poll(() => leaseHolder(leases, 'slept')).toContain(`pid ${process.pid}`)
    expect(lost).toBe(false)
  })
})
