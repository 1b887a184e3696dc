import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { trialsWithLogs } from '../helpers/logs.js'

/** Two nets on synthetic digits and the line between them. */
const line = (...settings: string[]): string[] => [
  'sweep',
  'interpolate',
  '--profile=smoke',
  '--json',
  '--workers=2',
  ...['dataset=glyphs-2000', 'trainRows=200', 'testRows=100', ...settings].flatMap((s) => ['--set', s]),
  ...(settings.some((setting) => setting.startsWith('epochs=')) ? [] : ['--set', 'epochs=2']),
]
interface Summary {
  sweep: string
  planned: number
  finished: number
  unique: number
  failed: number
  diverged: number
  skipped: number
}
const summaryOf = ({ stdout }: { stdout: string }): Summary => JSON.parse(stdout) as Summary
const logsOf = (cwd: string, sweep: string): string[] => trialsWithLogs(join(cwd, '.mlds', 'sweeps', sweep, 'logs'))
const netRows = async (cwd: string, sweep: string): Promise<string[]> => {
  const { stdout } = await mlds(['export', sweep, '--format', 'jsonl'], { cwd })
  return stdout.split('\n').filter((row) => row.includes('"stage":"main"') || /"batch":/.test(row))
}

describe('a sweep that shares trials with an earlier one', () => {
  it('walks another grid between the stored nets without training anything', async () => {
    const cwd = temporaryFolder()
    const first = summaryOf(await mlds(line('alphaStep=0.5'), { cwd }))
    expect(first).toMatchObject({ planned: 3, finished: 3, unique: 3 })
    expect(logsOf(cwd, first.sweep)).toHaveLength(3)

    const result = await mlds(line('alphaStep=0.25'), { cwd })
    const second = summaryOf(result)
    expect(result.code).toBe(0)
    expect(second).toMatchObject({ planned: 3, finished: 3, unique: 3 })
    expect(second.sweep).not.toBe(first.sweep)
    // A log is opened by each attempt that runs: only the line's.
    expect(logsOf(cwd, second.sweep)).toHaveLength(1)
    expect(result.stderr).toContain(`2 of 3 trials have results already, in ${first.sweep}`)
    const rows = await netRows(cwd, second.sweep)
    expect(rows.length).toBeGreaterThanOrEqual(2)
    expect(rows).toEqual(await netRows(cwd, first.sweep))
    expect((await mlds(['verify', second.sweep], { cwd })).code).toBe(0)
  })

  it('runs everything when told to, or when the stored weights are gone', async () => {
    const cwd = temporaryFolder()
    await mlds(line('alphaStep=0.5'), { cwd })
    const fresh = summaryOf(await mlds([...line('alphaStep=0.25'), '--fresh'], { cwd }))
    expect(logsOf(cwd, fresh.sweep)).toHaveLength(3)
    rmSync(join(cwd, '.mlds', 'objects'), { recursive: true })
    const again = summaryOf(await mlds(line('alphaStep=0.2'), { cwd }))
    expect(again).toMatchObject({ planned: 3, finished: 3, unique: 3 })
    expect(logsOf(cwd, again.sweep)).toHaveLength(3)
  })

  it('skips the line when one of its nets diverged, says which, and is complete', async () => {
    const cwd = temporaryFolder()
    const result = await mlds(line('optimizer=sgd', 'learningRate=1e9', 'epochs=3'), { cwd })
    expect(result.code).toBe(0)
    const summary = summaryOf(result)
    expect(summary.diverged).toBeGreaterThan(0)
    expect(summary).toMatchObject({ planned: 3, failed: 0, skipped: 1 })
    const journal = readFileSync(join(cwd, '.mlds', 'sweeps', summary.sweep, 'journal.jsonl'), 'utf8')
    expect(journal).toMatch(/its parent [0-9a-f]{16} diverged/)
  })
})
