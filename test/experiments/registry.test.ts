import { expect, test } from 'vitest'
import { experimentVersions, findExperiment } from '../../src/experiments/registry.js'

test('a worker tells of each built-in experiment the version that the experiment itself has', async () => {
  const loaded = await Promise.all(experimentVersions.map(([name]) => findExperiment(name)))
  expect(loaded.map(({ name, version }) => [name, version])).toEqual(experimentVersions)
})
