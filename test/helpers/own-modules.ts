import { fileURLToPath } from 'node:url'
import { openOwn } from '../../src/experiments/custom/custom.js'
import type { OwnExperiment } from '../../src/experiments/custom/source.js'

/** An experiment of test/fixtures as a person gives it: a file, under the name that its code has. */
export async function ownModule(fixture: string): Promise<OwnExperiment> {
  const file = fileURLToPath(new URL(`../fixtures/${fixture}-experiment.mjs`, import.meta.url))
  const source = { kind: 'file', file } as const
  return { name: (await openOwn(source)).name, source }
}

export const toyOwn = await ownModule('toy')
export const chaosOwn = await ownModule('chaos')
