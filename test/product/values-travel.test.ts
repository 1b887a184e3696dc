import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ParamValue } from '../../src/core/trial.js'
import { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../src/tracking/mlflow/rest/settings.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { decode, encode, trialMessage, valuesSince, versionFor } from '../../src/worker/remote/wire/protocol.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasMlflow, startMlflow } from '../helpers/mlflow.js'
import { hasNats } from '../helpers/nats.js'

/** Each value as YAML has it, what it is, the program's words for it, and its cell of a CSV and text in MLflow. */
const literals: readonly (readonly [yaml: string, value: ParamValue, words: readonly string[], told: string])[] = [
  ['true', true, ['--v', 'true'], 'true'],
  ['false', false, ['--v', 'false'], 'false'],
  ['[64, 64]', [64, 64], ['--v', '[64,64]'], '[64,64]'],
  [
    '[128, [128, null], "a, b"]',
    [128, [128, null], 'a, b'],
    ['--v', '[128,[128,null],"a, b"]'],
    '[128,[128,null],"a, b"]',
  ],
  ['"hello, world"', 'hello, world', ['--v', 'hello, world'], 'hello, world'],
  ['"1.10"', '1.10', ['--v', '1.10'], '1.10'],
  ['1.10', 1.1, ['--v', '1.1'], '1.1'],
  ['"007"', '007', ['--v', '007'], '007'],
  ['""', '', ['--v', ''], ''],
  ['null', null, [], 'null'],
  ['12345678901234567890', '12345678901234567890', ['--v', '12345678901234567890'], '12345678901234567890'],
]
const file = `experiment:
  command: [node, show.mjs, --v, '{v}', '--n={n}']
axes:
  n: [1]
  v: [${literals.map(([yaml]) => yaml).join(', ')}]
`
const program = `import { appendFileSync } from 'node:fs'
const argv = process.argv.slice(2)
appendFileSync('ran.jsonl', JSON.stringify({ argv, params: JSON.parse(process.env.MLDS_PARAMS) }) + '\\n')
console.log(JSON.stringify({ step: 1, loss: argv.join().length }))
`

function host(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'v.yaml'), file)
  writeFileSync(join(cwd, 'show.mjs'), program)
  return cwd
}
const rows = async (cwd: string): Promise<Record<string, ParamValue>[]> =>
  (await mlds(['export', 'v', '--format', 'jsonl'], { cwd })).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, ParamValue>)

