import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const spec = (more = ''): string =>
  `experiment: {command: [echo, '{"loss": {x}}']}\nname: first\naxes: {x: [1, 2]}\nobjective: {metric: loss, direction: minimize}\n${more}`

/** Two trials of a command, in a folder of their own. */
function writeLab(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'first.yaml'), spec())
  return cwd
}

const refusals: readonly (readonly [code: number, args: readonly string[]])[] = [
  [2, ['params', '-p', 'smoke', '--scheduler', 'asha:reduction=0']],
  [2, ['first.yaml', '--scheduler', 'asha']],
  [3, ['first.yaml', '--nats', 'nats://127.0.0.1:9']],
  [3, ['params', '-p', 'smoke', '--nats', 'nats://127.0.0.1:9']],
  [2, ['first.yaml', '--track', 'ftp://nowhere']],
  [2, ['params', '-p', 'smoke', '--set', 'data=mnist']],
  [2, ['first.yaml', '--workers', '0']],
  [2, ['nothing.yaml']],
]

describe('a sweep that is refused', () => {
  it.each(refusals)('with exit code %i leaves nothing behind: %j', async (code, args) => {
    const cwd = writeLab()
    const told = await mlds(['sweep', ...args], { cwd })
    expect({ ...told, stdout: '' }).toEqual({ code, signal: null, stdout: '', stderr: told.stderr })
    expect(told.stderr).toMatch(/^Error: /m)
    expect(readdirSync(cwd)).toEqual(['first.yaml'])
  })

  it('leaves a sweep that it was to extend as it was', async () => {
    const cwd = writeLab()
    expect((await mlds(['sweep', 'first.yaml'], { cwd })).code).toBe(0)
    const folder = join(cwd, '.mlds', 'sweeps', 'first')
    const read = (): string[] => ['plan.json', 'journal.jsonl'].map((file) => readFileSync(join(folder, file), 'utf8'))
    const [plan, journal] = read()
    const args = ['sweep', 'first.yaml', '--set', 'x=1,2,3', '--extend', '--nats', 'nats://127.0.0.1:9']
    expect((await mlds(args, { cwd })).code).toBe(3)
    expect(read()[0]).toBe(plan)
    expect(read()[1]).toContain(journal)
    expect((await mlds(['verify', 'first'], { cwd })).code).toBe(0)
  })

  it('keeps what has run', async () => {
    const cwd = writeLab()
    writeFileSync(join(cwd, 'first.yaml'), spec().replace('[echo, ', '[sh, -c, "sleep 0; exit 1", '))
    expect((await mlds(['sweep', 'first.yaml'], { cwd })).code).toBe(1)
    expect(existsSync(join(cwd, '.mlds', 'sweeps', 'first', 'plan.json'))).toBe(true)
  })

  it('that needs a temporary folder names the one that can’t be written', async () => {
    const cwd = writeLab()
    const { code, stderr } = await mlds(['sweep', 'first.yaml'], { cwd, env: { TMPDIR: join(cwd, 'missing') } })
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `Error: the folder can't be written: ${join(cwd, 'missing')}: no such file or folder\n  programs are given a folder there for their files: name another with TMPDIR\n`,
    })
  })
})

describe('resume --nats', () => {
  it.each([
    [
      'an altered plan',
      (plan: string) => plan.replace(/"id":"./, (start) => start.slice(0, -1) + (start.endsWith('0') ? '1' : '0')),
      /was altered/,
    ],
    ['a plan of a newer mlds', (plan: string) => plan.replace(/"format":\d+/, '"format":99'), /a newer mlds/],
    ['a plan that is no JSON', () => 'plan', /can't be read/],
  ])('takes %s for what it is, not for a sweep that is elsewhere', async (_, damage, said) => {
    const cwd = writeLab()
    expect((await mlds(['sweep', 'first.yaml'], { cwd })).code).toBe(0)
    const file = join(cwd, '.mlds', 'sweeps', 'first', 'plan.json')
    const damaged = damage(readFileSync(file, 'utf8'))
    writeFileSync(file, damaged)
    for (const command of ['resume', 'status']) {
      const { code, stderr } = await mlds([command, 'first', '--nats', 'nats://127.0.0.1:9'], { cwd })
      expect(code).toBe(3)
      expect(stderr).toMatch(said)
    }
    expect(readFileSync(file, 'utf8')).toBe(damaged)
  })

  it('asks which one is meant where several sweeps begin alike', async () => {
    const cwd = temporaryFolder()
    for (const name of ['first', 'firm']) {
      mkdirSync(join(cwd, '.mlds', 'sweeps', name), { recursive: true })
    }
    const { code, stderr } = await mlds(['resume', 'fir', '--nats', 'nats://127.0.0.1:9'], { cwd })
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'Error: several sweeps begin with fir: firm, first\n' })
  })
})
