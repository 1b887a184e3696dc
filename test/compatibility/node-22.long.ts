import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('what c44b4e1 wrote is gone on with under Node 22 as under Node 20', () => {
  const args = ['--yes', '--package=node@22', '--', 'vitest', 'run', 'test/compatibility']
  const told = execFileSync('npx', args, {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(told).toMatch(/Tests {2}\d+ passed/)
  expect(told).not.toMatch(/\d+ failed/)
})
