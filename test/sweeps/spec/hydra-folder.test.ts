import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SpaceError } from '../../../src/core/errors.js'
import { importHydra } from '../../../src/sweeps/spec/import/hydra.js'
import { ConfigFolder, type GroupOverride } from '../../../src/sweeps/spec/import/hydra-folder.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'from-elsewhere', 'hydra')
const byHydra = JSON.parse(readFileSync(join(fixtures, 'composed.json'), 'utf8')) as readonly {
  readonly folder: string
  readonly name: string
  readonly overrides: readonly string[]
  readonly config?: object
  readonly refused?: string
}[]

function overrideOf(word: string, configs: ConfigFolder): GroupOverride {
  const [, sign, group, own, raw] = /^([+~]?)([\w/]+)(?:@([\w.]+))?(?:=(.*))?$/.exec(word)!
  if (!configs.isGroup(group!)) throw new SpaceError(`no group: ${group}`)
  const option = raw?.startsWith('[') === true ? raw.slice(1, -1).split(',') : raw === 'null' ? null : raw
  return { sign: sign as '', group: group!, package: own, option }
}

const folderOf = (files: Readonly<Record<string, string>>): string => {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

describe('a folder of Hydra’s configs, beside what Hydra 1.3.8 makes of it', () => {
  it.each(byHydra.map((one) => [`${one.folder}/${one.name} ${one.overrides.join(' ')}`, one] as const))(
    '%s',
    (_, { folder, name, overrides, config, refused }) => {
      const configs = new ConfigFolder(join(fixtures, folder))
      const compose = () =>
        configs.compose(
          name,
          overrides.map((word) => overrideOf(word, configs)),
        )
      if (refused === undefined) {
        const { hydra: _, ...own } = compose().config
        expect(own).toEqual(config)
        expect(compose().absent).toEqual([])
      } else {
        let absent: readonly string[] = []
        try {
          ;({ absent } = compose())
        } catch (error) {
          expect(error).toBeInstanceOf(SpaceError)
          absent = ['refused']
        }
        expect(absent, refused).not.toEqual([])
      }
    },
  )

  it('covers every way of saying a default, and what Hydra refuses', () => {
    expect(byHydra.filter(({ refused }) => refused !== undefined).length).toBeGreaterThan(10)
    expect(byHydra.filter(({ config }) => config !== undefined).length).toBeGreaterThan(30)
  })
})

describe('hostile overrides', () => {
  it.each(['a=1e400', 'a=-1e400,1', 'a=[1e400]'])('%s: what is no finite number is listed', (override) =>
    expect(importHydra([override], 't.py').leftOut).toEqual([override]),
  )
})

describe('hostile configs', () => {
  const compose = (files: Readonly<Record<string, string>>, name = 'config') =>
    new ConfigFolder(folderOf(files)).compose(name, [])

  it.each([
    ['a list', '- 1', /a config is a mapping/],
    ['no YAML', 'a: [', /config\.yaml: /],
    ['defaults that are no list', 'defaults: {db: x}', /defaults is a list/],
    ['a default of two groups', 'defaults: [{a: b, c: d}]', /an entry is one group/],
    ['a default that is a number', 'defaults: [3]', /neither a config nor a group/],
    ['an option that is a mapping', 'defaults: [{a: {b: c}}]', /is not an option/],
    ['a word before a group', 'defaults: [{maybe a: b}]', /only optional and override/],
    ['a path out of the folder', 'defaults: [../../etc/passwd]', /a config lies within/],
    ['a group out of the folder', 'defaults: [{../..: passwd}]', /a config lies within/],
    [
      'an alias bomb',
      `a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c]\n`,
      /config\.yaml: /,
    ],
    ['a package of two words', '# @package a b\nx: 1', /a package is one word/],
  ])('%s is refused in a sentence', (_, text, sentence) => {
    expect(() => compose({ 'config.yaml': text })).toThrow(SpaceError)
    expect(() => compose({ 'config.yaml': text })).toThrow(sentence)
  })

  it('may begin with a byte order mark, end lines as Windows does, and be empty', () => {
    expect(compose({ 'config.yaml': '\uFEFF# @package a\r\nx: 1\r\n' }).config).toEqual({ a: { x: 1 } })
    expect(compose({ 'config.yaml': '' }).config).toEqual({})
    expect(compose({ 'config.yaml': 'defaults:\n' }).config).toEqual({})
  })

  it('have keys of any name', () => {
    const { config } = compose({ 'config.yaml': '__proto__: {polluted: 1}\nconstructor: 2\n' })
    expect(Object.keys(config)).toEqual(['__proto__', 'constructor'])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})

describe('the sweep of a folder of Hydra’s configs', () => {
  const sweep = (folder: string, overrides: string, name = 'config') =>
    importHydra(overrides, 'train.py', {
      configs: new ConfigFolder(join(fixtures, folder)),
      ...{ name, code: 'conf', words: [] },
    })

  it('is what its configs hold, but for what the command line says', () => {
    const { spec, leftOut } = sweep('experiments', 'experiment=sweep optimizer.lr=0.5')
    expect(leftOut).toEqual([])
    expect(spec).toEqual({
      experiment: {
        command: [
          'python',
          'train.py',
          'model={model}',
          'seed={seed}',
          'experiment={experiment}',
          'optimizer.lr={optimizer_lr}',
          'hydra.mode=RUN',
        ],
        code: 'conf',
      },
      axes: { model: ['mlp', 'cnn'], experiment: ['sweep'], optimizer_lr: [0.5] },
      seeds: [0, 1, 2],
    })
  })

  it.each([
    [
      'optimizer=sgd,adam optimizer.momentum=0.5,0.9',
      /optimizer\.momentum=0\.5,0\.9 \(the config has no such key: .* where optimizer=adam\)/,
    ],
    ['model=mlp,cmm', /model=mlp,cmm \(model has no cmm: it has cnn, mlp\)/],
    ['lr=1,2', /lr=1,2 \(the config has no such key: \+lr adds it\)/],
    ['+seed=1,2', /\+seed=1,2 \(the config has that key already/],
    ['~lr', /~lr \(the config has no such key\)/],
    ['model@other=mlp', /model@other/],
  ])('%s: what Hydra would refuse is told', (overrides, sentence) => {
    const told = (): string => {
      try {
        return sweep('experiments', overrides).leftOut.join('\n')
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(told()).toMatch(sentence)
  })

  it.each([
    'model=mlp,cnn seed=1,2',
    '++lr=1,2',
    '+lr=1,2',
    '~optimizer',
    'optimizer.betas=[1,2],[3,4] optimizer=adam',
  ])('%s: what Hydra takes is taken', (overrides) => expect(sweep('experiments', overrides).leftOut).toEqual([]))

  it('lists what mlds does otherwise', () => {
    const folder = folderOf({
      'config.yaml':
        'defaults: [{override hydra/launcher: joblib}, {override hydra/sweeper: optuna}]\nlr: 1\nhydra:\n  sweep: {dir: x}\n  sweeper: {n_trials: 20, params: {lr: "interval(0, 1)"}}\n',
    })
    const { leftOut, taken } = importHydra('', 'train.py', {
      configs: new ConfigFolder(folder),
      ...{ name: 'config', code: 'conf', words: [] },
    })
    expect(leftOut.join('\n')).toMatch(/joblib[^]*optuna[^]*n_trials[^]*interval/)
    expect(taken.join('\n')).toContain('hydra.sweep')
  })

  it('is imported by the command, as it was typed for Hydra', async () => {
    const folder = folderOf({
      'conf/exp.yaml': 'defaults: [{model: a}]\nhydra: {sweeper: {params: {lr: "0.1,0.2"}}}\nlr: 1\n',
      'conf/model/a.yaml': 'x: 1',
      'conf/model/b.yaml': 'x: 2',
      'train.py': '',
    })
    const lines = [
      ['-m', '-cp', 'conf', '-cn', 'exp', 'model=a,b'],
      ['-m --config-path=conf --config-name exp model=a,b'],
      ['model=a,b', '--config-path', 'conf', '--config-name', 'exp.yaml'],
    ]
    for (const line of lines) {
      const { code, stdout, stderr } = await mlds(['import', 'hydra', ...line], { cwd: folder })
      expect([code, stderr.includes('Error')]).toEqual([0, false])
      expect(stdout).toContain('model={model}')
      expect(stdout).toContain('lr={lr}')
      expect(stdout).toContain('--config-path=conf')
      expect(stdout).toContain('code: conf')
    }
    expect((await mlds(['import', 'hydra'], { cwd: folder })).stderr).toContain('nothing to import')
    expect((await mlds(['import', 'hydra', '--config-name', 'x', 'a=1'], { cwd: folder })).code).toBe(2)
  })
})
