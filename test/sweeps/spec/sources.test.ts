import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planTarget } from '../../../src/app/planning/plan.js'
import { readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'
import { parseSweepFile, parseSweepObject } from '../../../src/sweeps/spec/spec.js'

/** Files by name, in a folder; what planning one of them gives. */
function files(contents: Readonly<Record<string, string>>) {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const store = readStore(join(folder, 'store'))
  const plan = async (name = 'my.yaml', config: string[] = []) => {
    const flags = { set: [], config: config.map((one) => join(folder, one)) }
    return (await planTarget(join(folder, name), flags, store)).plan
  }
  const refused = async (name?: string, config?: string[]): Promise<string> =>
    await plan(name, config).then(
      () => expect.unreachable(),
      (error: Error) => error.message.replaceAll(`${folder}/`, ''),
    )
  return { folder, plan, refused }
}

const command = "experiment: {command: 'true {lr} {width}', defaults: {width: 8}}\n"

describe('a sweep file of several parts', () => {
  it('says what each says, the file before what it includes, and the command line before both', async () => {
    const { plan, folder } = files({
      'my.yaml': 'include: [parts/lab.yaml, parts/more.yaml]\naxes: {lr: [1, 2]}\n',
      'parts/lab.yaml': `${command}axes: {lr: [5], width: [1]}\nrepeat: 3\nname: lab\n`,
      'parts/more.yaml': 'repeat: 2\nx-note: mine\n',
      'extra.yaml': 'axes: {width: [4]}\n',
    })
    const { spec, trials } = await plan()
    expect([spec.axes, spec.seeds, spec.name, trials.length]).toEqual([{ lr: [1, 2], width: [1] }, [0, 1], 'lab', 4])
    // A command's folder is that of the file that says it.
    expect(spec.own).toMatchObject({ command: { cwd: join(folder, 'parts') } })
    expect((await plan('my.yaml', ['extra.yaml'])).spec.axes).toEqual({ lr: [1, 2], width: [4] })
  })

  it('is told of with the file, line and column where the mistake is', async () => {
    const { refused } = files({
      'my.yaml': `include: parts/lab.yaml\n${command}axes:\n  lr: [1]\n`,
      'parts/lab.yaml': 'axes:\n  width:\n    - 1\n    - 8..9\nexclude:\n  - {lr: 1}\n',
      'key.yaml': `include: parts/key.yaml\n${command}`,
      'parts/key.yaml': '# a\naxis: 1\n',
      'left.yaml': `include: parts/left.yaml\n${command}axes: {lr: [1]}\n`,
      'parts/left.yaml': 'repeat: 1\nwhere:\n  - lr > 1\n  - lr > nothing\n',
      'part.yaml': 'repeat: -1\n',
      'experiment.yaml': 'experiment: params\n',
    })
    expect(await refused()).toMatch(/^parts\/lab\.yaml:4:7: width: 8\.\.9 is a set of values/)
    expect(await refused('key.yaml')).toMatch(/^parts\/key\.yaml:2:1: unknown key: axis/)
    expect(await refused('left.yaml')).toMatch(/^parts\/left\.yaml:4:5: .*nothing/)
    expect(await refused('left.yaml', ['part.yaml'])).toMatch(/^part\.yaml:1:9: repeat: -1/)
    expect(await refused('left.yaml', ['experiment.yaml'])).toMatch(/^experiment\.yaml:1:13: experiment: is said by/)
    expect(await refused('left.yaml', ['nothing.yaml'])).toBe('nothing.yaml: no such file')
  })

  it('that includes itself, what is no file, or files without end is refused', async () => {
    const chain = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`${i}.yaml`, `include: ${i + 1}.yaml\n`]))
    const wide = Object.fromEntries(
      ['a', 'b', 'c', 'd'].map((name, i) => [
        `${name}.yaml`,
        `include: [${Array(9).fill(`${'bcde'[i]}.yaml`).join(', ')}]\n`,
      ]),
    )
    const { refused } = files({
      ...chain,
      ...wide,
      'e.yaml': 'repeat: 1\n',
      'my.yaml': `${command}include: other.yaml\n`,
      'other.yaml': '\n\ninclude: ./x/../my.yaml\n',
      'folder.yaml': `${command}include: .\n`,
      'none.yaml': `${command}include: nowhere.yaml\n`,
      'list.yaml': `${command}include: {a: b}\n`,
      'nul.yaml': `${command}include: "a\\0b"\n`,
      'scalar.yaml': `${command}include: text.yaml\n`,
      'text.yaml': 'hello\n',
    })
    expect(await refused()).toBe('other.yaml:3:10: include: my.yaml includes itself')
    expect(await refused('0.yaml')).toMatch(/^9\.yaml:1:10: include: 10\.yaml: more than 100 files, or 10 within/)
    expect(await refused('a.yaml')).toMatch(/more than 100 files/)
    expect(await refused('folder.yaml')).toMatch(/^folder\.yaml:2:10: include: .*no file/)
    expect(await refused('none.yaml')).toMatch(/nowhere\.yaml: no such file/)
    expect(await refused('list.yaml')).toMatch(/names a file, or a list of files/)
    expect(await refused('nul.yaml')).toMatch(/names a file, or a list of files/)
    expect(await refused('scalar.yaml')).toBe('text.yaml: a sweep file is a mapping (experiment: …, axes: …)')
  })
})

