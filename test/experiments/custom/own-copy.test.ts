import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeFiles } from '../../../src/experiments/custom/code-files.js'
import { hashCommand, parseCommand } from '../../../src/experiments/custom/command.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'

/** Prints a number of five digits, one of each file that it reads; the first trial changes all of them when it has read them. */
const train = (touch: string) => `
import json, os, pathlib, sys
import model
from pkg import outer
here = pathlib.Path(__file__).parent
config = json.loads(pathlib.Path(sys.argv[1].split('=')[1]).read_text())
tracked, ignored = ((here / name).read_text() for name in ('data.txt', 'ignored.txt'))
print(json.dumps({'loss': int(f"{model.value}{outer()}{config['c']}{tracked.strip()}{ignored.strip()}"), 'here': pathlib.Path('mark').exists()}))
print('cwd', os.getcwd())
${touch}`

const before: Record<string, string> = {
  'model.py': 'value = 1\n',
  'pkg/__init__.py': 'from .inner import outer\n',
  'pkg/inner.py': 'from . import leaf\ndef outer():\n    return leaf.value\n',
  'pkg/leaf.py': 'value = 2\n',
  'conf.json': '{"c": 3}',
  'data.txt': '4\n',
  'ignored.txt': '5\n',
  '.gitignore': 'ignored.txt\nchanged\n',
  mark: '',
}
const after: Record<string, string> = {
  'model.py': 'value = 9\n',
  'pkg/leaf.py': 'value = 9\n',
  'conf.json': '{"c": 9}',
  'data.txt': '9\n',
}
const sweep = `experiment: { command: 'python3 train.py --config=conf.json {x}' }
name: mine
axes: { x: [1, 2, 3] }
`

function write(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
}

function project(touch: string, withGit: boolean, file = sweep): string {
  const folder = temporaryFolder()
  write(folder, { ...before, 'train.py': train(touch), 'mine.yaml': file })
  if (withGit) execFileSync('git', ['init', '-q'], { cwd: folder })
  return folder
}

const changeAll = `
for name, text in ${JSON.stringify(Object.entries({ ...after, 'train.py': 'raise SystemExit(1)\n' }))}:
    pathlib.Path(name).write_text(text)
`

async function losses(folder: string): Promise<string[]> {
  const { stdout } = await mlds(['export', 'mine', '--format', 'csv'], { cwd: folder })
  const [head, ...rows] = stdout.trim().split(/\r?\n/)
  return rows.map((row) => row.split(',')[head!.split(',').indexOf('loss')]!)
}

