import { appendFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSweep } from '../../src/index.js'
import type { SweepSummary } from '../../src/app/summary.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const walk = `import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  name: 'walk', space: { x: integer({ default: 1 }) }, run: ({ x }) => ({ loss: x }),
  figures: [{
    name: 'numbers', caption: 'Numbers.',
    draw: () => ({ data: { values: [{ x: 1 }] }, mark: 'point', encoding: { x: { field: 'x', type: 'quantitative' } } }),
  }],
  claims: [{
    id: 'small', statement: 'It is small.', published: 'yes',
    check: (records) => ({ state: 'reproduced', summary: 'of ' + records.length, seeds: 1 }),
  }],
})
`

/** A complete sweep with a figure and a claim, resumed whenever it is asked for; files are known by the time of their last writing. */
async function completeSweep() {
  const cwd = temporaryFolder()
  const store = join(cwd, '.mlds')
  const folder = join(store, 'sweeps', 'once')
  writeFileSync(join(cwd, 'walk.ts'), walk)
  const args = ['sweep', './walk.ts', '--set', 'x=1..3', '--name', 'once', '--workers', '1', '--json']
  const { stdout, stderr, code } = await mlds(args, { cwd })
  expect(code, stderr).toBe(0)
  const resume = async (): Promise<SweepSummary> => (await (await openSweep('once', { store })).resume()).summary
  const written = (): bigint[] => {
    const figures = readdirSync(join(folder, 'figures')).map((name) => join(folder, 'figures', name))
    const files = [join(folder, 'verdicts.json'), ...figures].filter((file) => existsSync(file))
    return files.map((file) => statSync(file, { bigint: true }).mtimeNs)
  }
  const first = JSON.parse(stdout) as SweepSummary
  return { folder, conclusion: join(folder, 'conclusion.json'), first, written, resume }
}

describe('a resume of a complete sweep', () => {
  it('says what the run before concluded and writes nothing again, until anything has changed: then it has the very same files', async () => {
    const { folder, conclusion, first, written, resume } = await completeSweep()
    expect(first).toMatchObject({ finished: 3, verdicts: [{ claim: 'small', summary: 'of 3' }] })
    expect(first.figures).toHaveLength(5)
    const told = { figures: first.figures, verdicts: first.verdicts }
    const nothingIsWritten = async (): Promise<void> => {
      const before = written()
      expect(await resume()).toMatchObject(told)
      expect(written()).toEqual(before)
    }
    await nothingIsWritten()

    const bytes = (): Buffer[] => first.figures.map((file) => readFileSync(file))
    const drawn = bytes()
    const figure = (end: string): string => join(folder, 'figures', `numbers.${end}`)
    const edit = (file: string, from: string | RegExp, to: string): void =>
      writeFileSync(file, readFileSync(file, 'utf8').replace(from, to))
    const changes: Record<string, () => void> = {
      'a figure is gone': () => rmSync(figure('svg')),
      'a figure was altered': () => appendFileSync(figure('png'), 'x'),
      'the verdicts are gone': () => rmSync(join(folder, 'verdicts.json')),
      'the verdicts were altered': () => writeFileSync(join(folder, 'verdicts.json'), '[]\n'),
      'an older mlds noted nothing': () => rmSync(conclusion),
      'the note is torn': () => writeFileSync(conclusion, readFileSync(conclusion).subarray(0, 40)),
      'the note is of another format': () => edit(conclusion, '"format": 1', '"format": 2'),
      'the note is of another mlds': () => edit(conclusion, /"basis": "../, '"basis": "zz'),
      'the journal has grown': () => appendFileSync(join(folder, 'journal.jsonl'), '\n'),
    }
    for (const [change, make] of Object.entries(changes)) {
      make()
      const before = written()
      expect(await resume(), change).toMatchObject(told)
      const kept = written().filter((file) => before.includes(file))
      expect(kept, change).toEqual([])
      expect(bytes(), change).toEqual(drawn)
    }
    await nothingIsWritten()
  })
})
