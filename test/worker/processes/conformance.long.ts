import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import type { Assignment } from '../../../src/core/trial.js'
import { openData } from '../../../src/data/catalog.js'
import { openStore } from '../../../src/system/store.js'
import { ThreadsBackend } from '../../../src/worker/threads/threads.js'
import { backendSuite } from '../../conformance/backend.js'
import { toyCustom } from '../../helpers/custom-modules.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-isolated-'))
afterAll(() => rmSync(folder, { recursive: true }))

class Isolated extends ThreadsBackend {
  override start(assignment: Assignment): Promise<void> {
    return super.start({ ...assignment, isolate: true })
  }
}

backendSuite(
  'processes of their own',
  async (workers) =>
    new Isolated({
      isolated: true,
      workers,
      clock: systemClock,
      heapMb: 64,
      storeFolder: join(folder, 'store'),
      logsFolder: join(folder, 'logs'),
      checkpointsFolder: join(folder, 'checkpoints'),
      datasets: [await openData(openStore(join(folder, 'store'))).load('glyphs-20')],
      custom: [toyCustom],
    }),
  { survivesCrashes: true },
)