describe('a sweep of a program', () => {
  it.each([true, false])(
    'goes on with its own copy when every file of the program changes while it runs (in a git repository: %s)',
    async (withGit) => {
      const folder = project(changeAll, withGit)
      const { code, stdout, stderr } = await mlds(['sweep', 'mine.yaml', '--workers', '1'], { cwd: folder })
      expect(stderr + stdout).toMatch(/3 of 3 trials finished/)
      expect(code).toBe(0)
      expect(readFileSync(join(folder, 'model.py'), 'utf8')).toBe(after['model.py'])
      expect(await losses(folder)).toEqual(['12345', '12345', '12345'])
      const { stdout: rows } = await mlds(['export', 'mine', '--format', 'csv'], { cwd: folder })
      const [trial] = rows.split(/\r?\n/)[1]!.split(',')
      expect((await mlds(['logs', trial!], { cwd: folder })).stdout).toContain(`cwd ${folder}`)
    },
  )

  it('resumes with its copy and says what has changed, also where it grows; other words are another program', async () => {
    const folder = project("if sys.argv[2] != '1' and not pathlib.Path('go').exists(): sys.exit(1)", true)
    expect((await mlds(['sweep', 'mine.yaml', '--workers', '1'], { cwd: folder })).code).not.toBe(0)
    write(folder, { ...after, 'train.py': 'raise SystemExit(1)\n', go: '', 'new.py': '' })
    const changes =
      'conf.json has changed, data.txt has changed, model.py has changed, pkg/leaf.py has changed, train.py has changed'
    const resumed = await mlds(['resume', 'mine', '--workers', '1'], { cwd: folder })
    expect(resumed.stdout + resumed.stderr).toContain(
      `The program has changed since: ${changes}, go is new, new.py is new.`,
    )
    expect(await losses(folder)).toEqual(['12345', '12345', '12345'])

    const grown = sweep.replace('[1, 2, 3]', '[1, 2, 3, 4]')
    write(folder, { 'mine.yaml': grown })
    const refused = await mlds(['sweep', 'mine.yaml', '--extend'], { cwd: folder })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(
      `sweep mine was begun with another program: ${changes.replace('model.py', 'mine.yaml has changed, model.py')}`,
    )

    // What makes no id may differ.
    write(folder, {
      'train.py': readFileSync(join(folder, '.mlds/sweeps/mine/code/files/train.py'), 'utf8'),
      'conf.json': before['conf.json']!,
    })
    const extended = await mlds(['sweep', 'mine.yaml', '--extend'], { cwd: folder })
    expect(extended.stdout + extended.stderr).toMatch(
      /The program has changed since: data.txt has changed, .*mine.yaml has changed, model.py has changed/,
    )
    expect(await losses(folder)).toEqual(['12345', '12345', '12345', '12345'])
  })

  it('says what has changed where nothing is left to run, and that --fresh runs it', async () => {
    const folder = project('', false)
    expect((await mlds(['sweep', 'mine.yaml'], { cwd: folder })).code).toBe(0)
    // What is new may be what the program left.
    write(folder, { 'results.log': '' })
    const same = await mlds(['sweep', 'mine.yaml'], { cwd: folder })
    expect(same.stdout + same.stderr).toContain('Nothing is left to run.')
    expect(same.stdout + same.stderr).not.toContain('has changed since')
    // No word of the command names it, so that the sweep is the same.
    write(folder, { 'model.py': after['model.py']! })
    for (const again of [
      ['sweep', 'mine.yaml'],
      ['resume', 'mine'],
    ]) {
      const told = await mlds(again, { cwd: folder })
      expect(told.stdout + told.stderr).toMatch(
        /The program has changed since: model\.py has changed\. The results are those of .* --fresh runs every trial again\./,
      )
    }
    const before = await losses(folder)
    expect((await mlds(['sweep', 'mine.yaml', '--fresh'], { cwd: folder })).code).toBe(0)
    expect(await losses(folder)).not.toEqual(before)
  })

  it('takes the program as it is now while it has no result', async () => {
    const folder = project('', false)
    write(folder, { 'model.py': 'raise SystemExit("broken")\n' })
    expect((await mlds(['sweep', 'mine.yaml'], { cwd: folder })).code).not.toBe(0)
    write(folder, { 'model.py': 'value = 1\n' })
    expect((await mlds(['resume', 'mine'], { cwd: folder })).code).toBe(0)
    expect(await losses(folder)).toEqual(['12345', '12345', '12345'])
  })

  it('runs modules of its copy by python -m', async () => {
    const file = sweep.replace('python3 train.py --config=conf.json', 'python3 -m app.main --config=conf.json')
    const folder = project('', false, file)
    write(folder, {
      'app/__init__.py': '',
      'app/main.py': `from . import part\nimport pathlib\nprint('loss=' + str(part.value))\npathlib.Path('app/part.py').write_text('value = 9')\n`,
      'app/part.py': 'value = 7',
    })
    expect((await mlds(['sweep', 'mine.yaml', '--workers', '1'], { cwd: folder })).code).toBe(0)
    expect(await losses(folder)).toEqual(['7', '7', '7'])
  })
})

describe("a program's files", () => {
  it.each([true, false])(
    'are neither what sweeps left nor what cannot be read (in a git repository: %s)',
    (withGit) => {
      const folder = project('', withGit)
      write(folder, {
        'results/sweeps/mine/plan.json': '{}',
        'results/objects/ab': 'x',
        '.mlds/sweeps/a/plan.json': '{}',
        'lib/a.py': '',
      })
      const command = (keys = {}) =>
        codeFiles(parseCommand({ command: 'python3 train.py {x}', ...keys }, folder))!.files
      const listed = [...Object.keys(before), 'lib/a.py', 'mine.yaml', 'train.py'].filter(
        (file) => !withGit || file !== 'ignored.txt',
      )
      expect(command()).toEqual(listed.sort())
      expect(command({ code: ['lib', 'results'] })).toEqual(['lib/a.py', 'train.py'])
    },
  )
})

describe("a program's identity", () => {
  it('is that of earlier versions where no option names a file, and changes with such a file and with files under code', () => {
    const folder = temporaryFolder()
    write(folder, { 'train.py': 'x', 'conf.json': 'a', 'lib/a.py': 'a' })
    const hash = (command: string, keys = {}) => hashCommand(parseCommand({ command, ...keys }, folder))
    const [bare, option, coded] = [
      () => hash('python3 train.py {x}'),
      () => hash('python3 train.py --config=conf.json'),
      () => hash('python3 train.py {x}', { code: 'lib' }),
    ]
    const was = [bare(), option(), coded()]
    const words = JSON.stringify([['python3', 'train.py', '{x}'], {}])
    expect(was[0]).toBe(createHash('sha256').update(words).update('x').digest('hex'))
    write(folder, { 'conf.json': 'b' })
    expect([bare(), option(), coded()].map((now, i) => now === was[i])).toEqual([true, false, true])
    write(folder, { 'conf.json': 'a', 'lib/a.py': 'b' })
    expect([bare(), option(), coded()].map((now, i) => now === was[i])).toEqual([true, true, false])
    write(folder, { 'lib/a.py': 'a', 'lib/b.py': '' })
    expect(coded()).not.toBe(was[2])
    expect(() => parseCommand({ command: 'a', code: ['../x'] }, folder)).toThrow(
      /code: "..\/x" is no file or folder in /,
    )
  })
})
