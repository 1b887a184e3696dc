import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/core/clock.js'
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
