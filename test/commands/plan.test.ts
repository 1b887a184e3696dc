import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/** Five reports of two metrics a trial; `x` below 0 fails. */
const module = `import { defineExperiment, number } from 'mlds'
export default defineExperiment({
  space: { x: number({ default: 0 }) },
  async run({ x }, { report }) {
    if (x < 0) throw new Error('below nothing')
    for (let step = 1; step <= 5; step++) await report(step, { loss: x, other: step })
    return { loss: x }
  },
})
`

interface Planned {
  planned: number
  done: number
  takenOver: number
  toRun: number
  estimate?: { durationMs: number; points: number; basis: string; workers: number }
}

async function plan(cwd: string, ...flags: string[]): Promise<Planned> {
  const { code, stdout, stderr } = await mlds(['plan', 'mine.ts', '--json', '--workers', '2', ...flags], { cwd })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Planned
}

function folderWithModule(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'mine.ts'), module)
  return cwd
}

describe('mlds plan', () => {
  it('estimates from a pilot when asked, and starts nothing of the sweep', async () => {
    const cwd = folderWithModule()
    expect(await plan(cwd, '--set', 'x=1..4')).not.toHaveProperty('estimate')
    const { estimate, ...counts } = await plan(cwd, '--set', 'x=1..4', '--pilot')
    expect(counts).toMatchObject({ planned: 4, done: 0, takenOver: 0, toRun: 4 })
    expect(estimate).toMatchObject({ points: 40, workers: 2, basis: 'one trial that was run as a pilot' })
    expect(existsSync(join(cwd, '.mlds'))).toBe(false)
  })

  it('counts what is done and what other sweeps hold, and estimates the rest by what ran here', async () => {
    const cwd = folderWithModule()
    expect((await mlds(['sweep', 'mine.ts', '--set', 'x=1,2', '--name', 'first'], { cwd })).code).toBe(0)
    const { estimate, ...counts } = await plan(cwd, '--set', 'x=1..5')
    expect(counts).toMatchObject({ planned: 5, done: 0, takenOver: 2, toRun: 3 })
    expect(estimate).toMatchObject({ points: 30, basis: '2 trials that ran here before' })
    const told = (await mlds(['plan', 'mine.ts', '--set', 'x=1..5'], { cwd })).stdout
    expect(told).toMatch(/5 trials of mine\.\w+, 0 done, 2 to take over from other sweeps, 3 to run/)
    expect(told).toMatch(/in first/)
    expect(told).toMatch(/With --track: 4 runs and about 30 points/)
    expect(await plan(cwd, '--set', 'x=1,2', '--name', 'first')).toMatchObject({ done: 2, toRun: 0 })
  })

  it('says that it does not know when the pilot fails', async () => {
    const cwd = folderWithModule()
    const { code, stdout } = await mlds(['plan', 'mine.ts', '--set', 'x=-1', '--pilot'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/Time: unknown; the pilot failed/)
  })

  it('says which claims the plan can decide, and what it lacks for the others', async () => {
    const cwd = temporaryFolder()
    const sweep = ['plan', 'sim-func', '--set', 'target=f1', '--set', 'seed=0..1']
    const told = (await mlds(sweep, { cwd })).stdout
    expect(told).toMatch(/It can decide 0 of 9 claims; what it lacks for the others:/)
    expect(told).toMatch(/^ {2}plateau: add 1 seed$/m)
    expect(told).toMatch(/^ {2}deepest-first-f2: it has no m1 and m2 on f2 for 1000 epochs$/m)
    const { claims } = JSON.parse((await mlds([...sweep, '--json'], { cwd })).stdout) as {
      claims: { claim: string; missing: string[] }[]
    }
    expect(claims).toContainEqual({ claim: 'plateau', missing: ['add 1 seed'] })
    expect((await mlds(['plan', 'sim-func'], { cwd })).stdout).toMatch(/It can decide 9 of 9 claims\n/)
  })
})
