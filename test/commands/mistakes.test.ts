import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'

describe('a mistake at the prompt', () => {
  it.each([
    [['swep', 'params'], 'Error: unknown command: swep\n  did you mean sweep?\n'],
    [['nats', 'upp'], 'Error: unknown command: nats upp\n  did you mean nats up?\n'],
    [['list', 'all', 'of'], 'Error: mlds list takes no argument: all of\n  see mlds list --help\n'],
    [['nats', 'up', 'x'], 'Error: mlds nats up takes no argument: x\n  see mlds nats up --help\n'],
    [['recover', 'lost'], 'Error: Missing required flag --from\n  see --help\n'],
    [['import', 'wandb', 'none.yaml'], 'Error: none.yaml: no such file\n'],
    [
      ['import', 'hydra', '-m lr=1,2 db=glob(*)'],
      'Error: this has no counterpart in a sweep file: db=glob(*)\n  add --partial to translate the rest: it is another sweep without these\n',
    ],
    [['data', 'add', 'none.gz'], 'Error: none.gz: no such file\n'],
    [['frobnicate'], 'Error: unknown command: frobnicate\n  mlds --help lists them\n'],
    [
      ['plan', 'params', '--workers', '0'],
      'Error: --workers: 0 is not a number of workers (an integer from 1 to 256)\n',
    ],
    [
      ['plan', '--set', 'width=2'],
      'Error: Missing 1 required arg:\ntarget  an experiment, your own (./mine.ts), a sweep file (.yaml), or all\n  see --help\n',
    ],
  ])('%j is answered by what to do, and exit code 2', async (args, said) => {
    const { code, stdout, stderr } = await mlds(args, {
      cwd: temporaryFolder(),
      // oclif has advice for developers where it takes them to be testing.
      env: { NODE_ENV: 'production' },
    })
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: said })
  })

  it.each([
    [['sweep', 'params', '--workrs', '3'], 'Error: Nonexistent flag: --workrs\n  did you mean --workers?\n'],
    [
      ['plan', 'params', '--set', 'width=8', '--set', 'width=16'],
      'Error: --set width=8 --set width=16: both set width\n  all its values in one: --set width=8,16\n',
    ],
    [
      ['plan', 'params', '--set', 'seed=1', '--set', 'seeds=2'],
      'Error: --set seed=1 --set seeds=2: both set seed\n  all its values in one: --set seed=1,2\n',
    ],
    [
      ['plan', 'params', '--set', 'width=8,width=16'],
      'Error: --set width=8,width=16: it sets width twice\n  all its values in one: --set width=8,16\n',
    ],
    [
      ['plan', 'params', '--search', 'tpe', '--range', 'width=2..8', '--range', 'width=4..16'],
      'Error: --range width=2..8 --range width=4..16: both say which values width has (leave one out)\n',
    ],
    [
      ['plan', 'params', '--search', 'tpe', '--set', 'width=8', '--range', 'width=2..8'],
      'Error: --set width=8 --range width=2..8: both say which values width has (leave one out)\n',
    ],
    ...['1..8:logg', '1..', '0x10..0x20', '1..8:int'].map((range): [string[], string] => [
      ['plan', 'program.yaml', '--search', 'tpe', '--count', '2', '--range', `x=${range}`],
      `Error: --range x=${range}: x: ${range} is not a range (low..high or low..high:log, of numbers; in two kinds of quotes, '"${range}"', it is a text)\n`,
    ]),
    [
      ['plan', 'program.yaml', '--search', 'tpe', '--count', '2', '--range', 'x=0..9007199254740992'],
      'Error: --range x=0..9007199254740992: search: x: [0,9007199254740992] is not a range (int wants [low, high], integers, low below high, at most 9007199254740991 from 0)\n',
    ],
    [
      ['plan', 'program.yaml', '--search', 'tpe', '--count', '2', '--range', 'x=-1e308..1.0e308'],
      'Error: --range x=-1e308..1.0e308: search: x: [-1e+308,1e+308] is not a range (uniform wants [low, high], low below high, high - low a finite number)\n',
    ],
    [
      ['sweep', 'params', '--name', 'latest'],
      'Error: name: latest: this is what the newest sweep is called everywhere (choose another name)\n',
    ],
    [
      ['sweep', 'mine'],
      'Error: mine: no experiment is called that, but there is a file mine.ts\n  did you mean ./mine.ts?\n',
    ],
    [
      ['sweep', 'folder'],
      "Error: folder: this is a folder, and no experiment\n  a sweep takes an experiment (mlds experiments), an experiment's module (./mine.ts) or a sweep file (my.yaml)\n",
    ],
    [
      ['sweep', './none.py'],
      "Error: ./none.py: no such file\n  a sweep takes an experiment (mlds experiments), an experiment's module (./mine.ts) or a sweep file (my.yaml)\n",
    ],
    [['report', 'a', '--sweep', 'b'], 'Error: --sweep: b and a name two sweeps (leave one out)\n'],
    [
      ['figure', '--from', 'http://127.0.0.1:1'],
      'Error: --from: no sweep was named\n  name it in full with --sweep ID; mlds audit lists them\n',
    ],
  ])('%j, in a folder with files of its own, is answered by what was meant', async (args, said) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'mine.ts'), '')
    mkdirSync(join(cwd, 'folder'))
    writeFileSync(join(cwd, 'program.yaml'), 'experiment:\n  command: echo loss=1 x={x}\n')
    // oclif has advice for developers where it takes them to be testing.
    const { code, stdout, stderr } = await mlds(args, { cwd, env: { NODE_ENV: 'production' } })
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: said })
  })

  it('is answered by a sweep file that runs as it is told, where a program was named', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'train.sh'), 'echo "{\\"loss\\": 1}"')
    const { code, stderr } = await mlds(['sweep', 'train.sh'], { cwd })
    expect(code).toBe(2)
    const [said, , experiment, axes, run] = stderr.split('\n')
    expect(said).toBe('Error: train.sh: a program is run by a sweep file that says how to call it')
    writeFileSync(join(cwd, 'my.yaml'), `${experiment!.trim()}\n${axes!.trim()}\n`)
    const swept = await mlds(/mlds (.*)/.exec(run!)![1]!.split(' '), { cwd })
    expect(swept.stdout).toContain('2 of 2 trials finished')
  })

  it.each([
    [['-h'], ['--help']],
    [['help'], ['--help']],
    [
      ['help', 'nats', 'up'],
      ['nats', 'up', '--help'],
    ],
    [
      ['sweep', '-h'],
      ['sweep', '--help'],
    ],
    [['-v'], ['--version']],
    [['version'], ['--version']],
  ])('%j asks what %j does', async (short, long) => {
    const cwd = temporaryFolder()
    const [asked, wanted] = await Promise.all([mlds(short, { cwd }), mlds(long, { cwd })])
    expect(wanted.code).toBe(0)
    expect(asked).toEqual(wanted)
  })

  it('takes an argument after the values of an axis', async () => {
    const { code, stdout } = await mlds(['plan', '--set', 'width=2,4', '--set', 'seed=0', 'params'], {
      cwd: temporaryFolder(),
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/2 trials of params/)
  })

  it('is refused by plan in the words in which sweep refuses it', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), `experiment: { command: ['echo', '{"loss":{x}}'] }\naxes: { x: [1, 2] }\n`)
    const mistakes = [
      ['--name', 'of mine'],
      ['--name=-x'],
      ['--name', '../mine'],
      ['--name', 'größe'],
      ['--name', 'latest'],
      ['--set', 'y=1'],
      ['--scheduler', 'asha:reduction=0'],
      ['--profile', 'smoke'],
    ].flatMap((mistake) => ['plan', 'sweep'].map((command) => [command, 'my.yaml', ...mistake]))
    const told = await inOneProcess(mistakes, cwd)
    for (let i = 0; i < told.length; i += 2) {
      const [plan, sweep] = [told[i]!, told[i + 1]!]
      expect(sweep, sweep.args.join(' ')).toMatchObject({ code: 2, stdout: '' })
      expect({ ...plan, args: sweep.args }).toEqual(sweep)
    }
  })

  it('is told by plan where sweep would refuse other trials, or another rule, for a sweep that is there', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'my.yaml'),
      `experiment: { command: ['echo', '{"loss":{x}}'] }\naxes: { x: [1, 2] }\nname: mine\n`,
    )
    const others = [
      ['--set', 'x=1,3'],
      ['--scheduler', 'median'],
    ]
    const [, same, ...told] = await inOneProcess(
      [
        ['sweep', 'my.yaml'],
        ['plan', 'my.yaml'],
        ...others.flatMap((other) => ['plan', 'sweep'].map((command) => [command, 'my.yaml', ...other])),
      ],
      cwd,
    )
    expect(same).toMatchObject({ code: 0, stderr: '' })
    for (let i = 0; i < told.length; i += 2) {
      const [plan, sweep] = [told[i]!, told[i + 1]!]
      expect(sweep).toMatchObject({ code: 2, stdout: '' })
      expect(plan).toMatchObject({
        code: 0,
        stderr: sweep.stderr.replace('Error: ', 'A sweep of this plan is refused: '),
      })
    }
  })

  it('names the flag that takes an integer, and says which', async () => {
    const file = join(import.meta.dirname, '../../src')
    const integers: [string[], string, string][] = [
      [['sweep', 'params'], 'retries', ' from 0 to 100'],
      [['sweep', 'params'], 'max-failures', ' of at least 1'],
      [['resume'], 'failing-alike', ' of at least 0'],
      [['worker', 'start'], 'slots', ' from 1 to 256'],
      [['worker', 'start'], 'grace', ' from 0 to 86400'],
      [['nats', 'up'], 'port', ' from 0 to 65535'],
      [['nats', 'init'], 'port', ' from 1 to 65535'],
      [['ui'], 'port', ' from 0 to 65535'],
      [['audit'], 'idle-minutes', ' of at least 0'],
      [['best'], 'top', ' of at least 1'],
      [['logs', 'x'], 'attempt', ' of at least 1'],
    ]
    const wrong = ['many', '-1', '1.5', '']
    const typed = integers.flatMap(([args, flag]) => wrong.map((value) => [...args, `--${flag}=${value}`]))
    const told = await inOneProcess(typed, temporaryFolder())
    expect(told.map(({ code, stderr }) => ({ code, said: /^Error: .*$/m.exec(stderr)?.[0] }))).toEqual(
      integers.flatMap(([, flag, right]) =>
        wrong.map((value) => ({ code: 2, said: `Error: --${flag}: ${value} is not an integer${right}` })),
      ),
    )
    const sources = readdirSync(file, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    expect(sources.filter((name) => readFileSync(join(file, name), 'utf8').includes('Flags.integer('))).toEqual([])
  })
})
