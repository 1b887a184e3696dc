import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'

/** Trials wait for a file, so that the test decides when the sweep goes on. */
const module = `import { existsSync } from 'node:fs'
import { defineExperiment, number } from 'mlds'
export default defineExperiment({
  space: { x: number({ default: 0 }) },
  async run({ x }, { report }) {
    await report(1, { loss: x })
    while (x > 0 && !existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 20))
    if (x === 2) throw new Error('two is too many')
    return { loss: x }
  },
})
`

describe('mlds watch', () => {
  it('tells, in lines, what another process does, and ends when that does', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'mine.ts'), module)
    const sweep = startMlds(['sweep', 'mine.ts', '--set', 'x=0..3', '--name', 'seen', '--workers', '2'], { cwd })
    await until(() => sweep.output().includes('1/4'))
    const watch = startMlds(['watch'], { cwd })
    await until(() => watch.output().includes('seen: 4 trials, 1 already finished'))
    writeFileSync(join(cwd, 'go'), '')
    const [swept, watched] = [await sweep.finished, await watch.finished]
    expect(swept.code).toBe(1)
    // The same truth, by the same code.
    expect(watched.code).toBe(1)
    expect(watched.stdout).toMatch(/failed: [0-9a-f]{16} x=2 seed=0: two is too many\n {4}log: mlds logs [0-9a-f]{16}/)
    expect(watched.stdout).toMatch(/4\/4 /)
    expect(watched.stdout).toMatch(/seen: 3 of 4 finished, 0 running, 1 failed, 0 skipped, 0 missing/)
  })

  it('of a sweep that nobody runs says how it stands and ends', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'mine.ts'), module)
    expect((await mlds(['sweep', 'mine.ts', '--name', 'over'], { cwd })).code).toBe(0)
    const { code, stdout } = await mlds(['watch', 'over'], { cwd })
    expect(code).toBe(0)
    expect(stdout).toMatch(/over: 1 of 1 finished/)
    const wrong = await mlds(['watch', 'over', '--axis', 'y'], { cwd })
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/unknown axis of this sweep: y/)
    expect(await mlds(['watch', 'over', '--metric', 'los'], { cwd })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'Error: unknown metric of this sweep: los\n  did you mean loss? known: loss\n',
    })
  })

  it('refuses a metric that no trial turns out to have, although none had a result when it began', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'mine.ts'), module)
    const sweep = startMlds(['sweep', 'mine.ts', '--set', 'x=1', '--name', 'late'], { cwd })
    await until(() => sweep.output().includes('late: 1 trial, 0 already finished'))
    const watch = startMlds(['watch', 'late', '--metric', 'nope'], { cwd })
    await until(() => watch.output().includes('late: 1 trial, 0 already finished'))
    writeFileSync(join(cwd, 'go'), '')
    expect((await sweep.finished).code).toBe(0)
    const { code, stderr } = await watch.finished
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('unknown metric of this sweep: nope\n  known: loss\n') as string,
    })
  })
})
