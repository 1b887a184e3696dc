import { describe, expect, it } from 'vitest'
import { PrintedMetrics } from '../../../src/experiments/custom/printed-metrics.js'
import type { Metrics } from '../../../src/core/trial.js'

interface Told {
  readonly reports: [number, Metrics][]
  readonly metrics: Metrics
  readonly lines: string[]
}

/** What is understood of these lines of one stream. */
async function read(
  lines: readonly string[],
  { parse, given = [] }: { parse?: string[]; given?: string[] } = {},
): Promise<Told> {
  const reports: [number, Metrics][] = []
  const log: string[] = []
  const printed = new PrintedMetrics(
    { log: (line) => void log.push(line), report: async (step, metrics) => void reports.push([step, metrics]) },
    (name) => given.includes(name),
    parse,
  )
  const stream = printed.stream()
  for (const line of lines) await stream.take(line)
  stream.end()
  return { reports, metrics: printed.result(), lines: log }
}

const prefixes = [
  '',
  '2026-01-02 03:04:05,678 INFO ',
  'INFO:root:',
  '[rank 0] ',
  '12:01:02 ',
  'train.py - DEBUG - ',
  '> ',
]
const steps = ['step', 'epoch', 'training_iteration']

describe('a line of metrics', () => {
  const ways: Record<string, (step: string | undefined) => string> = {
    JSON: (step) => `{${step === undefined ? '' : `"${step}": 3, `}"loss": 0.5, "val": {"acc": 0.9}}`,
    'JSON with numbers in texts': (step) =>
      `{"loss": "5e-1", "val": {"acc": "0.9"}${step === undefined ? '' : `, "${step}": "3"`}}`,
    "Python's dictionary": (step) =>
      `{${step === undefined ? '' : `'${step}': 3, `}'loss': np.float32(0.5), 'val': {'acc': tensor(0.9000, device=0)}}`,
    'pairs with =': (step) => `${step === undefined ? '' : `${step}=3 `}loss=0.5 val/acc=.9`,
    'pairs with : and commas': (step) => `${step === undefined ? '' : `${step}: 3, `}loss: 0.5, val/acc: 0.9`,
    'pairs as Keras parts them': (step) =>
      `${step === undefined ? '' : `${step}: 3 - `}loss: 5.0e-01 - val/acc: 0.9 - took: 3s`,
  }
  const cases = Object.keys(ways).flatMap((way) => prefixes.map((prefix) => [way, prefix] as const))
  it.each(cases)('is understood as %s after %j, with any name of a step and with none', async (way, prefix) => {
    const metrics = { loss: 0.5, 'val/acc': 0.9 }
    for (const step of steps) expect((await read([prefix + ways[way]!(step)])).reports).toEqual([[3, metrics]])
    const without = await read([prefix + ways[way]!(undefined)])
    expect(without).toMatchObject({ reports: [], metrics })
  })

  it.each(cases)('may be coloured, as %s after %j, and stays so in the log', async (way, prefix) => {
    const painted = `\x1b[1;32m${prefix}\x1b[0m${ways[way]!('step').replaceAll(/[0-9.]+/g, '\x1b[36m$&\x1b[39m')}\x1b[0m\x1b[K`
    const { reports, lines } = await read([painted, 'loss of nothing\x1b[A'])
    expect(reports).toEqual([[3, { loss: 0.5, 'val/acc': 0.9 }]])
    expect(lines.at(-1)).toBe('loss of nothing\x1b[A')
  })

  it('may be coloured where a pattern reads it, and over several lines', async () => {
    const parse = ['iter (?<step>\\d+) energy (?<loss>\\S+)']
    expect((await read(['iter \x1b[1m3\x1b[0m energy \x1b[31m0.5\x1b[0m'], { parse })).reports).toEqual([
      [3, { loss: 0.5 }],
    ])
    expect((await read(['\x1b[2m{', '  "loss": \x1b[36m0.5\x1b[39m', '}\x1b[0m'])).metrics).toEqual({ loss: 0.5 })
  })

  it.each([
    'Epoch 3: loss=0.5',
    'epoch 3/10 | loss: 0.5',
    'Step [3/10], loss=0.5',
    'INFO Epoch: 3 loss: 0.5',
    'EPOCH=3 loss=0.5',
  ])('may say its step in words: %s', async (line) => {
    expect((await read([line])).reports).toEqual([[3, { loss: 0.5 }]])
  })

  it.each([
    'Epoch 3: 100%|█████| 10/10 [00:01<00:00,  9.8it/s, v_num=1, loss=0.5]',
    '[INFO] v_num: 1, loss: 0.5 (avg 0.6)',
    'INFO v_num=1 (worst 3, best 1) loss=0.5 (0.6)',
  ])('may have brackets around its pairs, or after a value: %s', async (line) => {
    expect((await read([line])).metrics).toEqual({ v_num: 1, loss: 0.5 })
  })

  it.each([
    'epoch=3 loss=0.5 acc=1 saved to model.pt',
    'Epoch 3/10: loss: 0.5 - acc: 1 (best so far)! writing a=b',
    '[rank 0] step=3 loss=0.5, acc=1 ETA 0:10',
    'epoch=3 loss=0.5 acc=1 s per step: 3',
  ])('may have words after its pairs where it says a step: %s', async (line) => {
    expect((await read([line])).reports).toEqual([[3, { loss: 0.5, acc: 1 }]])
  })

  it.each(['epoch=3 done', 'epoch 3: all is well', 'epoch=3 done loss=0.5 or so', 'Epoch 3 took time=3 s'])(
    'is none where it says a step and nothing else before other words: %s',
    async (line) => {
      expect((await read([line])).reports).toEqual([])
    },
  )

  it('is not begun by the options of a command', async () => {
    expect((await read(['run: python loss=1 a=5 --lr=3'])).metrics).toEqual({})
    expect((await read(['python train.py --lr=3'])).metrics).toEqual({})
  })

  it('may hold NaN and infinities as Python and JavaScript write them', async () => {
    const { reports } = await read([
      '{"step": 3, "loss": NaN, "a": -Infinity, "b": Infinity, "c": null, "d{": "x: NaN,"}',
      "{'step': 4, 'loss': nan, 'a': -inf}",
    ])
    expect(reports).toEqual([
      [3, { loss: NaN, a: -Infinity, b: Infinity, c: NaN }],
      [4, { loss: NaN, a: -Infinity }],
    ])
  })

  it('has a step that is null for none', async () => {
    expect(await read(['{"step": null, "loss": null}'])).toMatchObject({ reports: [], metrics: { loss: NaN } })
  })

  it.each([
    'hello',
    '[1]',
    '{"a": "b"}',
    '{"a": }',
    '',
    '{"a": {"loss": 1}',
    'Namespace(lr=0.1, width=3)',
    'Training with lr=0.1',
    'the loss is 0.5',
    'loss=0.5 and falling',
    'loss: low',
    'https://host:80/?a=1',
    `${'a'.repeat(3_000)}=1`,
    `{"${'\\"'.repeat(100_000)}}`,
  ])('%j is none', async (line) => {
    expect(await read([line])).toEqual({ reports: [], metrics: {}, lines: [line] })
  })
})

