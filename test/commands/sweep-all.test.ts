import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { experimentNames } from '../../src/experiments/registry.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

interface Summary {
  experiment: string
  planned: number
  finished: number
  unique: number
  verdicts: { claim: string; state: string; summary: string }[]
  figures: string[]
}

describe('mlds sweep all', () => {
  it('runs every experiment to its end, each with figures and verdicts', { timeout: 480_000 }, async () => {
    const cwd = temporaryFolder()
    const result = await mlds(['sweep', 'all', '--profile', 'smoke', '--workers', '2', '--json'], { cwd })
    const { sweeps } = JSON.parse(result.stdout) as { sweeps: Summary[] }
    expect(sweeps.map(({ experiment }) => experiment)).toEqual(experimentNames)
    for (const { experiment, planned, finished, unique, verdicts, figures } of sweeps) {
      expect({ experiment, finished, unique }).toEqual({ experiment, finished: planned, unique: planned })
      expect(figures.filter((file) => file.endsWith('.png') && existsSync(file)).length, experiment).toBeGreaterThan(0)
      expect(verdicts.length, experiment).toBeGreaterThan(0)
      // A check that threw says so in its summary.
      expect(verdicts.map(({ summary }) => summary).join()).not.toContain('could not be made')
    }
    expect(result.code).toBe(0)
  })

  it('cannot give several sweeps one name', async () => {
    const result = await mlds(['sweep', 'all', '--name', 'mine'], { cwd: temporaryFolder() })
    expect(result.code).toBe(2)
    expect(result.stderr).toContain("--name: mine can't name several sweeps")
  })
})
