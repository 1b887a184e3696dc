import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withLocalImports } from '../../../src/experiments/custom/custom.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'

interface Summary {
  sweep: string
  planned: number
  finished: number
  stopped: number
  figures: string[]
}
const examples = join(import.meta.dirname, '..', '..', '..', 'examples')
const summaryOf = (stdout: string): Summary => JSON.parse(stdout) as Summary

const smallest = `import { defineExperiment, number } from 'mlds'
import { target } from './target.js'
export default defineExperiment({
  space: { x: number({ default: 0 }) },
  run: ({ x }) => ({ loss: (x - target) ** 2 as number }),
})
`

function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

describe("a person's own experiment", () => {
  it('runs from one TypeScript file, with figures nobody wrote', async () => {
    const cwd = folderWith({ 'mine.ts': smallest, 'target.ts': 'export const target: number = 3\n' })
    const { code, stdout, stderr } = await mlds(['sweep', 'mine.ts', '--set', 'x=0,1,2', '--json'], { cwd })
    expect(stderr).not.toMatch(/Error/)
    expect(code).toBe(0)
    const summary = summaryOf(stdout)
    expect(summary).toMatchObject({ planned: 3, finished: 3 })
    expect(summary.sweep).toBe('mine')
    expect(summary.figures.some((file) => file.endsWith('result-against-x.png'))).toBe(true)
    const csv = (await mlds(['export', summary.sweep, '--format', 'csv'], { cwd })).stdout
    expect(csv).toMatch(/,9\r?\n/)
  })

  it('is another experiment once its code has changed, in a file that it imports too', async () => {
    const cwd = folderWith({ 'mine.ts': smallest, 'target.ts': 'export const target: number = 3\n' })
    const before = summaryOf((await mlds(['sweep', 'mine.ts', '--json'], { cwd })).stdout)
    writeFileSync(join(cwd, 'target.ts'), 'export const target: number = 5\n')
    const resumed = await mlds(['resume', before.sweep], { cwd })
    expect(resumed.code).toBe(2)
    expect(resumed.stderr).toMatch(/the experiment has changed since this sweep was planned: .*mine\.ts/)
    const after = summaryOf((await mlds(['sweep', 'mine.ts', '--json'], { cwd })).stdout)
    expect(after.sweep).not.toBe(before.sweep)
    expect((await mlds(['export', after.sweep, '--format', 'csv'], { cwd })).stdout).toMatch(/,25\r?\n/)
  })

  it('leaves the results of its old code to be read, and says that it has changed', async () => {
    const cwd = folderWith({ 'mine.ts': smallest, 'target.ts': 'export const target: number = 3\n' })
    const { sweep } = summaryOf((await mlds(['sweep', 'mine.ts', '--set', 'x=0,1,2', '--json'], { cwd })).stdout)
    const best = await mlds(['best', sweep, '--json'], { cwd })
    writeFileSync(join(cwd, 'target.ts'), 'export const target: number = 5\n')
    expect(await mlds(['best', sweep, '--json'], { cwd })).toMatchObject({ code: 0, stdout: best.stdout })
    for (const command of ['figure', 'report']) {
      const { code, stdout, stderr } = await mlds([command, sweep], { cwd })
      expect(code, stderr).toBe(0)
      expect(stdout).toMatch(/\.(png|html)/)
      expect(stderr.replace(/\s+›?\s*/g, ' ')).toMatch(
        /the experiment has changed since this sweep was planned: .*mine\.ts/,
      )
    }
  })

  it.each([
    [{ 'mine.ts': 'export default 3\n' }, /mine\.ts: its default export is not an experiment/],
    [{ 'mine.ts': 'export default {\n' }, /mine\.ts: the experiment can't be loaded: /],
    [{ 'other.ts': '' }, /mine\.ts: no such file/],
    [
      { 'mine.ts': 'export default { stages: [{ space: {}, run: () => ({ loss: 1 }) }], figures: () => [] }\n' },
      /mine\.ts: experiment: figures: a function is not a list of \{ name: a text, caption: a text, draw: a function \}/,
    ],
  ])('is refused with a sentence: %j', async (files, message) => {
    const { code, stderr } = await mlds(['sweep', 'mine.ts'], { cwd: folderWith(files) })
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it.each([
    ['axes: { lr: [1] }', /unknown axis: lrr\n.*did you mean lr\? known: lr, width/s],
    ['', /unknown axis: lrr\n.*known: width/s],
  ])('that is a command takes no axis which neither it nor its file names: %j', async (axes, message) => {
    const cwd = folderWith({
      'mine.yaml': `experiment: { command: 'echo {width}', defaults: { width: 3 } }\n${axes}\n`,
    })
    expect((await mlds(['plan', 'mine.yaml', '--set', 'width=4'], { cwd })).code).toBe(0)
    const { code, stderr } = await mlds(['plan', 'mine.yaml', '--set', 'lrr=2'], { cwd })
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })

  it('is made of its file and what that reaches by relative imports', () => {
    const folder = folderWith({
      'a.ts': "import { b } from './b.js'\nimport 'node:fs'\nimport x from 'mlds'\n",
      'b.ts': "export * from './c/index.js'\nimport { a } from './a.js'\n",
      'c/index.ts': 'export const c = 1\n',
    })
    expect(withLocalImports(join(folder, 'a.ts'))).toEqual(
      ['a.ts', 'b.ts', 'c/index.ts'].map((name) => join(folder, name)),
    )
  })
})

describe('the examples', () => {
  it.each([
    ['1-one-file.ts', ['--set', 'learningRate=0.01,0.1,0.5', '--set', 'seed=0..2'], 9],
    ['2-any-program.yaml', [], 8],
    ['3-stop-early.yaml', [], 27],
  ])('%s runs to its end', async (file, flags, planned) => {
    const cwd = temporaryFolder()
    const { code, stdout } = await mlds(['sweep', join(examples, file), ...flags, '--json'], { cwd })
    const summary = summaryOf(stdout)
    expect({ code, planned: summary.planned, finished: summary.finished }).toEqual({
      code: 0,
      planned,
      finished: planned,
    })
    if (file.startsWith('3')) expect(summary.stopped).toBeGreaterThan(5)
    expect(summary.figures.length).toBeGreaterThan(0)
  })

  it('4-derive.yaml draws another grid from stored nets, training nothing again', async () => {
    const cwd = temporaryFolder()
    const file = join(examples, '4-derive.yaml')
    expect((await mlds(['sweep', file], { cwd })).code).toBe(0)
    const { sweep } = summaryOf((await mlds(['sweep', file, '--set', 'alphaStep=0.25', '--json'], { cwd })).stdout)
    const journal = readFileSync(join(cwd, '.mlds', 'sweeps', sweep, 'journal.jsonl'), 'utf8')
    // Both nets are taken over; the line alone is run.
    expect(journal.match(/"type":"reused"/g)).toHaveLength(2)
    const { trials } = JSON.parse(readFileSync(join(cwd, '.mlds', 'sweeps', sweep, 'plan.json'), 'utf8')) as {
      trials: { id: string; stage: string }[]
    }
    const { id } = trials.find(({ stage }) => stage === 'interpolate')!
    expect(journal).toMatch(new RegExp(`"type":"started","trial":"${id}"`))
  })
})
