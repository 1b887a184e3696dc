import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { freezePlan } from '../../../src/app/planning/freeze-plan.js'
import { planSweep } from '../../../src/app/library.js'
import { planTarget } from '../../../src/app/planning/plan.js'
import { writeValue } from '../../../src/core/param-value.js'
import type { ParamValue } from '../../../src/core/trial.js'
import type { Plan } from '../../../src/sweeps/plan.js'
import { importHydra } from '../../../src/sweeps/spec/import/hydra.js'
import { asPythonWrites } from '../../../src/sweeps/spec/import/python-yaml.js'
import { importWandb } from '../../../src/sweeps/spec/import/wandb.js'
import { openStore, readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'

const experiment = { command: ['true', '{v}'] }
/** Texts that a person would have to think about, among any others. */
const awkward = [
  '',
  ' ',
  '1.10',
  '007',
  '1e3',
  '0x10',
  'true',
  'null',
  '~',
  'hello, world',
  '[64,64]',
  '"',
  "'",
  '""',
  `it's "so"`,
  'a,b',
  '{v}',
  '-',
  '#',
  ': ',
  '.inf',
  '12345678901234567890',
  'a\nb',
  '😀',
  'range',
  'a..b',
  '\\',
  '\\"',
  '${x}',
  '\\${',
  "a'${b}\\\\${c}",
]
const isNotation = (text: string): boolean => /\.\.|^(?:range|linspace|logspace)\s*\(/.test(text)
const text = fc
  .oneof(fc.constantFrom(...awkward), fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }))
  .filter((one) => !one.includes('\0') && !/\p{Surrogate}/u.test(one))
/** YAML's writer puts down digits for a larger integer, and those are kept as digits. */
const number = fc
  .oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, 1e-7, 1e21, 0.1),
  )
  .filter((one) => !Number.isInteger(one) || Number.isSafeInteger(one) || Math.abs(one) >= 1e21)
const value: fc.Arbitrary<ParamValue> = fc.letrec<{ value: ParamValue; list: ParamValue[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text.filter((one) => !isNotation(one)),
    number,
    fc.boolean(),
    fc.constant(null),
    tie('list'),
  ),
  list: fc.array(tie('value'), { maxLength: 3 }),
})).value
const values = fc.array(value, { minLength: 1, maxLength: 5 })

/** What each trial has, with −0 as 0, which every id takes it for. */
const told = ({ trials }: Plan): string[] => trials.map(({ id, params }) => `${id} ${JSON.stringify(params['v'])}`)
const onlyValues = ({ trials }: Plan): string[] => trials.map(({ params }) => JSON.stringify(params['v']))
const folder = (): string => temporaryFolder()

async function planFile(spec: object, set: readonly string[] = [], where = folder(), write = stringify): Promise<Plan> {
  const file = join(where, 'my.yaml')
  writeFileSync(file, write(spec))
  return (await planTarget(file, { set }, readStore(join(where, 'store')))).plan
}

