import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { commandExperiment, hashCommand, parseCommand } from '../../../src/experiments/custom/command.js'
import { withAxes } from '../../../src/experiments/custom/command-axes.js'
import { fillCommand, fillWords, splitWords } from '../../../src/experiments/custom/command-words.js'
import type { TrialContext } from '../../../src/experiments/experiment.js'
import type { Metrics, Params, ProcessUsage } from '../../../src/core/trial.js'
import { until } from '../../helpers/cli.js'
import { isRunning } from '../../helpers/processes.js'
import { noCheckpoint } from '../../helpers/no-checkpoint.js'

const node = process.execPath

interface Told {
  readonly reports: [number, Metrics][]
  readonly lines: string[]
  readonly saved: Record<string, string>
  usage?: ProcessUsage | undefined
}

/** Runs a Node program as a trial would. */
async function run(
  source: string,
  {
    args = [],
    signal = new AbortController().signal,
    timeLimitMs,
    memoryGb,
    keys = {},
    before,
    onReport = () => {},
  }: {
    args?: string[]
    signal?: AbortSignal
    timeLimitMs?: number
    memoryGb?: number
    /** More of the command, as a sweep file says it. */
    keys?: object
    /** Source of a program that is run in its folder first. */
    before?: string
    onReport?: (metrics: Metrics) => void
  } = {},
  params: Params = {},
): Promise<Told & { metrics: Metrics }> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-command-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'program.cjs'), source)
  if (before !== undefined) execFileSync(node, ['-e', before], { cwd: folder })
  const told: Told = { reports: [], lines: [], saved: {} }
  const context = {
    trial: { id: 'abc' },
    seeds: { init: 7 },
    signal,
    memoryGb,
    report: async (step: number, metrics: Metrics) => {
      signal.throwIfAborted()
      onReport(metrics)
      told.reports.push([step, metrics])
    },
    log: (line: string) => void told.lines.push(line),
    parents: [],
    checkpoint: noCheckpoint,
    noteUsage: (usage: ProcessUsage | undefined) => void (told.usage = usage),
    save: async (name: string, bytes: Uint8Array) => void (told.saved[name] = Buffer.from(bytes).toString()),
  } as unknown as TrialContext
  const command = parseCommand(
    {
      command: [node, join(folder, 'program.cjs'), ...args],
      ...keys,
      ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
    },
    folder,
  )
  const metrics = await commandExperiment(command).stages[0].run(params, context)
  return { ...told, metrics }
}
const said = (...values: unknown[]) =>
  values
    .map((value) => `console.log(${JSON.stringify(typeof value === 'string' ? value : JSON.stringify(value))})`)
    .join('\n')

