import { fileURLToPath } from 'node:url'
import { openCustom } from '../../src/experiments/custom/custom.js'
import type { CustomExperiment } from '../../src/experiments/custom/source.js'

/** An experiment of test/fixtures as a person gives it: a file, under the name that its code has. */
export async function customModule(fixture: string): Promise<CustomExperiment> {
  const file = fileURLToPath(new URL(`../fixtures/${fixture}-experiment.mjs`, import.meta.url))
  const source = { kind: 'file', file } as const
  return { name: (await openCustom(source)).name, source }
}

export const toyCustom = await customModule('toy')
export const chaosCustom = await customModule('chaos')
