import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const program = `const [x] = process.argv.slice(2).map(Number)
for (let step = 1; step <= 9; step++) console.log(JSON.stringify({ step, loss: x + 1 / step }))
`
const sweep = `experiment:
  command: ${process.execPath} program.mjs {x}
name: ruled
axes: { x: [5, 3, 4, 1, 2, 0, 7, 6, 8] }
objective: { metric: loss, direction: minimize }
scheduler: { asha: { maxSteps: 9 } }
`

it('mlds verify decides again what a rule decided, and fails where the journal tells otherwise', async () => {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'program.mjs'), program)
  writeFileSync(join(cwd, 'sweep.yaml'), sweep)
  const swept = await mlds(['sweep', 'sweep.yaml', '--workers', '2'], { cwd })
  expect(swept.code, swept.stderr).toBe(0)
  const sound = await mlds(['verify', 'ruled'], { cwd })
  expect(sound.code, sound.stdout).toBe(0)
  expect(sound.stdout).toMatch(/^asha: \d+ decisions?, each made anew as it was$/m)

  const journal = join(cwd, '.mlds', 'sweeps', 'ruled', 'journal.jsonl')
  const lines = readFileSync(journal, 'utf8').split('\n')
  const decided = lines.findIndex((line) => line.includes('"type":"stopping"'))
  expect(decided).toBeGreaterThan(0)
  writeFileSync(journal, lines.toSpliced(decided, 1).join('\n'))
  const forged = await mlds(['verify', 'ruled'], { cwd })
  expect(forged.code).toBe(1)
  expect(forged.stdout).toMatch(/^trial [0-9a-f]{16} went on after report \d+, step \d+, where asha stops it$/m)
})