describe('${env:NAME} in a sweep file', () => {
  const env = { DATA: '/data/a b', LRS: '0.1,0.2', NATS_URL: 'x', MY_API_KEY: 'x', LONG: 'x'.repeat(7000) }
  const read = (text: string) => parseSweepFile(text, 'my.yaml', { env })

  it('is the variable, also in the place of a list, and is frozen into the plan', () => {
    const { axes, name } = read('experiment: toy\nname: ${env:LRS}\naxes: {lr: "${env:LRS}", d: ["${env:DATA}/x"]}\n')
    expect([name, axes]).toEqual(['0.1,0.2', { lr: ['0.1', '0.2'], d: ['/data/a b/x'] }])
  })

  it('stands for itself when it is escaped, in an object, and in files of earlier languages', () => {
    expect(read('experiment: toy\naxes: {d: ["$${env:DATA}", "$x ${other}"]}\n').axes['d']).toEqual([
      '${env:DATA}',
      '$x ${other}',
    ])
    expect(read('experiment: toy\nlanguage: 2\naxes: {d: ["${env:DATA}"]}\n').axes['d']).toEqual(['${env:DATA}'])
    expect(parseSweepObject({ experiment: 'toy', axes: { d: ['${env:NATS_URL}'] } }).axes['d']).toEqual([
      '${env:NATS_URL}',
    ])
  })

  it.each([
    ['NATS_URL', /my\.yaml:3:\d+: \$\{env:NATS_URL\}: may hold a secret/],
    ['MY_API_KEY', /may hold a secret/],
    ['mlflow_tracking_password', /may hold a secret/],
    ['NOT_THERE', /is not set/],
    ['toString', /is not set/],
    ['__proto__', /is not set/],
    ['a b', /is not the name of a variable/],
    ['', /is not the name of a variable/],
    ['LONG', /has 7000 characters/],
  ])('is refused with its place for %s', (name, message) => {
    expect(() => read(`experiment: toy\naxes:\n  d: ["\${env:${name}}"]\n`)).toThrow(message)
  })
})

