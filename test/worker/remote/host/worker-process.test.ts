import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock, systemClock } from '../../../../src/core/clock.js'
import { listWorkers } from '../../../../src/worker/remote/orchestrator/fleet.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { RemoteLab } from '../../../helpers/remote-lab.js'
import { openStore } from '../../../../src/system/store.js'
import { runWorker } from '../../../../src/worker/remote/host/worker-process.js'
import { connectNats } from '../../../../src/worker/remote/wire/connect.js'
import { temporaryFolder, until } from '../../../helpers/cli.js'
import { hasNats, withNats } from '../../../helpers/nats.js'

describe.skipIf(!hasNats)('a worker that is told to go', () => {
  it.each(['there', 'away'])(
    'closes its connection, so that its process ends, when the server is %s',
    async (server) => {
      const nats = await withNats('')
      const said: string[] = []
      const drain = new AbortController()
      const connection = await connectNats(nats.url, 'test', { say: (message) => said.push(message) })
      const done = runWorker({
        ...{ connection, tenant: 'mlds', name: 'test', slots: 1, clock: systemClock },
        store: openStore(join(temporaryFolder(), 'store')),
        drain: drain.signal,
        abort: new AbortController().signal,
        say: (message) => said.push(message),
      })
      await until(() => said.join().includes('is ready'))
      if (server === 'away') {
        await nats.stop('SIGKILL')
        await until(() => said.join().includes('is lost'))
      }
      drain.abort()
      await done
      expect(connection.isClosed()).toBe(true)
    },
  )
})

describe.skipIf(!hasNats)('a worker', () => {
  const lab = RemoteLab.open()

  it('says within a second what runs on it', async () => {
    const clock = new SimulatedClock()
    let pump: NodeJS.Timeout | undefined
    onTestFinished(() => clearInterval(pump))
    await lab.worker('news', { clock })
    // Its end takes time that nobody else lets pass.
    onTestFinished(() => void (pump = setInterval(() => clock.advance(1_000), 5)))
    const broker = await lab.broker('news')
    const running = async (): Promise<string[]> =>
      (await listWorkers(broker.workers)).flatMap((worker) => worker.running.map(({ trial }) => trial))
    const { backend, listener } = await lab.backend('news')
    const assignment = toyAssignment({}, { interactive: true })
    await backend.start(assignment)
    await listener.until(({ type }) => type === 'report')
    expect(await running()).toEqual([])
    clock.advance(1_000)
    await expect.poll(running).toEqual([assignment.trial.id])
  })
})
