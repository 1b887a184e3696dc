import { join } from 'node:path'
import { openCustom } from '../src/experiments/custom/custom.js'
import type { CustomExperiment } from '../src/experiments/custom/source.js'

const source = { kind: 'file', file: join(import.meta.dirname, 'noop-experiment.mjs') } as const

/** The experiment that does nothing, as a person gives one to threads and workers. */
export const noopExperiment = await openCustom(source)
export const noopCustom: CustomExperiment = { name: noopExperiment.name, source }
