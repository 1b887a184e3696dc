import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planTarget } from '../../../src/app/planning/plan.js'
import { PrintedMetrics } from '../../../src/experiments/custom/printed-metrics.js'
import { importNni } from '../../../src/sweeps/spec/import/nni.js'
import { importWandb } from '../../../src/sweeps/spec/import/wandb.js'
import { readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'

async function plan(text: string) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'my.yaml'), text)
  return (await planTarget(join(folder, 'my.yaml'), { set: [] }, readStore(join(folder, 'store')))).plan
}
const command = (axes: string, words = 'echo {args}'): string => `experiment: { command: '${words}' }\naxes: ${axes}\n`

describe('axes whose values follow from others', () => {
  it('may be written in any order, however many follow from each other', async () => {
    const { trials } = await plan(command('{ a: { expr: b + 1 }, b: { expr: c * 2 }, c: { expr: d }, d: [1, 2] }'))
    expect(trials.map(({ params }) => [params['a'], params['b'], params['c'], params['d']])).toEqual([
      [3, 2, 1, 1],
      [5, 4, 2, 2],
    ])
  })

  it.each([
    ['{ a: { expr: a + 1 } }', /a: its value follows from itself \(a → a\)/],
    ['{ a: { expr: b }, b: { expr: a } }', /its value follows from itself \((a → b → a|b → a → b)\)/],
    ['{ a: { expr: b }, c: [1] }', /unknown axis: b/],
  ])('%s is refused for what is wrong with it', async (axes, sentence) => {
    await expect(plan(command(axes))).rejects.toThrow(sentence)
  })
})

describe('what nobody would write in a sweep file', () => {
  it.each([
    [
      'a name of an axis with a line break',
      command('{ x: [1], "a\\nb": [2] }'),
      /my\.yaml:2:\d+: a name of an axis is of other/,
    ],
    ['an axis without a name', command("{ '': [1] }"), /my\.yaml:2:\d+: a name of an axis is 0 characters long/],
    ['two documents', `${command('{ a: [1] }')}---\nexperiment: params\n`, /my\.yaml:3:1: a file is one document/],
    [
      'a command with a colon and a space, without quotes',
      'experiment:\n  command: echo loss: {a}\naxes: { a: [1] }\n',
      /my\.yaml:2:\d+: YAML takes a text with a colon and a space for a mapping \(put the text in quotes\)$/,
    ],
    [
      'a folder with a NUL',
      `experiment: { command: 'echo {a}', cwd: "x\\0y" }\naxes: { a: [1] }\n`,
      /cwd: "x\\u0000y" is not a folder/,
    ],
    [
      'a part that is a device',
      `include: /dev/zero\n${command('{ a: [1] }')}`,
      /include: \/dev\/zero: this is no file/,
    ],
    [
      'a range without an end',
      `experiment: { command: 'echo {a}' }\nsearch: { count: 2, axes: { a: { uniform: [0, .inf] } } }\n`,
      /\[0,Infinity\] is not a range/,
    ],
    [
      'a logarithmic range that no number spans',
      `experiment: { command: 'echo {a}' }\nsearch: { count: 2, axes: { a: { log: [5e-324, 1e+308] } } }\n`,
      /is too wide/,
    ],
  ])('%s is refused in a sentence, where it stands', async (_, text, sentence) => {
    await expect(plan(text)).rejects.toThrow(sentence)
  })

  it('is lists within lists, thousands deep, in what other tools wrote', () => {
    const deep = '{"a":'.repeat(3000)
    expect(() => importWandb(deep, 'w.yaml')).toThrow('too deep within each other')
    const file = join(temporaryFolder(), 'n.yaml')
    writeFileSync(file, deep)
    expect(() => importNni(file)).toThrow('too deep within each other')
  })
})

describe('a program of which nothing is understood', () => {
  it.each([
    ['{"a/b": 1, "a/b/c": 2}', 'a/b/c'],
    ['{"step": 1.5, "loss": 1}', '1.5'],
    ['plain words', 'plain words'],
  ])('is told what it printed, also where that was read and left out: %s', async (line, told) => {
    const printed = new PrintedMetrics({ log: () => {}, report: async () => {} }, () => false)
    const stream = printed.stream()
    await stream.take(line)
    stream.end()
    expect(printed.result()).toEqual({})
    expect(printed.lastWords()).toContain(told)
  })
})