describe('a sweep file that would grow without bound', () => {
  const names = 'abcdefghi'.split('')
  const laughs = names.map(
    (name, i) =>
      `x-${name}: &${name} [${Array(9)
        .fill(i === 0 ? 'l' : `*${names[i - 1]}`)
        .join(', ')}]`,
  )

  it.each([
    [
      `${laughs.join('\n')}\nexperiment: toy\naxes:\n  v: *i\n`,
      /^my\.yaml:12:\d+: what anchors .* Excessive alias count/,
    ],
    [
      `experiment: toy\naxes: {v: ${'['.repeat(20_000)}${']'.repeat(20_000)}}\n`,
      /^my\.yaml:2:\d+: .*too deep within each other/,
    ],
    ['experiment: toy\naxes: {v: *nothing}\n', /^my\.yaml:2:\d+: .*nothing/],
    // What holds itself.
    ['experiment: toy\naxes: &a {v: *a}\n', /^my\.yaml:2:\d+: what anchors .* would hold itself/],
    ['experiment: toy\naxes: {v: &a [[*a]]}\n', /^my\.yaml:2:\d+: what anchors .* would hold itself/],
    ['experiment: toy\npoints: &a [{v: *a}]\n', /^my\.yaml:2:\d+: what anchors .* would hold itself/],
    ['experiment: &a {command: x, defaults: *a}\n', /^my\.yaml:1:\d+: what anchors .* would hold itself/],
    // What a tag says and YAML does not do.
    ['experiment: toy\naxes: {v: [!!float 3]}\n', /^my\.yaml:2:\d+: Unresolved tag: .*float/],
    ['experiment: toy\naxes: {v: !lambda x}\n', /^my\.yaml:2:\d+: Unresolved tag: !lambda/],
  ])('is refused with its place', (text, message) => {
    expect(() => parseSweepFile(text, 'my.yaml')).toThrow(message)
    expect(() => parseSweepFile(text, 'my.yaml')).toThrow(expect.objectContaining({ exitCode: 2 }) as Error)
  })
})

describe('parameters within parameters', () => {
  const read = (text: string) => parseSweepFile(`experiment: toy\n${text}`, 'my.yaml')

  it('are named with dots, wherever axes are', () => {
    const spec = read(
      `axes: {model: {layers: [2, 4], opt: {lr: {logspace: [1, 100, 3]}}, d: {expr: 2 * 3}}}
zip: {model: {a: [1, 2], b: 3..4}}
points: [{m: {x: 1, y: [1]}}]
when: {model: {layers: {model: {a: {min: 2}}}}}
exclude: [{model: {a: 1}}]
search: {count: 2, axes: {s: {lr: {log: [1e-3, 1]}, kind: [a, b]}}}
blocks: [{axes: {n: {o: [1]}}}]
`,
    )
    expect(spec).toMatchObject({
      axes: { 'model.layers': [2, 4], 'model.opt.lr': [1, 10, 100] },
      derived: { 'model.d': '2 * 3' },
      zip: [{ 'model.a': [1, 2], 'model.b': [3, 4] }],
      points: [{ 'm.x': 1, 'm.y': [1] }],
      search: { axes: { 's.lr': { kind: 'log' }, 's.kind': { kind: 'choice' } } },
      exclude: [{ 'model.a': [1] }],
      blocks: [{ axes: { 'n.o': [1] } }],
    })
  })

  it.each([
    ['axes:\n  lr: {lognspace: [1, 2, 3]}\n', /my\.yaml:3:\d+: lr: .* is not a set of values/],
    ['axes: {a: {b: [1]}, a.b: [2]}\n', /a\.b is there twice/],
    ['axes:\n  m:\n    l:\n      - 1\n      - 8..9\n', /^my\.yaml:6:9: m\.l: 8\.\.9 is a set/],
    [`axes: ${'{a: '.repeat(20)}[1]${'}'.repeat(20)}\n`, /more than 16 within each other/],
    ['search: {count: 2, axes: {a: {unifrm: [0, 1]}}}\n', /unknown range of a: unifrm/],
    ['axes: {m: {}}\n', /m: \{\} is not a set of values/],
    ['axes: {m: null}\n', /m: no values/],
  ])('%j is refused with a sentence', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  it('of a hostile name are names like any other', () => {
    const { axes } = read('axes: {__proto__: {constructor: [1], toString: {__proto__: [2]}}}\n')
    expect(Object.entries(axes)).toEqual([
      ['__proto__.constructor', [1]],
      ['__proto__.toString.__proto__', [2]],
    ])
    expect(({} as Record<string, unknown>)['constructor']).toBe(Object)
  })
})
