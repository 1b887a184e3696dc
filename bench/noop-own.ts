import { join } from 'node:path'
import { openOwn } from '../src/experiments/custom/custom.js'
import type { OwnExperiment } from '../src/experiments/custom/source.js'

const source = { kind: 'file', file: join(import.meta.dirname, 'noop-experiment.mjs') } as const

/** The experiment that does nothing, as a person gives one to threads and workers. */
export const noopExperiment = await openOwn(source)
export const noopOwn: OwnExperiment = { name: noopExperiment.name, source }
