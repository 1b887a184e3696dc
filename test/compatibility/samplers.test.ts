import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const file = (folder: string, name: string): string => join(folder, '.mlds/sweeps/valley', name)
const planOf = (folder: string): { format: number; samplerVersion?: number } =>
  JSON.parse(readFileSync(file(folder, 'plan.json'), 'utf8')) as { format: number; samplerVersion?: number }

/** A search by gp that e68b005 ran, whose sampler had the first version of its rules. */
function unpack(): string {
  const into = temporaryFolder()
  execFileSync('tar', ['-xzf', join(import.meta.dirname, '../fixtures/e68b005/gp.tar.gz'), '-C', into])
  const folder = join(into, 'gp')
  const plan = file(folder, 'plan.json')
  writeFileSync(plan, readFileSync(plan, 'utf8').replaceAll('/srv/mlds', folder))
  return folder
}

const search = (count: number): string =>
  JSON.stringify({
    ...{ name: 'valley', experiment: './valley.mjs' },
    search: { sampler: 'gp', count, parallel: 2, axes: { x: { uniform: [0, 1] }, y: { uniform: [0, 1] } } },
  })

describe('a search by the first version of its sampler', () => {
  it('is verified by it, and goes on by it: resumed, extended, run again from its file and cut short', async () => {
    const folder = unpack()
    const expectVerified = async (settings: number): Promise<void> => {
      const { code, stdout } = await mlds(['verify', 'valley'], { cwd: folder })
      expect(stdout).toContain(`search: ${settings} settings, each suggested anew as it was`)
      expect(code).toBe(0)
    }
    await expectVerified(18)
    const events = readFileSync(file(folder, 'journal.jsonl'), 'utf8').trimEnd().split('\n')
    writeFileSync(file(folder, 'journal.jsonl'), `${events.slice(0, 40).join('\n')}\n`)
    for (const args of [
      ['resume', 'valley'],
      ['sweep', 'search.yaml'],
    ])
      expect((await mlds(args, { cwd: folder })).code).toBe(0)
    await expectVerified(18)
    writeFileSync(join(folder, 'search.yaml'), search(22))
    const extended = await mlds(['sweep', 'search.yaml', '--extend'], { cwd: folder })
    expect(extended.code, extended.stderr).toBe(0)
    await expectVerified(22)
    expect(planOf(folder)).not.toHaveProperty('samplerVersion')
  })

  it('differs from a new one, which says by which version it goes, in a plan that earlier versions refuse', async () => {
    const folder = unpack()
    const former = readFileSync(file(folder, 'journal.jsonl'), 'utf8')
    const run = await mlds(['sweep', 'search.yaml', '--name', 'anew'], { cwd: folder })
    expect(run.code, run.stderr).toBe(0)
    const anew = join(folder, '.mlds/sweeps/anew')
    expect(JSON.parse(readFileSync(join(anew, 'plan.json'), 'utf8'))).toMatchObject({ format: 8, samplerVersion: 2 })
    const last = (journal: string): unknown[] =>
      [...journal.matchAll(/"setting":17,"values":(\{.*?\})/g)].map(([, values]) => values)
    expect(last(former)).toHaveLength(1)
    expect(last(readFileSync(join(anew, 'journal.jsonl'), 'utf8'))).not.toEqual(last(former))
    expect((await mlds(['verify', 'anew'], { cwd: folder })).code).toBe(0)
  })
})
