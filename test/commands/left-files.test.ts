import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

it('files that a program left are listed by show, and its result finds the sweep', async () => {
  const cwd = temporaryFolder()
  const program = 'mkdir {folder}/in; for i in $(seq 45); do printf x > {folder}/in/f$((100 + i)); done; echo loss=0.5'
  writeFileSync(join(cwd, 'left.yaml'), JSON.stringify({ experiment: { command: ['sh', '-c', program] }, repeat: 1 }))
  expect(await mlds(['sweep', 'left.yaml'], { cwd })).toMatchObject({ code: 0 })

  const { stdout: found } = await mlds(['list', '--where', 'loss<1 and seed=0', '--json'], { cwd })
  expect(JSON.parse(found)).toMatchObject([{ sweep: 'left' }])
  expect((await mlds(['list', '--where', 'los<1'], { cwd })).stdout).toMatch(/of this name; read as a text: los$/m)

  const { stdout: rows } = await mlds(['export', '--format', 'jsonl'], { cwd })
  const { trial } = JSON.parse(rows.split('\n')[0]!) as { trial: string }
  const { stdout } = await mlds(['show', trial], { cwd })
  const listed = stdout.split('\n').filter((line) => /^in\/f\d+  +1 B\s*$/.test(line))
  expect(listed).toHaveLength(40)
  expect(stdout).toContain('and 5 other files (--json lists all)')
  const shown = JSON.parse((await mlds(['show', trial, '--json'], { cwd })).stdout) as { artifacts: object }
  expect(Object.keys(shown.artifacts)).toHaveLength(45)
})