describe('a command', () => {
  it('reports by lines of JSON with a step; other JSON is its result, the rest its log', async () => {
    const { reports, metrics, lines } = await run(
      said('hello', { step: 1, loss: 0.5 }, { step: 2, loss: 0.25 }, { accuracy: 0.9, note: 'x' }),
    )
    expect(reports).toEqual([
      [1, { loss: 0.5 }],
      [2, { loss: 0.25 }],
    ])
    expect(metrics).toEqual({ loss: 0.25, accuracy: 0.9 })
    expect(lines).toContain('hello')
  })

  it('passes over garbage, half lines and broken JSON', async () => {
    const { metrics } = await run(`process.stdout.write('{"loss": \\n{]\\n\\0\\xff\\n{"step":1,"loss":2}\\n{"acc')`)
    expect(metrics).toEqual({ loss: 2 })
  })

  it.each([
    ['', 'it printed nothing'],
    ['console.log("a"); console.log("b"); console.error("c\\x1b[2J"); console.log("d")', 'it ended with '],
    [
      'console.log("Epoch 3: the loss is 0.5"); console.log("Namespace(lr=0.1, width=3)")',
      '"Epoch 3: the loss is 0.5"',
    ],
  ])('of which nothing is understood has failed, with its last words and what would be: %s', async (source, words) => {
    await expect(run(source)).rejects.toThrow(words)
    await expect(run(source)).rejects.toThrow(
      'print a line such as {"step": 1, "loss": 0.5} or loss=0.5, or say in the sweep file how to read it: parse, or metricsFile',
    )
    await expect(run(source)).rejects.not.toThrow('\x1b')
  })

  it('may leave files alone, in folders too; what is no file is told of and not kept', async () => {
    const { metrics, saved, lines } = await run(`const { mkdirSync, symlinkSync, writeFileSync } = require('fs')
      process.chdir(process.env.MLDS_FOLDER)
      mkdirSync('a/b', { recursive: true })
      for (let i = 0; i < 40; i++) writeFileSync('a/b/' + i, String(i))
      symlinkSync('/etc/passwd', 'link')`)
    expect(metrics).toEqual({})
    expect(Object.keys(saved)).toHaveLength(40)
    expect(saved['a/b/39']).toBe('39')
    expect(lines).toContain('link is not kept: it is no file (a link, a pipe or the like)')
  })

  it.each([
    ['m.csv', 'step,loss,note\n1,0.5,"a, b"\n2,0.25,c\n', [1, 2]],
    ['m.csv', 'loss,note\n0.5,x\n0.25,"say ""hi"""\n', [1, 2]],
    ['m.json', '{"loss": 0.25}', []],
    ['m.json', '[{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]', [1, 2]],
    ['m.jsonl', '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n', [1, 2]],
    ['m.json', '{\n  "loss": 0.25\n}\n', []],
  ])('may write its metrics into a file, %s: %j', async (file, content, steps) => {
    const source = `require('fs').writeFileSync(process.argv[2] + '/${file}', ${JSON.stringify(content)})`
    const { metrics, reports, saved } = await run(source, { args: ['{folder}'], keys: { metricsFile: file } })
    expect(metrics).toEqual({ loss: 0.25 })
    expect(reports.map(([step]) => step)).toEqual(steps)
    expect(saved[file]).toBe(content)
  })

  it.each([
    ['', 'metricsFile: the program left no file m.csv in its folder'],
    ['require("fs").symlinkSync("/etc/passwd", process.argv[2] + "/m.csv")', 'left no file m.csv'],
    ['require("fs").writeFileSync(process.argv[2] + "/m.csv", "no table")', 'no number was found in m.csv'],
  ])('whose file of metrics is not there or none has failed: %s', async (source, message) => {
    await expect(run(source, { args: ['{folder}'], keys: { metricsFile: 'm.csv' } })).rejects.toThrow(message)
  })

  it('has values in its environment and its folder, and braces as they are where they are doubled', async () => {
    const source = `require('fs').mkdirSync('runs/3', { recursive: true })`
    const keys = { cwd: 'runs/{lr}', env: { RATE: 'lr={lr}', NONE: '{none}', PLAIN: '{{lr}}' } }
    const told = `console.log(JSON.stringify({ loss: 1 })); console.log([process.cwd().endsWith('runs/3'), process.env.RATE,
      'NONE' in process.env, process.env.PLAIN, ...process.argv.slice(2)].join(' '))`
    await expect(run(told, { keys }, { lr: 3, none: null })).rejects.toThrow(/its cwd is no folder: .*runs\/3$/)
    const { lines } = await run(
      told,
      { keys, args: ['{{lr}}', '{{"a":{{"b":{lr}}}}}', '{"a":{"b":{lr}}}'], before: source },
      { lr: 3, none: null },
    )
    expect(lines).toContain('true lr=3 false {lr} {lr} {"a":{"b":3}} {"a":{"b":3}}')
  })

  it('may print 100 MB: the log is bounded and the result is there', async () => {
    const { metrics, lines } = await run(
      `const line = 'x'.repeat(999) + '\\n'
       for (let i = 0; i < 100; i++) require('fs').writeSync(1, line.repeat(1000))
       require('fs').writeSync(1, 'y'.repeat(3e6))
       console.log('\\n{"loss": 1}')`,
    )
    expect(metrics).toEqual({ loss: 1 })
    expect(lines.reduce((sum, line) => sum + line.length, 0)).toBeLessThan(10 << 20)
    expect(lines.at(-1)).toMatch(/more than 8 MiB were printed/)
  })

  it.each([
    ['process.stderr.write("no data\\n"); process.exit(3)', /ended with exit code 3: no data/],
    ['process.kill(process.pid, "SIGKILL")', /ended by SIGKILL/],
  ])('that ends badly is a failed trial that says why: %s', async (source, message) => {
    await expect(run(source)).rejects.toThrow(message)
  })

  it('that is not there is a failed trial', async () => {
    const command = parseCommand({ command: ['/no/such/program'] }, '/')
    const context = {
      trial: { id: 'a' },
      seeds: { init: 0 },
      signal: new AbortController().signal,
      log: () => {},
      parents: [],
      checkpoint: noCheckpoint,
      save: async () => {},
    }
    await expect(commandExperiment(command).stages[0].run({}, context as unknown as TrialContext)).rejects.toThrow(
      /the program can't be started: .*ENOENT/,
    )
  })

  it('that hangs is ended at its time limit, even when it ignores SIGTERM', async () => {
    await expect(
      run('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)', { timeLimitMs: 300 }),
    ).rejects.toThrow('the program took longer than its limit: 300 ms')
  })

  it.skipIf(process.platform !== 'linux')('takes what it started in a session of its own with it', async () => {
    const forking = `const { spawn } = require('child_process')
      const options = { detached: true, stdio: 'inherit' }
      const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], options)
      child.unref()
      console.log(JSON.stringify({ pid: child.pid, step: 1 }))`
    const { metrics } = await run(forking)
    await until(() => !isRunning(metrics['pid']!))
    const reports: number[] = []
    await expect(
      run(`${forking}; setInterval(() => {}, 1000)`, { timeLimitMs: 1_500, onReport: ({ pid }) => reports.push(pid!) }),
    ).rejects.toThrow('the program took longer than its limit: 1500 ms')
    expect(reports).toHaveLength(1)
    await until(() => !isRunning(reports[0]!))
  })

  it('is ended when all its processes together have more in memory than they may', async () => {
    // Each alone has less, and those that it started moved to sessions of their own and know of nothing.
    const program = `const { spawn } = require('child_process')
      const take = 'globalThis.kept = Buffer.alloc(150e6, 1); setInterval(() => {}, 1000)'
      const options = { detached: true, stdio: 'ignore', env: {} }
      const pids = [1, 2].map(() => spawn(process.execPath, ['-e', take], options).pid)
      console.log(JSON.stringify({ step: 1, a: pids[0], b: pids[1] }))
      setInterval(() => {}, 1000)`
    const pids: number[] = []
    const running = run(program, { memoryGb: 0.3, onReport: ({ a, b }) => pids.push(a!, b!) })
    await expect(running).rejects.toThrow(
      /^the program took more memory than its limit: 0\.[3-9]\d* GB in 3 processes \(resources: memoryGb: 0\.3\)$/,
    )
    expect(pids).toHaveLength(2)
    await until(() => !pids.some((pid) => isRunning(pid)))
  })

  it('may have as much in memory as it may', async () => {
    const program = `globalThis.kept = Buffer.alloc(150e6, 1)
      setTimeout(() => console.log(JSON.stringify({ loss: kept.length })), 1_200)`
    expect((await run(program, { memoryGb: 0.6 })).metrics).toEqual({ loss: 150e6 })
  })

  it.skipIf(process.platform !== 'linux')('tells what its processes took', async () => {
    const { usage } = await run(`setTimeout(() => console.log(JSON.stringify({ loss: 1 })), 2_000)`)
    expect(usage!.peakBytes).toBeGreaterThan(1e6)
    expect(usage!.cpuShare).toBeGreaterThan(0)
  })

  it('takes what it started with it when it dies or is stopped', async () => {
    const forking = `const { spawn } = require('child_process')
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      console.log(JSON.stringify({ pid: child.pid, step: 1 }))`
    // Dies and leaves a child that holds its output open.
    const { metrics } = await run(`${forking}\nprocess.exit(0)`)
    await until(() => !isRunning(metrics['pid']!))

    const stop = new AbortController()
    const folder = mkdtempSync(join(tmpdir(), 'mlds-pid-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'pid')
    const running = run(
      `${forking}\nrequire('fs').writeFileSync(${JSON.stringify(file)}, String(child.pid)); setInterval(() => {}, 1000)`,
      { signal: stop.signal },
    )
    const stopped = expect(running).rejects.toThrow('enough')
    await until(() => {
      try {
        return readFileSync(file, 'utf8') !== ''
      } catch {
        return false
      }
    })
    stop.abort(new Error('enough'))
    await stopped
    await until(() => !isRunning(Number(readFileSync(file, 'utf8'))))
  })

  it('gets each value as one argument, whatever is in it', async () => {
    const values = ['a b', `it's "quoted"`, 'two\nlines', '$(touch x) `y` $HOME', '--leading', '', '{other}', '\\']
    const params = Object.fromEntries(values.map((value, i) => [`v${i}`, value]))
    const { saved } = await run(
      `require('fs').writeFileSync(process.env.MLDS_FOLDER + '/argv.json', JSON.stringify(process.argv.slice(2)))`,
      {
        args: values.map((_, i) => `{v${i}}`),
      },
      params,
    )
    expect(JSON.parse(saved['argv.json']!)).toEqual(values)
  })

  it('is told its trial, parameters and seed by its environment', async () => {
    const { saved } = await run(
      `const { MLDS_TRIAL, MLDS_PARAMS, MLDS_SEED } = process.env
       require('fs').writeFileSync(process.env.MLDS_FOLDER + '/told', [MLDS_TRIAL, MLDS_PARAMS, MLDS_SEED].join(' '))`,
      {},
      { lr: 0.1 },
    )
    expect(saved['told']).toBe('abc {"lr":0.1} 7')
  })
})

describe('a command line', () => {
  it.each([
    ['python train.py --lr {lr}', ['python', 'train.py', '--lr', '{lr}']],
    [`a 'b c' "d \\"e" f\\ g ''`, ['a', 'b c', 'd "e', 'f g', '']],
  ])('%s is split as a shell splits it', (line, words) => {
    expect(splitWords(line)).toEqual(words)
  })

  it('is refused with a quote left open', () => {
    expect(() => splitWords(`a 'b`)).toThrow(/a ' is not closed/)
  })

  it('keeps braces that name no axis', () => {
    expect(fillWords(['{"a": {b}}', '{c}'], { b: '1' })).toEqual(['{"a": 1}', '{c}'])
  })

  it.each(['größe', '日本', 'Iİı', 'état', 'x.y', 'a-b', '_1'])(
    'has {%s} replaced by the value of that axis',
    (name) => {
      const { argv, axes } = withAxes(
        parseCommand({ command: `t.py --x={${name}}` }, '/'),
        { [name]: [3] },
        { language: 2 },
      )
      expect(Object.keys(axes!)).toEqual([name])
      expect(fillWords(argv, { [name]: 3 })).toEqual(['t.py', '--x=3'])
    },
  )

  it.each(['a b', 'a/b', 'a:b', '1st'])(
    'is refused with {%s} where there is such an axis: a word cannot name it',
    (name) => {
      const command = parseCommand({ command: ['t.py', `--x={${name}}`] }, '/')
      expect(() => withAxes(command, { [name]: [3] }, { language: 2 })).toThrow(
        `command: {${name}} names no axis: a name between braces is of letters, digits and _ . -, and begins with no digit (give the axis such a name)`,
      )
      expect(withAxes(command, { other: [3] }, { language: 2 }).axes).toHaveProperty('other')
    },
  )

  it('is another than an earlier version took it for where a word names an axis in letters that it passed over', () => {
    const hash = (word: string): string => hashCommand(parseCommand({ command: ['t.py', word] }, '/'))
    expect(hash('{lr}')).toBe('3d51b122bebba8bad9b77035e1c6fc47749fc6d25992829f1256c366458f3e43')
    expect(hash('{größe}')).not.toBe('d9b4df9cbe326eb5984426e8ef44f09dbc6516ae1a800c87fe71066f97a851c6')
  })

  it('is another when a file it names changes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-command-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const command = parseCommand({ command: './train.sh --lr {lr}' }, folder)
    writeFileSync(join(folder, 'train.sh'), 'echo 1')
    chmodSync(join(folder, 'train.sh'), 0o755)
    const before = hashCommand(command)
    expect(hashCommand(command)).toBe(before)
    writeFileSync(join(folder, 'train.sh'), 'echo 2')
    expect(hashCommand(command)).not.toBe(before)
  })

  it.each([
    [{}, /command: undefined is not a command/],
    [{ command: 'a', timelimit: 3 }, /unknown key of experiment: timelimit/],
    [{ command: 'a', timeLimitMs: -1 }, /timeLimitMs: -1 is not a number of milliseconds/],
    [{ command: [1] }, /is not a command/],
    [{ command: 'a', parse: '(?<a>x)(?=y)' }, /parse: \(\?<a>x\)\(\?=y\) can't be matched in linear time/],
    [{ command: 'a', parse: '(a' }, /parse: \(a is not a regular expression: /],
    [{ command: 'a', parse: 'loss' }, /parse: loss names no metric/],
    [{ command: 'a', metricsFile: '../m.csv' }, /metricsFile: "..\/m.csv" is not the name of a file in the trial's/],
    [{ command: 'a', env: [1] }, /env: \[1\] is not a mapping/],
    [3, /experiment: a name, a file, or/],
  ])('%j is refused with a sentence', (raw, message) => {
    expect(() => parseCommand(raw, '/')).toThrow(message)
  })
})

describe('the words of a command', () => {
  const values = { a: 1, b: null, c: [64, [null, 'x, y']], d: '', e: true }
  it.each([
    [
      ['p', '--a', '{a}', '--e={e}'],
      ['p', '--a', '1', '--e=true'],
    ],
    [
      ['p', '--c', '{c}', '{d}'],
      ['p', '--c', '[64,[null,"x, y"]]', ''],
    ],
    [
      ['p', '--b={b}', 'x'],
      ['p', 'x'],
    ],
    [
      ['p', '--b', '{b}', 'x'],
      ['p', 'x'],
    ],
    [['p', '-b', '{b}'], ['p']],
    [
      ['p', 'b', '{b}'],
      ['p', 'b'],
    ],
    [
      ['p', '--', '{b}'],
      ['p', '--'],
    ],
    [
      ['p', '--n=3', '{b}'],
      ['p', '--n=3'],
    ],
    [
      ['p', '--a', '{a}', '{b}'],
      ['p', '--a', '1'],
    ],
    [
      ['p', '--ab', '{a}-{b}'],
      ['p', '--ab'],
    ],
    [
      ['p', '{unknown}', "{'a': 1}"],
      ['p', '{unknown}', "{'a': 1}"],
    ],
  ])('%j leave out what is null, and hold lists as JSON: %j', (argv, words) => {
    expect(fillWords(argv, values)).toEqual(words)
  })
})

describe('all parameters of a command', () => {
  const params = {
    lr: 0.1,
    'model.layers': [2, 2],
    'model.opt.lr': '1.10',
    'model.opt': 'adam',
    name: '{lr} {args}',
    off: null,
  }
  const argv = (...words: string[]) =>
    fillCommand(parseCommand({ command: ['p', ...words] }, '/'), { params, folder: '/f', seed: 7 }).argv.slice(1)

  it('are one word each that no other word names, whatever is in them', () => {
    expect(argv('--lr', '{lr}', '{args}', '--off', '{off}')).toEqual([
      '--lr',
      '0.1',
      '--model.layers=[2,2]',
      '--model.opt.lr=1.10',
      '--model.opt=adam',
      '--name={lr} {args}',
    ])
    expect(argv('{model}', '{args}').slice(1)).toEqual(['--lr=0.1', '--name={lr} {args}'])
  })

  it('are one JSON object, nested by their dots, and so is each group', () => {
    expect(argv('{params}', 'x={model}').map((word) => JSON.parse(word.replace('x=', '')) as unknown)).toEqual([
      { lr: 0.1, model: { layers: [2, 2], opt: 'adam' }, 'model.opt.lr': '1.10', name: '{lr} {args}', off: null },
      { layers: [2, 2], opt: 'adam', 'opt.lr': '1.10' },
    ])
    const hostile = { '__proto__.constructor': 1, 'a..b': 2 }
    const [word] = fillCommand(parseCommand({ command: ['p', '{params}'] }, '/'), {
      params: hostile,
      folder: '',
      seed: 0,
    }).argv.slice(1)
    expect(word).toBe('{"__proto__":{"constructor":1},"a..b":2}')
  })

  it('need no value of their own, and an axis of such a name is that axis', () => {
    const axes = (command: string[], values: Record<string, unknown[]>) =>
      Object.keys(withAxes(parseCommand({ command }, '/'), values, { language: 3 }).axes!)
    expect(axes(['p', '{args}', '{params}', '{model}'], { 'model.layers': [1] })).toEqual(['model.layers'])
    expect(axes(['p', '--x={args}'], { args: [1] })).toEqual(['args'])
    expect(() => axes(['p', '--x={args}'], { lr: [1] })).toThrow('{args} is a word of its own')
    expect(() => axes(['p', '{model}'], { lr: [1] })).toThrow('{model} has no values')
  })

  it('may be nested in the defaults', () => {
    expect(parseCommand({ command: 'p {a.b}', defaults: { a: { b: 1, c: { d: [2] } } } }, '/').defaults).toEqual({
      'a.b': 1,
      'a.c.d': [2],
    })
  })
})
