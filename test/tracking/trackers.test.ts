import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../src/tracking/mlflow/rest/settings.js'
import { noTracker } from '../../src/tracking/tracker.js'
import { trackerSuite, type OpenedTracker } from '../conformance/tracker.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../helpers/mlflow.js'
import { openTracker } from '../helpers/open-tracker.js'
import type { Entry } from '../helpers/told-by-journal.js'

const { info } = openTracker('http://127.0.0.1:1', 'untold', tmpdir(), [])
const untold = (): OpenedTracker => ({ tracker: noTracker, info, released: () => 0 })
trackerSuite('silent', { open: untold, openUnanswered: untold })

describe.skipIf(!hasMlflow)('over a real MLflow server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-trackers-'))
  let server: MlflowServer
  let silent: Server
  beforeAll(async () => {
    server = await startMlflow()
    silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    silent.closeAllConnections()
    silent.close()
    await server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const open = (url: string, sweep: string, history: readonly Entry[], silentMs = 30_000): OpenedTracker => {
    let released = 0
    const giveUp = new AbortController()
    const opened = openTracker(url, sweep, folder, history, {
      client: new MlflowClient(mlflowSettings(url, { MLDS_TRACKING_BACKOFF_MS: '5' }), giveUp.signal),
      acknowledgedFile: join(folder, `${sweep}.jsonl`),
      patience: { answeredMs: 120_000, silentMs, giveUp },
      onClosed: () => void released++,
    })
    return { ...opened, released: () => released }
  }
  trackerSuite('MLflow', {
    open: (sweep, history) => open(server.url, sweep, history),
    openUnanswered: (sweep) => open(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, sweep, [], 50),
    read: (sweep) => readWithPython(server.url, sweep),
  })
})