/** A value as Hydra's grammar has it. */
function inHydra(one: ParamValue): string {
  if (Array.isArray(one)) return `[${one.map(inHydra).join(',')}]`
  if (typeof one !== 'string')
    return typeof one === 'number' && Number.isInteger(one) && Math.abs(one) < 1e15
      ? String(one)
      : typeof one === 'number'
        ? one.toExponential()
        : String(one)
  // What OmegaConf would take for an interpolation has a backslash before it, and those before that are doubled.
  const literal = one.replaceAll(/(\\*)\$\{/g, (_, run: string) => `${run}${run}\\\${`)
  return `'${literal.replaceAll(/(\\*)'/g, (_, run: string) => `${run}${run}\\'`).replaceAll(/\\+$/g, (run) => run + run)}'`
}

describe('the values of a program', () => {
  it('are the same in YAML, in JSON, in an object and by --set, and are those that were written', async () => {
    const where = folder()
    await fc.assert(
      fc.asyncProperty(values, async (drawn) => {
        const yaml = await planFile({ experiment, axes: { v: drawn } }, [], where)
        const written = new Set(drawn.map((one) => JSON.stringify(one)))
        expect(new Set(onlyValues(yaml))).toEqual(written)
        const object = await planSweep({ experiment, axes: { v: drawn } }, { store: join(where, 'store') })
        const json = await planFile({ experiment, axes: { v: drawn } }, [], where, (spec: unknown) =>
          JSON.stringify(spec),
        )
        const set = await planFile({ experiment, axes: { v: ['x'] } }, [`v=${drawn.map(writeValue).join(',')}`], where)
        const whole = await planFile({ experiment, axes: { v: `${drawn.map(writeValue).join(',')}, ` } }, [], where)
        const cells = (plan: Plan) => onlyValues(plan)
        for (const other of [json, set, whole]) expect(told(other)).toEqual(told(yaml))
        expect(cells(object)).toEqual(cells(yaml))
      }),
    )
  })

  it('are the same from W&B and from Hydra', async () => {
    const where = folder()
    await fc.assert(
      fc.asyncProperty(values, async (drawn) => {
        const yaml = await planFile({ experiment, axes: { v: drawn } }, [], where)
        const wandb = importWandb(
          // As PyYAML reads and writes: words such as yes are quoted.
          stringify({ program: 't.py', method: 'grid', parameters: { v: { values: drawn } } }, { version: '1.1' }),
          'w',
        )
        // The program gets what Python writes of each: True, None.
        const written = new Set(drawn.map((one) => JSON.stringify(asPythonWrites(one))))
        expect(new Set(onlyValues(await planFile(wandb.spec, [], where)))).toEqual(written)
        const hydra = importHydra(`v=${drawn.map(inHydra).join(',')}`, 't.py')
        expect(onlyValues(await planFile(hydra.spec, [], where))).toEqual(onlyValues(yaml))
      }),
    )
  })

  it('of another kind, added with --extend, change no id of those that are done', async () => {
    await fc.assert(
      fc.asyncProperty(values, values, async (done, more) => {
        const where = folder()
        const store = openStore(join(where, 'store'))
        const first = await planFile({ experiment, name: 'grown', axes: { v: done } }, [], where)
        await freezePlan(store, first, { objective: { metric: 'loss', direction: 'minimize' } })
        const both = await planFile({ experiment, name: 'grown', axes: { v: [...done, ...more] } }, [], where)
        const set = await planFile(
          { experiment, name: 'grown', axes: { v: done } },
          [`v=${[...done, ...more].map(writeValue).join(',')}`],
          where,
        )
        expect(told(set)).toEqual(told(both))
        const { sweep } = await freezePlan(
          store,
          both,
          { objective: { metric: 'loss', direction: 'minimize' } },
          { extend: true },
        )
        const ids = first.trials.map(({ id }) => id)
        expect(sweep.plan.trials.slice(0, ids.length).map(({ id }) => id)).toEqual(ids)
        expect(sweep.plan.trials).toHaveLength(new Set([...done, ...more].map((one) => JSON.stringify(one))).size)
      }),
      { numRuns: 40 },
    )
  })

  it('that look like notation are refused in a list, and each form that is advised plans what it says', async () => {
    const where = folder()
    const notation = fc.constantFrom('8..11', '0..1 step 0.25', 'range(3)', 'logspace(1, 100, 3)', 'linspace(0, 1, 3)')
    await fc.assert(
      fc.asyncProperty(notation, fc.array(value, { maxLength: 2 }), async (one, others) => {
        const refused = await planFile({ experiment, axes: { v: [...others, one] } }, [], where).then(
          () => expect.unreachable(),
          (error: Error) => error.message,
        )
        expect(refused).toMatch(/my\.yaml:\d+:\d+: v: .* is a set of values, and each item of a list is one value/)
        const [, set, literal] =
          /for the set write v: ('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"), for the text v: ('(?:[^']|'')*'|"(?:[^"\\]|\\.)*")\)/.exec(
            refused,
          )!
        const planned = async (form: string) =>
          onlyValues(await planFile({}, [], where, () => `experiment: {command: 'true {v}'}\naxes: {v: ${form}}\n`))
        const expected = new Set([...others, one].map((item) => JSON.stringify(item)))
        expect(new Set(await planned(literal!))).toEqual(expected)
        const asSet = await planned(set!)
        expect(asSet).not.toContain(JSON.stringify(one))
        expect(asSet.length).toBeGreaterThan(others.length)
      }),
    )
  })

  it('that are whole numbers keep all their digits, also in lists', async () => {
    const where = folder()
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), async (big) => {
        const kept = Number.isSafeInteger(Number(big)) ? String(big) : `"${big}"`
        const yaml = await planFile(
          {},
          [],
          where,
          () => `experiment: {command: 'true {v}'}\naxes: {v: [${big}, [${big}]]}\n`,
        )
        expect(onlyValues(yaml)).toEqual([kept, `[${kept}]`])
        const set = await planFile({ experiment, axes: { v: [1] } }, [`v=${big},[${big}]`], where)
        const object = await planSweep({ experiment, axes: { v: [big, [big]] } } as never, {
          store: join(where, 'store'),
        })
        for (const other of [set, object]) expect(onlyValues(other)).toEqual(onlyValues(yaml))
      }),
    )
  })
})

describe('a sweep that was planned in the first language', () => {
  /** As its plan.json has it: no language, kinds of axes by the values of that day. */
  async function planned(where: string, axes: object): Promise<Plan> {
    const plan = await planFile({ experiment, language: 1, name: 'old', axes }, [], where)
    expect(plan.spec).not.toHaveProperty('language')
    const store = openStore(join(where, 'store'))
    await freezePlan(store, plan, { objective: { metric: 'loss', direction: 'minimize' } })
    return plan
  }

  it('has the values and ids of that language', async () => {
    const { trials } = await planned(folder(), { v: ['1.10', '007', '0x10', 'a,b', '"c,d"'] })
    expect(trials.map(({ params }) => params['v'])).toEqual(['1.10', '007', '0x10', 'a', 'b', 'c,d'])
    const numerals = await planned(folder(), { v: ['1.10', '1.1', '007'] })
    expect(numerals.trials.map(({ params }) => params['v'])).toEqual([1.1, 7])
  })

  it.each([
    [
      [1, 2],
      [1, 2, 'auto'],
      [1, 2, 'auto'],
    ],
    [
      ['1.10', '007'],
      ['1.10', '007', '2'],
      [1.1, 7, 2],
    ],
    [
      [1, 'auto'],
      [1, 'auto', 2],
      ['1', 'auto', '2'],
    ],
    [
      [1, 2],
      [1, 2, [64, 64], true, null],
      [1, 2, [64, 64], true, null],
    ],
  ])('goes on in it: %j grown to %j keeps its ids', async (before, after, expected) => {
    const where = folder()
    const old = await planned(where, { v: before })
    // The same file again is the same sweep, and one with more values begins with it, though neither names a language.
    const again = await planFile({ experiment, name: 'old', axes: { v: before } }, [], where)
    expect(told(again)).toEqual(told(old))
    const more = await planFile({ experiment, name: 'old', axes: { v: after } }, [], where)
    expect(more.trials.map(({ params }) => params['v'])).toEqual(expected)
    expect(told(more).slice(0, old.trials.length)).toEqual(told(old))
  })
})
