import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  defineExperiment,
  MldsError,
  number,
  openSweep,
  planSweep,
  runSweep,
  type TrialEvent,
} from '../../src/index.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/** The distance to 3 of a start that walks towards it. */
const walk = defineExperiment({
  name: 'walk',
  space: { rate: number({ default: 0.1 }), start: number({ default: 0 }) },
  async run({ rate, start }, { report, seeds, log }) {
    let x = start + seeds.init
    for (let step = 1; step <= 5; step++) {
      x += rate * (3 - x)
      await report(step, { loss: (x - 3) ** 2 })
    }
    log(`ended at ${x}`)
    return { loss: (x - 3) ** 2 }
  },
})

describe('mlds as a library', () => {
  it('runs an experiment of the program itself, and gives its records, best point and figures', async () => {
    const store = join(temporaryFolder(), 'store')
    const events: TrialEvent[] = []
    const { sweep, summary } = await runSweep(
      { experiment: walk, axes: { rate: 'logspace(0.01,1,3)' }, repeat: 2 },
      { store, onEvent: (event) => events.push(event) },
    )
    expect(summary).toMatchObject({ planned: 6, finished: 6, unique: 6 })
    expect(sweep.counts()).toMatchObject({ planned: 6, finished: 6, missing: 0 })
    expect(events.filter(({ type }) => type === 'report')).toHaveLength(30)
    const records = sweep.records()
    expect(records.map(({ trial }) => trial.params['rate'])).toEqual([0.01, 0.01, 0.1, 0.1, 1, 1])
    expect(records[0]!.series['loss']!.steps).toEqual([1, 2, 3, 4, 5])
    // A rate of 1 is there at once.
    expect((await sweep.best())[0]).toMatchObject({ params: { rate: 1 }, mean: 0, values: [0, 0] })
    expect(summary.figures.some((file) => file.endsWith('result-against-rate.png'))).toBe(true)
    expect(await openSweep('latest', { store }).then(({ id }) => id)).toBe(sweep.id)
  })

  it('ends a sweep whose figure throws as its trials ended, and names the figure', async () => {
    const figures = [
      {
        name: 'broken',
        caption: 'none',
        draw: () => {
          throw new Error('no ink')
        },
      },
    ]
    const store = join(temporaryFolder(), 'store')
    const told: string[] = []
    const { sweep, summary } = await runSweep(
      { experiment: { ...walk, figures } },
      { store, onMessage: (message) => told.push(message) },
    )
    expect(summary).toMatchObject({ planned: 1, finished: 1, figures: [] })
    expect(told).toContain('the figure broken could not be drawn: no ink')
    await expect(sweep.draw()).rejects.toThrow('the figure broken could not be drawn: no ink')
  })

  it('does not send an experiment of the program to workers, and says what to do', async () => {
    const remote = { store: join(temporaryFolder(), 'store'), nats: 'nats://127.0.0.1:1' }
    await expect(runSweep({ experiment: walk }, remote)).rejects.toMatchObject({
      message: expect.stringMatching(/^an object of a program can't be run by workers: walk\.[0-9a-f]{8}$/) as string,
      hint: expect.stringContaining('--experiment FILE') as string,
    })
  })

  it('resumes by running the same again, grows with extend, and starts nothing twice', async () => {
    const store = join(temporaryFolder(), 'store')
    const events: string[] = []
    const onEvent = (event: TrialEvent): void => void (event.type === 'started' && events.push(event.trial))
    const stop = new AbortController()
    const described = { experiment: walk, name: 'walks', axes: { rate: [0.1, 0.2, 0.3, 0.4] } }
    const cut = await runSweep(described, {
      store,
      drain: stop.signal,
      onEvent: (event) => {
        onEvent(event)
        if (event.type === 'ended') stop.abort()
      },
    })
    expect(cut.summary).toMatchObject({ finished: 1, missing: 3, cutShort: 'interrupted' })
    expect((await runSweep(described, { store, onEvent })).summary).toMatchObject({ finished: 4 })
    const grown = { ...described, axes: { rate: [0.1, 0.5] } }
    await expect(runSweep(grown, { store })).rejects.toThrow(/exists with another plan: 1 trial would be new/)
    expect((await runSweep(grown, { store, extend: true, onEvent })).summary).toMatchObject({ planned: 5, finished: 5 })
    expect(new Set(events).size).toBe(5)
    expect(events).toHaveLength(5)
  })

  it('gives up what runs when its signal aborts; the rest is missing and nothing is lost', async () => {
    const store = join(temporaryFolder(), 'store')
    const stop = new AbortController()
    const waiting = defineExperiment({
      name: 'waiting',
      space: { x: number({ default: 0 }) },
      run: ({ x }, { signal }) =>
        x === 0
          ? { loss: 0 }
          : new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error))
              stop.abort()
            }),
    })
    const { summary, sweep } = await runSweep(
      { experiment: waiting, axes: { x: [0, 1, 2] } },
      { store, signal: stop.signal },
    )
    expect(summary).toMatchObject({ finished: 1, missing: 2, cutShort: 'interrupted' })
    expect(sweep.records().map(({ state }) => state)).toEqual(['finished', 'planned', 'planned'])
  })

  it('runs built-in experiments, modules and sweep files on threads, and stops early', async () => {
    const cwd = temporaryFolder()
    const store = join(cwd, '.mlds')
    const file = join(cwd, 'mine.ts')
    writeFileSync(
      file,
      `import { defineExperiment, number } from 'mlds'
       export default defineExperiment({
         space: { x: number({ default: 0 }) },
         async run({ x }, { report }) {
           for (let step = 1; step <= 9; step++) await report(step, { loss: x / step })
           return { loss: x }
         },
       })`,
    )
    const { summary } = await runSweep(
      { experiment: file, axes: { x: { range: [1, 10] } }, scheduler: { target: { value: 1 } } },
      { store, workers: 2 },
    )
    expect(summary).toMatchObject({ planned: 9, finished: 9, stopped: 9 })
    const sweepFile = join(cwd, 'my.yaml')
    writeFileSync(sweepFile, 'experiment: ./mine.ts\nname: from-a-file\naxes: { x: [1, 2] }\n')
    await runSweep(sweepFile, { store, workers: 1 })
    // What the library wrote is an ordinary sweep of the command line.
    const { code, stdout } = await mlds(['best', 'from-a-file', '--json'], { cwd })
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as { points: unknown[] }).points).toHaveLength(2)
  })

  it('plans without running, and the same description gives the same plan', async () => {
    const options = { store: join(temporaryFolder(), 'store') }
    const described = {
      experiment: 'params',
      profile: 'smoke',
      zip: { batch: [50, 100], learningRate: [0.005, 0.01] },
      exclude: { width: { min: 32 } },
    }
    const plan = await planSweep(described, options)
    expect(plan.trials.length).toBeGreaterThan(1)
    expect((await planSweep(described, options)).hash).toBe(plan.hash)
    await expect(openSweep('latest', options)).rejects.toThrow('there is no sweep yet')
  })

  it.each([
    [{ experiment: 'parms' }, /unknown experiment: parms/],
    [{ experiment: 'params', axes: { widht: 8 } }, /widht/],
    [{ experiment: 'params', axis: { width: 8 } }, /the sweep: unknown key: axis/],
    [{ experiment: walk, seeds: 'x' }, /the sweep: seed: "x" is not a seed/],
    ['no-such.yaml', /no-such\.yaml: no such file/],
  ])('refuses %j with a sentence before anything runs', async (described, message) => {
    const store = join(temporaryFolder(), 'store')
    await expect(runSweep(described as string, { store })).rejects.toThrow(message)
  })

  it('takes another function of the same name for another experiment', async () => {
    const store = join(temporaryFolder(), 'store')
    const { sweep } = await runSweep({ experiment: walk }, { store })
    const other = defineExperiment({
      name: 'walk',
      space: { rate: number({ default: 0.1 }) },
      run: () => ({ loss: 1 }),
    })
    const { summary } = await runSweep({ experiment: other }, { store })
    expect(summary.sweep).not.toBe(sweep.id)
    await expect(openSweep(sweep.id, { store, experiment: other })).rejects.toThrow(/is of another experiment/)
    // The command line can look at it, and says why it can't run it.
    const opened = await openSweep(sweep.id, { store })
    expect(opened.counts().finished).toBe(1)
    await expect(opened.resume()).rejects.toThrow(/part of the program that ran it/)
    const again = await openSweep(sweep.id, { store, experiment: walk })
    expect((await again.resume()).summary).toMatchObject({ finished: 1 })
  })

  it.each<[unknown, unknown, RegExp]>([
    [undefined, {}, /^the sweep is neither a text nor a description: undefined$/],
    [null, {}, /neither a text nor a description: null/],
    [[1], {}, /neither a text nor a description: 1/],
    ['shuffle', { workrs: 2 }, /^unknown option of runSweep: workrs$/],
    ['shuffle', { toString: 2 }, /^unknown option of runSweep: toString$/],
    ['shuffle', { limits: { failingalike: 1 } }, /^unknown limit: failingalike$/],
    ['shuffle', { limits: { failingAlike: -1 } }, /^limits.failingAlike: -1 is not an integer of at least 0$/],
    ['shuffle', { limits: { maxFailures: 0 } }, /^limits.maxFailures: 0 is not an integer of at least 1, or Infinity$/],
    ['shuffle', { limits: 3 }, /^limits: 3 is not an object$/],
    ['shuffle', { only: ['finished'] }, /^only: \["finished"\] is not a list of missing, failed, dead/],
    ['shuffle', { only: 'failed' }, /^only: "failed" is not a list/],
    ['shuffle', { workers: 1.5 }, /^workers: 1.5 is not an integer of at least 1$/],
    ['shuffle', { engine: 'gpu' }, /^engine: "gpu" is not /],
    ['shuffle', { fresh: 'yes' }, /^fresh: "yes" is not true or false$/],
    ['shuffle', { signal: {} }, /^signal: \{\} is not an AbortSignal$/],
    ['shuffle', { onEvent: 1 }, /^onEvent: 1 is not a function$/],
    ['shuffle', { store: 7 }, /^store: 7 is not a text$/],
    ['shuffle', null, /^the options are not an object: null$/],
  ])('refuses runSweep(%j, %j) in a sentence, and makes nothing', async (sweep, options, sentence) => {
    const store = join(temporaryFolder(), 'store')
    const given = options === null || 'store' in (options as object) ? options : { store, ...(options as object) }
    const refused = await runSweep(sweep as string, given as { store: string }).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(refused).toBeInstanceOf(MldsError)
    expect((refused as MldsError).message).toMatch(sentence)
    expect(existsSync(store)).toBe(false)
  })
})
