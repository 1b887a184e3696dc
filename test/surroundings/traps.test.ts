import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/cli.js'
import { mayRun, runAs } from '../helpers/surroundings.js'

const spec = `experiment: {command: [echo, '{"loss": {x}}']}
name: first
axes: {x: [1, 2]}
objective: {metric: loss, direction: minimize}
`
const commands = [['verify'], ['list'], ['status'], ['best'], ['export'], ['watch'], ['logs', 'TRIAL'], ['report']]

function finishedSweep(): { cwd: string; trial: string; files: string[] } {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'first.yaml'), spec)
  expect(runAs(undefined, cwd, ['sweep', 'first.yaml']).code).toBe(0)
  writeFileSync(join(cwd, '.mlds/format'), '1')
  const { stdout } = runAs(undefined, cwd, ['export', 'first', '--format', 'jsonl'])
  const { trial } = JSON.parse(stdout.split('\n')[0]!) as { trial: string }
  const folder = join(cwd, '.mlds')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.includes('figures') && statSync(join(folder, name)).isFile())
    .map((name) => relative(folder, join(folder, name)))
  return { cwd, trial, files }
}

describe.skipIf(!mayRun)('a store with a trap in it', () => {
  it.each([
    ['a pipe', 'mkfifo'],
    ['an endless device', 'ln -s /dev/zero'],
    ['a folder', 'mkdir'],
  ])(
    'makes no command that reads hang or print a stack trace: %s in the place of any file',
    { timeout: 300_000 },
    (_, make) => {
      const { cwd, trial, files } = finishedSweep()
      expect(files).toEqual(expect.arrayContaining(['format', 'sweeps/first/journal.jsonl', 'sweeps/first/plan.json']))
      const told: unknown[] = []
      for (const [i, file] of files.entries()) {
        cpSync(join(cwd, '.mlds'), join(cwd, 'trapped'), { recursive: true })
        rmSync(join(cwd, 'trapped', file))
        expect(spawnSync('sh', ['-c', `${make} "$1"`, 'sh', join(cwd, 'trapped', file)]).status).toBe(0)
        // Every file meets one of the commands.
        const met = [commands[i % commands.length]!]
        for (const words of met) {
          const args = words.map((word) => word.replace('TRIAL', trial))
          const { code, signal, stderr } = runAs(undefined, cwd, [...args, '--store', join(cwd, 'trapped')])
          if (signal !== null || ![0, 1, 2, 3].includes(code!) || /^\s+at |E[A-Z]{4,}:|bug/m.test(stderr))
            told.push({ file, command: words[0], code, signal, stderr })
        }
        rmSync(join(cwd, 'trapped'), { recursive: true })
      }
      expect(told).toEqual([])
    },
  )
})

describe('a full standard output', () => {
  it.skipIf(!mayRun)(
    'is told by doctor as by any other command, whatever the libraries that it tries have set up',
    () => {
      const { code, stderr } = runAs(undefined, temporaryFolder(), ['doctor'], { redirect: '> /dev/full' })
      expect({ code, stderr }).toEqual({ code: 3, stderr: 'what is printed is lost: the disk is full\n' })
    },
  )
})
