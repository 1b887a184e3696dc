import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineExperiment, number, runSweep } from '../../src/index.js'
import { exportRows, formatCsv, formatJsonLines } from '../../src/sweeps/journal/export.js'
import { tabulate } from '../../src/report/report.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const hostile = [
  'constructor',
  'toString',
  '__proto__',
  'hasOwnProperty',
  'valueOf',
  'state',
  'trial',
  'parent',
  'length',
]
const name = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...hostile) }, fc.stringMatching(/^[a-z_]{1,9}$/))
const own = (name: string, value: number): Record<string, number> => Object.fromEntries([[name, value]])

describe('a name that every object inherits, or that mlds uses itself', () => {
  it('is a metric, an axis or an artifact like any other, from the report to the table', async () => {
    await fc.assert(
      fc.asyncProperty(name, name, name, async (axis, metric, artifact) => {
        const store = join(temporaryFolder(), 'store')
        const experiment = defineExperiment({
          name: 'hostile',
          space: Object.fromEntries([[axis, number({ default: 0 })]]),
          objective: { metric, direction: 'minimize' },
          async run(params, { report, save }) {
            const value = Object.values(params)[0]!
            await report(1, own(metric, value + 1))
            await save(artifact, Buffer.from(String(value)))
            return own(metric, value)
          },
        })
        const { sweep, summary } = await runSweep({ experiment, axes: Object.fromEntries([[axis, [3, 1]]]) }, { store })
        expect(summary).toMatchObject({ planned: 2, finished: 2, unique: 2, failed: 0 })
        const best = (await sweep.best())[0]!
        expect([Object.entries(best.params), best.mean]).toEqual([[[axis, 1]], 1])
        const records = sweep.records()
        expect(Object.entries(records[0]!.series)).toEqual([[metric, { steps: [1], values: [4] }]])
        expect(Object.keys(records[0]!.artifacts)).toEqual([artifact])
        const rows = exportRows(records)
        expect(rows.map((row) => [row['state'], row['trial'], row['index']])).toEqual(
          records.map(({ trial }) => ['finished', trial.id, trial.index]),
        )
        const [head, first] = formatCsv(rows)
          .split('\r\n')
          .map((line) => line.split(','))
        expect(new Set(head).size).toBe(head!.length)
        expect(first!.filter((cell) => cell === '3')).toHaveLength(2)
        expect(JSON.parse(formatJsonLines(rows.slice(0, 1))) as object).toEqual(rows[0])
        expect(tabulate(records).rows[1]!.filter((cell) => cell === 1)).toHaveLength(3)
        expect(summary.figures.some((file) => file.endsWith('course.svg'))).toBe(true)
        expect(
          readFileSync(
            summary.figures.find((file) => file.endsWith('course.svg'))!,
            'utf8',
          ),
        ).toContain(metric)
      }),
      { numRuns: 10 },
    )
  })

  it('is an axis and a metric of a command like any other, through every command that reads the sweep', async () => {
    const cwd = temporaryFolder()
    const program =
      'const p = JSON.parse(process.env.MLDS_PARAMS); const v = Number(process.argv[2]);' +
      'for (const step of [1, 2]) console.log(`{"step": ${step}, "__proto__": ${v}, "constructor": ${v + 1}, "loss": ${v}, "toString": ${p.toString}}`);' +
      "require('fs').writeFileSync(process.env.MLDS_FOLDER + '/hasOwnProperty', 'x')"
    writeFileSync(join(cwd, 'program.js'), program)
    writeFileSync(
      join(cwd, 'sweep.yaml'),
      `name: odd
experiment: {command: [${process.execPath}, program.js, '{constructor}', '{toString}']}
axes: {constructor: [1, 2], toString: [3], __proto__: [4, 5]}
objective: {metric: constructor, direction: minimize}
`,
    )
    const swept = await mlds(['sweep', 'sweep.yaml', '--json'], { cwd })
    expect([swept.code, swept.stderr]).toEqual([0, expect.not.stringContaining('failed')])
    const [verified, best, rows, table, report, shown] = await Promise.all([
      mlds(['verify', 'odd'], { cwd }),
      mlds(['best', 'odd', '--json'], { cwd }),
      mlds(['export', 'odd', '--format', 'jsonl'], { cwd }),
      mlds(['export', 'odd'], { cwd }),
      mlds(['report', 'odd', '-o', 'page.html'], { cwd }),
      mlds(['show', 'odd'], { cwd }),
    ])
    expect(verified.stdout).toContain('planned 4, finished 4, unique 4: complete')
    expect(best.stdout).toContain('"constructor": 1')
    const first = JSON.parse(rows.stdout.split('\n')[0]!) as object
    expect(new Map(Object.entries(first))).toEqual(
      new Map<string, unknown>([
        ...Object.entries(first).filter(([column]) => /^(trial|index|stage|state|seed\.)/.test(column)),
        ...Object.entries({
          constructor: 1,
          toString: 3,
          'metric.__proto__': 1,
          'metric.constructor': 2,
          'metric.toString': 3,
          loss: 1,
        }),
        ['__proto__', 4],
      ]),
    )
    expect(table.stdout.split('\r\n')[0]!.split(',')).toEqual(Object.keys(first))
    expect([report.code, report.stderr]).toEqual([0, ''])
    expect(readFileSync(join(cwd, 'page.html'), 'utf8').includes('<th scope="col" class="number">__proto__')).toBe(true)
    expect(shown.code).not.toBe(70)
  })

  it('has no value of its own in a command that names it, which is said', async () => {
    const cwd = temporaryFolder()
    for (const name of ['toString', '__proto__']) {
      writeFileSync(join(cwd, 'sweep.yaml'), `experiment: {command: "true {${name}}"}\n`)
      const planned = await mlds(['plan', 'sweep.yaml'], { cwd })
      expect([planned.code, planned.stderr]).toEqual([2, expect.stringContaining(`{${name}} has no values`)])
    }
  })
})

describe('a control character', () => {
  it('of a value, or of what a program says when it fails, is shown to a terminal and not obeyed', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'sweep.yaml'),
      `name: escapes
experiment: {command: "sh -c 'printf \\\\033]0;owned\\\\007 >&2; exit 1'"}
axes: {word: ["\\e[2J\\e]0;owned\\a", plain]}
`,
    )
    const outputs = [
      await mlds(['sweep', 'sweep.yaml'], { cwd }),
      ...(await Promise.all(
        [['status', 'escapes', '--trials'], ['plan', 'sweep.yaml'], ['best', 'escapes'], ['list']].map((args) =>
          mlds(args, { cwd }),
        ),
      )),
    ]
    for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toMatch(/[\x1b\x07]/)
    expect(outputs[0]!.stdout + outputs[0]!.stderr).toContain('\\x1b]0;owned')
  })
})
