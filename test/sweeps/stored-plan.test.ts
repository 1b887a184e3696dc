import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { openStore } from '../../src/system/store.js'
import { makePlan } from '../../src/sweeps/plan.js'
import {
  encodePlan,
  parsePlan,
  planFormat,
  readPlan,
  readPlanFacts,
  type StoredPlan,
} from '../../src/sweeps/stored-plan.js'
import { SweepFolder, sweepsByAge } from '../../src/sweeps/sweep-folder.js'
import { plainExperiment, toyExperiment } from '../helpers/experiments.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-plan-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'plan.json')

const stored = (axes: Record<string, readonly number[]>, experiment = toyExperiment()): StoredPlan => ({
  format: 1,
  sweep: 'toy',
  codeVersion: '0.1.0',
  createdAtMs: 1_700_000_000_000,
  ...makePlan(experiment, { experiment: 'toy', axes }, () => 'none'),
})
const bytesOf = (plan: StoredPlan): Buffer => Buffer.concat([...encodePlan(plan)])
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

describe('plan.json', () => {
  it('is one JSON text with a trial a line, the same plan however it is laid out', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 6 }), (width) => {
        const plan = stored({ width })
        const bytes = bytesOf(plan)
        expect(bytes.toString().split('\n')).toHaveLength(plan.trials.length + 3)
        const whole = JSON.parse(bytes.toString()) as object
        expect(whole).toEqual({ ...plan, trialsCrc32: expect.stringMatching(/^[0-9a-f]{8}$/) as string })
        const laidOut = [plan, whole].flatMap((all) => [`${JSON.stringify(all)}\n`, JSON.stringify(all, null, 2)])
        for (const text of [bytes.toString(), ...laidOut]) {
          expect(parsePlan(Buffer.from(text), 'here')).toEqual(plan)
          writeFileSync(file, text)
          expect(readPlan(file).plan).toEqual(plan)
          const { trials: _, ...facts } = plan
          expect(readPlanFacts(file)).toEqual(facts)
        }
      }),
    )
  })

  it('that somebody changed a trial in is refused, also where the ids are as they were', () => {
    const text = bytesOf(stored({ width: [8, 16] })).toString()
    for (const [from, to] of [
      ['"width":8', '"width":9'],
      ['"seeds":{"data":0', '"seeds":{"data":1'],
      ['"cost":', '"cost":1'],
      ['"index":0', '"index":5'],
    ] as const) {
      expect(text).toContain(from)
      for (const altered of [text.replace(from, to), JSON.stringify(JSON.parse(text.replace(from, to)), null, 2)])
        expect(() => parsePlan(Buffer.from(altered), 'here'), to).toThrow(/the plan of sweep toy was altered/)
    }
  })

  it('that an earlier version wrote, without a sum, is read', () => {
    const plan = stored({ width: [8, 16] })
    const text = bytesOf(plan)
      .toString()
      .replace(/\],"trialsCrc32.*/, ']}')
    expect(text).not.toContain('Crc')
    expect(parsePlan(Buffer.from(text), 'here')).toEqual(plan)
  })

  it('is refused in a sentence when it is torn at any byte, or is no plan', () => {
    const bytes = bytesOf(stored({ width: [8, 16] }, plainExperiment()))
    for (let length = 0; length < bytes.length - 2; length++)
      expect(() => parsePlan(bytes.subarray(0, length), 'here')).toThrow(/^the plan can't be read: here: /)
    for (const text of [
      'null',
      '7',
      '{}',
      '[]',
      '{"trials":{}}',
      '{"trials":[null],"hash":""}',
      '{"trials":[{"id":7}]}',
    ])
      expect(() => parsePlan(Buffer.from(text), 'here')).toThrow(/^the plan can't be read: here: /)
  })

  it('is refused when a trial was taken out, and when a newer mlds wrote it', () => {
    const plan = stored({ width: [8, 16] })
    expect(() => parsePlan(bytesOf({ ...plan, trials: plan.trials.slice(1) }), 'here')).toThrow(/was altered/)
    const newer = bytesOf({ ...plan, format: planFormat + 1, codeVersion: '9.9.9' })
    expect(() => parsePlan(newer, 'here')).toThrow(
      `written by a newer mlds: plan format ${planFormat + 1} (this one reads up to ${planFormat})`,
    )
  })

  it('of 130,000 trials in one stage is planned, frozen, opened and restored', async () => {
    const experiment = plainExperiment()
    const plan = makePlan(
      experiment,
      {
        experiment: 'toy',
        name: 'wide',
        axes: { width: upTo(1300).map((i) => i + 1), rate: upTo(100).map((i) => i + 1) },
        seeds: [0],
      },
      () => 'none',
    )
    expect(plan.trials).toHaveLength(130_000)
    const store = openStore(folder)
    await SweepFolder.create(store, plan, { codeVersion: '0.1.0', createdAtMs: 5 })
    const opened = await SweepFolder.open(store, 'wide')
    expect(opened.plan.trials.at(-1)).toEqual(plan.trials.at(-1))
    expect(opened.restore().counts()).toMatchObject({ planned: 130_000, missing: 130_000 })
  })

  it('tells when it was made without its trials being read', async () => {
    const store = openStore(folder)
    const plan = stored({ width: [8] })
    await SweepFolder.create(
      store,
      { ...plan, spec: { ...plan.spec, name: 'newer' } },
      { codeVersion: '0.1.0', createdAtMs: 7 },
    )
    const text = readFileSync(join(store.sweepFolder('newer'), 'plan.json'), 'utf8')
    writeFileSync(join(store.sweepFolder('newer'), 'plan.json'), `${text.split('\n')[0]}\nnot a trial`)
    expect((await sweepsByAge(store))[0]).toBe('newer')
  })
})
