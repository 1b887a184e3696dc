import { writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'

/** The second stage can never run where the first diverged. */
const staged = `import { defineExperiment, defineStage, integer, number } from 'mlds'
export default defineExperiment({
  stages: [
    defineStage({
      name: 'train',
      space: { lr: number({ default: 0.1 }) },
      run: ({ lr }) => ({ loss: lr > 1 ? NaN : lr }),
    }),
    defineStage({
      name: 'evaluate',
      space: { digits: integer({ default: 1 }) },
      derive: { from: 'train', groups: (trials) => trials.map((trial) => [trial]) },
      run: ({ digits }) => ({ error: digits }),
    }),
  ],
})
`

describe('how a sweep stands', () => {
  it('is the same by every command where trials diverged and what derives from them can never run', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'mine.ts'), staged)
    const swept = await mlds(['sweep', 'mine.ts', '--set', 'lr=5,0.5', '--name', 'two'], { cwd })
    expect(swept.code, swept.stderr).toBe(0)
    const line = '3 of 4 trials finished, 1 diverged, 1 skipped'
    expect(swept.stdout).toContain(`two: ${line} in`)
    const watched = await mlds(['watch', 'two'], { cwd })
    expect(watched.code).toBe(0)
    expect(watched.stdout).not.toContain('mlds resume')
    const counted = 'two: 3 of 4 finished, 0 running, 0 failed, 1 diverged, 1 skipped, 0 missing'
    for (const { stdout } of [watched, await mlds(['status', 'two'], { cwd })]) {
      expect(stdout.split('\n')).toContain(counted)
      expect(stdout.split('\n')).toContain('best, of one seed: lr=0.5, loss 0.5')
    }
    expect((await mlds(['report', 'two', '--out', 'page.html'], { cwd })).code).toBe(0)
    const page = readFileSync(join(cwd, 'page.md'), 'utf8')
    expect(page).toContain(`Sweep two: ${line}. Best, of one seed: lr=0.5, loss 0.5. Source: mine.ts.`)
    expect(page.split('\n', 3)).toEqual(['# mine', '', 'mine'])
  })

  it('is that nothing runs, once the process that ran it was killed', async () => {
    const cwd = temporaryFolder()
    const yaml = `experiment: { command: ['sh', '-c', 'test $1 = 1 && echo "{\\"loss\\": 1}" || while test ! -e stop; do sleep 0.05; done', 'sh', '{x}'] }\naxes: { x: [1, 2] }\n`
    writeFileSync(join(cwd, 'my.yaml'), yaml)
    const sweep = startMlds(['sweep', 'my.yaml', '--name', 'killed', '--workers', '2'], { cwd })
    await until(() => sweep.output().includes('1/2'))
    const exported = async (): Promise<string[]> => {
      const { stdout } = await mlds(['export', 'killed'], { cwd })
      return stdout
        .trim()
        .split(/\r?\n/)
        .slice(1)
        .map((row) => row.split(',')[3]!)
    }
    expect(await exported()).toEqual(['finished', 'running'])
    sweep.child.kill('SIGKILL')
    writeFileSync(join(cwd, 'stop'), '')
    await sweep.finished
    // An export is what the journal says, byte for byte, as earlier versions wrote it.
    expect(await exported()).toEqual(['finished', 'running'])
    expect((await mlds(['status', 'killed'], { cwd })).stdout).toContain('0 running, 0 failed, 0 skipped, 1 missing')
    await mlds(['report', 'killed', '--out', 'page.html'], { cwd })
    expect(readFileSync(join(cwd, 'page.md'), 'utf8')).toContain('1 of 2 trials finished, 1 missing.')
  })

  it('is told by best as by status where nothing has a value', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), 'experiment: { command: "false {x}" }\naxes: { x: [1, 2] }\n')
    expect((await mlds(['sweep', 'my.yaml', '--name', 'none'], { cwd })).code).toBe(1)
    const line = 'best so far: none: no trial has a result yet, 2 ended without one'
    for (const command of ['best', 'status', 'watch'])
      expect((await mlds([command, 'none'], { cwd })).stdout.split('\n')).toContain(line)
    const named = await mlds(['best', 'none', '--metric', 'los'], { cwd })
    expect(named.code).toBe(2)
    expect(named.stderr).toContain('unknown metric, or one that no trial has yet: los\n  there is none yet')
  })

  it('has no place for a sweep that excludes all of its points: it is refused and leaves nothing behind', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'my.yaml'),
      'experiment: { command: "true {x}" }\naxes: { x: [1, 2] }\nexclude: [{ x: 1 }, { x: 2 }]\n',
    )
    for (const command of ['sweep', 'plan']) {
      const { code, stderr } = await mlds([command, 'my.yaml'], { cwd })
      expect(code).toBe(2)
      expect(stderr).toContain('exclude: nothing is left of 2 points')
    }
    expect((await mlds(['list'], { cwd })).stdout).toContain('No sweeps yet')
  })
})
