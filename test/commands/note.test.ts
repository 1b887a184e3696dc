import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readNote, writeNote } from '../../src/sweeps/sweep-note.js'
import { openStore } from '../../src/system/store.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { writeSweep } from '../helpers/written-sweep.js'

it('keeps a note and tags with a sweep, and shows them in list and report', async () => {
  const cwd = temporaryFolder()
  const { folder } = await writeSweep(openStore(join(cwd, '.mlds')), 'noted', [1], () => [])
  expect(await mlds(['note', 'noted'], { cwd })).toMatchObject({ code: 0, stdout: 'noted has no note\n' })
  expect((await mlds(['note', 'noted', 'stopped <b>by hand</b>\n\nsecond'], { cwd })).code).toBe(0)
  const tagged = await mlds(['tag', 'noted', 'paper:fig-2', 'baseline', 'baseline'], { cwd })
  expect(tagged.stdout).toBe('baseline paper:fig-2\n')
  expect((await mlds(['tag', 'noted', 'paper:fig-2', '--remove'], { cwd })).stdout).toBe('baseline\n')
  expect((await mlds(['list'], { cwd })).stdout).toMatch(
    /tags, note.*\n(.*\n)?noted .*#baseline {2}stopped <b>by hand<\/b>/,
  )
  expect((await mlds(['report', 'noted'], { cwd })).code).toBe(0)
  const page = readFileSync(join(folder, 'report.html'), 'utf8')
  expect(page).toContain('stopped &lt;b&gt;by hand&lt;/b&gt;')
  expect(page).toContain('<span class="tag">baseline</span>')
  const wrong = await mlds(['tag', 'noted', '../x'], { cwd })
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('not a tag: "../x"')
  expect(readNote(folder)).toEqual({ note: 'stopped <b>by hand</b>\n\nsecond', tags: ['baseline'] })
})

it('shows the tags that a sweep file gives, which are not taken away, beside those that mlds tag gives', async () => {
  const cwd = temporaryFolder()
  writeFileSync(
    join(cwd, 'mine.yaml'),
    'name: mine\nexperiment: { command: "echo loss=1" }\ntags: [paper]\naxes: { lr: [1, 2] }\n',
  )
  expect((await mlds(['sweep', 'mine.yaml'], { cwd })).code).toBe(0)
  expect((await mlds(['tag', 'mine', 'best'], { cwd })).stdout).toBe('best paper\n')
  expect((await mlds(['list'], { cwd })).stdout).toContain('#best #paper')
  expect(JSON.parse((await mlds(['list', '--where', 'tag=paper', '--json'], { cwd })).stdout)).toHaveLength(1)
  const refused = await mlds(['tag', 'mine', 'paper', '--remove'], { cwd })
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("the sweep's file gives it that")])
  expect((await mlds(['report', 'mine'], { cwd })).code).toBe(0)
  expect(readFileSync(join(cwd, '.mlds/sweeps/mine/report.html'), 'utf8')).toContain('<span class="tag">paper</span>')
})

it('takes nothing of a damaged file, refuses what a newer mlds wrote, and keeps what is there when another is wrong', async () => {
  const folder = join(temporaryFolder(), 's')
  mkdirSync(folder)
  const file = join(folder, 'note.json')
  for (const text of ['', 'null', '[1]', '{"tags": {"a": 1}, "note": 5}', '{"tags": ["<script>", "\\u001b[2J", 3]}']) {
    writeFileSync(file, text)
    expect(readNote(folder), text).toEqual({ note: '', tags: [] })
  }
  writeFileSync(file, '{"format": 2, "note": "later"}')
  expect(() => readNote(folder)).toThrow(/newer/)
  writeFileSync(file, '{"format": 1, "note": "kept", "tags": []}')
  await expect(writeNote(folder, { note: 'x'.repeat(20_001), tags: [] })).rejects.toThrow('at most 20000')
  expect(readNote(folder).note).toBe('kept')
})
