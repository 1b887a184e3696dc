import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { openData } from '../../src/data/catalog.js'
import { UnknownNameError } from '../../src/core/errors.js'
import type { Experiment } from '../../src/experiments/experiment.js'
import { createEngine } from '../../src/engines/create-engine.js'
import { openStore } from '../../src/system/store.js'
import { InlineBackend } from '../../src/worker/inline.js'
import { backendSuite } from '../conformance/backend.js'
import { toyCustom } from '../helpers/custom-modules.js'
import toy from '../fixtures/toy-experiment.mjs'

const folder = mkdtempSync(join(tmpdir(), 'mlds-inline-'))
afterAll(() => rmSync(folder, { recursive: true }))
const store = openStore(folder)

backendSuite(
  'inline',
  async (capacity) =>
    new InlineBackend(capacity, {
      findExperiment: async (name) => {
        if (name !== toyCustom.name) throw new UnknownNameError('experiment', name, [toyCustom.name])
        return toy as Experiment
      },
      engine: createEngine,
      data: (name) => openData(store).load(name),
      putObject: (bytes) => store.putObject(bytes),
      readObject: (ref) => store.readObject(ref),
      logsFolder: folder,
      checkpointsFolder: join(folder, 'checkpoints'),
      worker: 'inline',
      clock: systemClock,
    }),
  { survivesCrashes: false },
)
