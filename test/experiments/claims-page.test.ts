import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { decidingProfiles } from '../../src/app/planning/decidable.js'
import { experimentNames, findExperiment } from '../../src/experiments/registry.js'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'claims.md'), 'utf8')
const experiments = await Promise.all(experimentNames.map(findExperiment))

/** Cells of a table do not hold bars. */
const cell = (text: string): string => text.replaceAll('|', '\\|')

it.each(experiments.map((experiment) => [experiment.name, experiment] as const))(
  'the page on claims tells each claim of %s as the code has it, with its version and the profiles that decide it',
  (name, experiment) => {
    const profiles = decidingProfiles(experiment)
    for (const { id, kind, version = 1, statement, published } of experiment.claims) {
      if (kind === 'check') continue
      const row = `| \`${name}\` ${id}, version ${version} | ${cell(published)} | ${cell(statement)} | ${profiles.get(id)!.join(', ')} | `
      expect(page).toContain(row)
    }
  },
)

it('the page on claims has no row of a claim that is gone', () => {
  const rows = [...page.matchAll(/^\| `([a-z-]+)` ([a-z0-9-]+), version (\d+) \|/gm)]
  const known = experiments.flatMap(({ name, claims }) =>
    claims.map(({ id, version = 1 }) => `${name} ${id} ${version}`),
  )
  expect(rows.length).toBeGreaterThan(50)
  for (const [, name, id, version] of rows) expect(known).toContain(`${name} ${id} ${version}`)
})
