import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it.each([22, 24])('samplers suggest under Node %i what they suggest under Node 20, to the bit', (version) => {
  const root = join(import.meta.dirname, '../..')
  const suggested = (command: string, args: readonly string[]): string =>
    execFileSync(command, [...args, '--import', 'tsx', join(import.meta.dirname, 'suggested.ts')], {
      cwd: root,
      encoding: 'utf8',
    })
  const here = suggested(process.execPath, [])
  expect(JSON.parse(here)).toHaveLength(24)
  expect(suggested('npx', ['--yes', `--package=node@${version}`, '--', 'node'])).toBe(here)
})