describe('the values of a program', () => {
  it('reach the program, the exports, the tables and the figures as they were written', async () => {
    const cwd = host()
    const swept = await mlds(['sweep', 'v.yaml', '--name', 'v'], { cwd })
    expect(swept.code, swept.stderr).toBe(0)
    const ran = linesOf(join(cwd, 'ran.jsonl')).map((line) => JSON.parse(line) as { argv: string[]; params: object })
    expect(ran).toHaveLength(literals.length)
    for (const [, v, words] of literals) expect(ran).toContainEqual({ argv: [...words, '--n=1'], params: { n: 1, v } })

    expect((await rows(cwd)).map(({ v }) => v)).toEqual(literals.map(([, value]) => value))
    const csv = (await mlds(['export', 'v', '--format', 'csv'], { cwd })).stdout
    const cells = literals.map(([, , , told]) => (/[",]/.test(told) ? `"${told.replaceAll('"', '""')}"` : told))
    expect(
      csv
        .split('\r\n')
        .slice(1, -1)
        .map((line, i) => line.includes(`,finished,1,${cells[i]},0,0,0,0,`)),
    ).toEqual(literals.map(() => true))

    const figure = readFileSync(join(cwd, '.mlds/sweeps/v/figures/course.vl.json'), 'utf8')
    const written = [
      'true',
      '[64,64]',
      '"hello, world"',
      '"1.10"',
      '1.1',
      '"007"',
      '""',
      'null',
      '12345678901234567890',
    ]
    // The legend is of the axis, its entries are the values.
    expect(figure).toMatch(/"title": "v",\s+"sort": null/)
    const shown = (await mlds(['best', 'v', '--top', '20'], { cwd })).stdout
    const planned = (await mlds(['plan', 'v.yaml'], { cwd })).stdout
    for (const text of written) {
      expect(figure).toContain(JSON.stringify(text))
      expect(shown).toMatch(new RegExp(`  ${text.replaceAll(/[[\].]/g, '\\$&')}$`, 'm'))
      expect(planned).toContain(text)
    }
    expect((await mlds(['verify', 'v'], { cwd })).code).toBe(0)
    expect((await mlds(['report', 'v', '--out', 'v.html'], { cwd })).code).toBe(0)
  })

  it.skipIf(!hasMlflow)('are parameters in MLflow, from which the sweep comes back', async () => {
    const server = await startMlflow()
    onTestFinished(() => server.close())
    const cwd = host()
    const swept = await mlds(['sweep', 'v.yaml', '--name', 'v', '--track', server.url], { cwd })
    expect(swept.code, swept.stderr).toBe(0)
    const client = new MlflowClient(mlflowSettings(server.url, {}))
    const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'v'`)
    const texts = runs.filter(({ tags }) => 'mlds.trial' in tags).map(({ params }) => params['v'])
    expect(texts.sort()).toEqual(literals.map(([, , , told]) => (told === '' ? '""' : told)).sort())
    const audited = await mlds(['audit', server.url], { cwd })
    expect(audited.code, audited.stdout + audited.stderr).toBe(0)
    const elsewhere = host()
    const recovered = await mlds(['recover', 'v', '--from', server.url], { cwd: elsewhere })
    expect(recovered.code, recovered.stderr).toBe(0)
    expect(await rows(elsewhere)).toEqual(await rows(cwd))
  })

  it.skipIf(!hasNats)('reach a program on another host', async () => {
    const server = await startNatsServer(join(temporaryFolder(), 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const [home, far] = [host(), host()]
    const worker = startMlds(['worker', 'start', '--nats', server.url, '--slots', '2', '--experiment', 'v.yaml'], {
      cwd: far,
    })
    await until(() => worker.output().includes('is ready'))
    const swept = await mlds(['sweep', 'v.yaml', '--name', 'v', '--nats', server.url], { cwd: home })
    expect(swept.code, swept.stderr).toBe(0)
    const ran = linesOf(join(far, 'ran.jsonl')).map((line) => JSON.parse(line) as { argv: string[]; params: object })
    for (const [, v, words] of literals) expect(ran).toContainEqual({ argv: [...words, '--n=1'], params: { n: 1, v } })
    expect((await rows(home)).map(({ v }) => v)).toEqual(literals.map(([, value]) => value))
  })
})

describe('a message of a trial', () => {
  const value = fc.letrec<{ value: ParamValue; list: ParamValue[] }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ maxLength: 6_000, size: 'large' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      tie('list'),
    ),
    list: fc.array(tie('value'), { maxLength: 4 }),
  })).value
  const seeds = { data: 0, init: 0, shuffle: 0, corruption: 0 }
  const messageOf = (v: ParamValue) => {
    const trial = {
      id: '0'.repeat(16),
      index: 0,
      experiment: 'e',
      version: 1,
      stage: 'main',
      params: { v },
      seeds,
      parents: [],
      cost: 1,
    }
    const assignment = { sweep: 's', trial, attempt: 1, parents: [], engine: 'cpu', interactive: false } as const
    return { v: versionFor(assignment), codeVersion: '0.1.0', maxAttempts: 3, datasets: [], assignment }
  }

  it('brings whatever value a plan holds', () => {
    fc.assert(
      fc.property(value, (v) => {
        const message = messageOf(v)
        expect(decode(trialMessage, encode(message))).toEqual(JSON.parse(JSON.stringify(message)))
      }),
    )
  })

  it('is for those alone that know lists and null, where it has one, and for older ones too where it has none', () => {
    fc.assert(
      fc.property(value, (v) => {
        const isNew = typeof v === 'object' || (typeof v === 'string' && v.length > 4_000)
        expect(messageOf(v).v).toBe(isNew ? valuesSince : valuesSince - 1)
      }),
    )
  })
})
