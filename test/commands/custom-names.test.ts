import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

describe('a sweep of a program', () => {
  it('is called by its file wherever a person reads, and no profile is said of it', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'train.sh'), 'echo "{\\"step\\": 1, \\"loss\\": $1}"; echo "{\\"loss\\": $1}"\n')
    writeFileSync(join(cwd, 'q.yaml'), `experiment: {command: 'sh ${cwd}/train.sh {lr}'}\naxes: {lr: [1, 2]}\n`)
    const run = async (...args: string[]): Promise<string> => (await mlds(args, { cwd })).stdout
    await run('sweep', 'q.yaml', '--name', 'q')
    expect(await run('plan', 'q.yaml')).not.toContain('reduced')
    expect(await run('list')).toMatch(/^q +train\.sh +2 +2/m)
    await run('report')
    const page = readFileSync(join(cwd, '.mlds', 'sweeps', 'q', 'report.html'), 'utf8')
    expect(page).toContain('<h1>train.sh</h1>')
    expect([...page.matchAll(/<h3>(.*?)<\/h3>/g)].map((match) => match[1])).toEqual(['Course', 'Result against lr'])
    expect(page).not.toContain('profile reduced')
  })
})

describe('help about what is no command', () => {
  it.each([
    [['help', 'swep'], 'did you mean sweep?'],
    [['swep', '--help'], 'did you mean sweep?'],
    [['help', 'xyzzy-nothing'], 'mlds --help lists them'],
  ])('names the nearest, as the command itself does: %j', async (args, hint) => {
    const { code, stderr } = await mlds(args, { cwd: temporaryFolder() })
    expect(code).toBe(2)
    expect(stderr).toContain('unknown command')
    expect(stderr).toContain(hint)
  })
})