describe('what a program prints', () => {
  it.each([2, 4, '\t'])('may end with an object of JSON over several lines, indented by %j', async (indent) => {
    const object = JSON.stringify({ test: { acc: 0.9 }, loss: 0.5 }, undefined, indent)
    expect(await read(['done', ...object.split('\n'), 'bye'])).toEqual({
      reports: [],
      metrics: { 'test/acc': 0.9, loss: 0.5 },
      lines: ['done', 'bye'],
    })
  })

  it('keeps lines for the log that looked like such an object', async () => {
    const lines = ['{', 'x', '{', 'y', '}', '{', 'z']
    expect(await read(lines)).toEqual({ reports: [], metrics: {}, lines })
  })

  it('has pairs without a step for results only where it prints no JSON, and pairs that name its parameters never', async () => {
    const pairs = ['INFO: lr=0.1', 'INFO: workers=4 device=cpu', 'loss=0.5']
    expect((await read(pairs, { given: ['lr'] })).metrics).toEqual({ workers: 4, loss: 0.5 })
    expect((await read([...pairs, '{"loss": 0.25}', 'loss=0.3'], { given: ['lr'] })).metrics).toEqual({ loss: 0.25 })
    expect((await read(['epoch=1 loss=0.5', '{"acc": 1}'])).metrics).toEqual({ loss: 0.5, acc: 1 })
  })

  it.each([
    ['{"step": 1.5, "loss": 9}', 'its step is not a whole number: 1.5'],
    ['{"step": 1, "loss": 9}', 'its step 1 is before 2, the last'],
    ['{"step": 3, "loss": 9, "weird key!": 1}', 'a name of a metric is of other characters'],
    ['{"step": 3, "loss": {"a": 9}}', "can't stand beside each other"],
    [`{"step": 3, "${'x'.repeat(300)}": 9}`, '300 characters long'],
  ])('loses the line %s, told once, and goes on', async (line, why) => {
    const { reports, metrics, lines } = await read([
      '{"step": 2, "loss": 0.5}',
      line,
      line,
      '{"step": 3, "loss": 0.25}',
    ])
    expect(reports).toEqual([
      [2, { loss: 0.5 }],
      [3, { loss: 0.25 }],
    ])
    expect(metrics).toEqual({ loss: 0.25 })
    expect(lines).toEqual([expect.stringContaining(why)])
  })

  it('is told once of each name whose values are no numbers, and of so many names at most', async () => {
    const { lines } = await read(Array(3).fill('{"loss": 1, "note": "x", "on": true, "list": [1]}') as string[])
    expect(lines).toEqual(
      ['note: "x"', 'on: true', 'list: [1]'].map((what) => `left out from here on: ${what} is not a number`),
    )
    const many = Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`n${i}`, 'x']))
    expect((await read([JSON.stringify({ loss: 1, ...many })])).lines).toHaveLength(21)
  })

  it('is read by patterns alone where there are some', async () => {
    const parse = ['^Epoch (?<epoch>\\d+) of \\d+: (?<loss>\\S+) loss(?:, (?<acc>\\S+) acc)?', 'best (?<best>\\S+)']
    const lines = ['{"loss": 9}', 'Epoch 1 of 9: 0.5 loss', 'Epoch 2 of 9: 0.25 loss, 0.9 acc', 'best 0.2', 'x=1']
    expect(await read(lines, { parse })).toEqual({
      reports: [
        [1, { loss: 0.5 }],
        [2, { loss: 0.25, acc: 0.9 }],
      ],
      metrics: { loss: 0.25, acc: 0.9, best: 0.2 },
      lines: ['{"loss": 9}', 'x=1'],
    })
  })

  it('can hang no pattern: one that backtracks for ever elsewhere ends', async () => {
    const { metrics } = await read(['x'.repeat(10_000), 'xxxy'], {
      parse: ['(?<a>(?:x+x+)+)y(?<loss>)?|^(?<never>(?:x|x)*)z'],
    })
    expect(metrics).toEqual({})
  })

  it('comes to the same however two streams interleave', async () => {
    const streams = [
      [
        'INFO:root:epoch=1 train_loss=0.5 loss=0.51',
        'workers=4',
        'INFO:root:epoch=2 train_loss=0.25 loss=0.26',
        'epoch=1 late=1',
      ],
      ['epoch=2 loss=0.2', '{"epoch": 2, "loss": 0.25}', 'epoch=3 loss=0.3', '{"loss": 0.125}'],
    ] as const
    // Each order says which of the streams has its next line read: all 70 of them.
    const orders = Array.from({ length: 256 }, (_, n) => [...n.toString(2).padStart(8, '0')].map(Number)).filter(
      (order) => order.reduce((a, b) => a + b) === 4,
    )
    const told = new Set<string>()
    for (const order of orders) {
      const reports: string[] = []
      const printed = new PrintedMetrics(
        { log: () => {}, report: async (step, metrics) => void reports.push(JSON.stringify([step, metrics])) },
        () => false,
      )
      const [error, output] = streams.map((lines) => ({ ...printed.stream(), left: [...lines] }))
      for (const which of order) {
        const stream = which === 0 ? error! : output!
        await stream.take(stream.left.shift()!)
      }
      const result = Object.entries(printed.result()).sort()
      told.add(JSON.stringify([result, reports.sort()]))
    }
    expect(orders).toHaveLength(70)
    expect([...told]).toHaveLength(1)
    expect((JSON.parse([...told][0]!) as unknown[])[0]).toEqual([
      ['late', 1],
      ['loss', 0.125],
      ['train_loss', 0.25],
    ])
  })

  it('may have metrics called as every object has something', async () => {
    const { metrics, reports } = await read(['{"step": 1, "constructor": 1, "__proto__": 2, "toString": 3}'])
    expect(Object.entries(metrics)).toEqual([
      ['constructor', 1],
      ['__proto__', 2],
      ['toString', 3],
    ])
    expect(Object.entries(reports[0]![1])).toHaveLength(3)
  })
})
