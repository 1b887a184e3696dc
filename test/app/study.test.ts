import { readFileSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStudy, type Study, type StudyDescription, type StudyTrial } from '../../src/index.js'
import { Random } from '../../src/core/seed.js'
import { readJournal } from '../../src/sweeps/journal/journal.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const description: StudyDescription = {
  axes: { rate: { log: [1e-4, 1] }, width: { int: [1, 64] }, optimizer: ['adam', 'sgd'] },
  sampler: 'tpe',
  parallel: 4,
  count: 30,
}
const loss = ({ params: { rate, width, optimizer } }: StudyTrial): number =>
  Math.abs(Math.log(Number(rate) / 0.01)) + Math.abs(Number(width) - 20) / 20 + (optimizer === 'sgd' ? 1 : 0)

/** So many at once, which end in an order of their own. */
async function drive(study: Study, workers: number, seed: number): Promise<void> {
  const random = new Random(seed, 'order')
  const running: StudyTrial[] = []
  for (let asked = await study.ask(); asked !== undefined || running.length > 0;) {
    if (asked !== undefined) running.push(asked)
    while (running.length > 0 && (asked === undefined || running.length >= workers)) {
      const [ended] = running.splice(Math.floor(random.uniform() * running.length), 1)
      study.tell(ended!, ended!.number % 7 === 3 ? { failed: 'odd' } : loss(ended!))
      // With as many open as are suggested at once, the next may wait for one of them.
      if (running.length < workers) break
    }
    if (asked === undefined) continue
    const next = study.ask()
    // The trial that is waited for is among those that run.
    let isThere = false
    void next.then(() => (isThere = true))
    await new Promise((resolve) => setImmediate(resolve))
    while (!isThere && running.length > 0) {
      const ended = running.shift()!
      study.tell(ended, ended.number % 7 === 3 ? { failed: 'odd' } : loss(ended))
      await new Promise((resolve) => setImmediate(resolve))
    }
    asked = await next
  }
}

describe('a study', () => {
  it('suggests the same whatever is told first, each setting once, and ends with its count', async () => {
    const tables: string[] = []
    for (const [workers, seed] of [
      [1, 0],
      [2, 1],
      [4, 2],
      [4, 3],
    ] as const) {
      const study = await openStudy(description)
      await drive(study, workers, seed)
      const trials = study.trials()
      expect(new Set(trials.map(({ params }) => JSON.stringify(params))).size).toBe(30)
      tables.push(JSON.stringify(trials))
      expect(study.best()!.mean).toBe(Math.min(...trials.flatMap(({ metrics }) => Object.values(metrics))))
      expect(await study.ask()).toBeUndefined()
    }
    expect(new Set(tables).size).toBe(1)
  })

  it('goes on in a new process after any event, over its folder, where mlds knows it', async () => {
    const whole = await openStudy(description)
    await drive(whole, 3, 1)
    const cwd = temporaryFolder()
    const store = join(cwd, '.mlds')
    const open = (): Promise<Study> => openStudy({ ...description, name: 'mine' }, { store })
    const journal = join(store, 'sweeps', 'mine', 'journal.jsonl')
    const first = await open()
    await drive(first, 3, 1)
    await first.close()
    for (const kept of [70, 41, 17, 6, 2, 1]) {
      truncateSync(journal, [...readJournal(journal)][kept]!.offset)
      const again = await open()
      await drive(again, 1 + (kept % 4), kept)
      expect(again.trials(), `after event ${kept}`).toEqual(whole.trials())
      await again.close()
    }
    expect((await mlds(['verify', 'mine'], { cwd })).stdout).toContain('search: 30 settings, each suggested anew')
    expect((await mlds(['best', 'mine', '--top', '1'], { cwd })).stdout).toContain('adam')
    const resumed = await mlds(['resume', 'mine'], { cwd })
    expect(resumed).toMatchObject({ code: 2 })
    expect(resumed.stderr).toMatch(/trials of a study are run by the program that asks/)
  })

  it('is open in one process at a time, and not with another search or objective', async () => {
    const store = join(temporaryFolder(), 'store')
    const study = await openStudy({ ...description, name: 'mine' }, { store })
    await expect(openStudy({ ...description, name: 'mine' }, { store })).rejects.toThrow(/mine/)
    const waiting = Promise.all(Array.from({ length: 6 }, () => study.ask()))
    const refused = expect(waiting).rejects.toThrow(/the study: it is closed/)
    await study.close()
    await refused
    await expect(openStudy({ ...description, name: 'mine', sampler: 'gp' }, { store })).rejects.toThrow(
      /exists with another/,
    )
    const objective = { metric: 'accuracy', direction: 'maximize' } as const
    await expect(openStudy({ ...description, name: 'mine', objective }, { store })).rejects.toThrow(
      'mine exists with another objective: minimize loss (now maximize accuracy',
    )
  })

  it('begins with what earlier studies of the store found, tries none of it again, and keeps what it learnt', async () => {
    const store = join(temporaryFolder(), '.mlds')
    const tell = async (study: Study, count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const trial = (await study.ask())!
        study.tell(trial, loss(trial))
      }
    }
    const first = await openStudy({ ...description, parallel: 1, name: 'first' }, { store })
    await tell(first, 12)
    const asked = await first.ask()
    const later = { ...description, parallel: 1, seed: 1, count: 10, learnFrom: 'first' } as const
    const [inMemory, kept] = [
      await openStudy(later, { store }),
      await openStudy({ ...later, name: 'second' }, { store }),
    ]
    expect(kept.learnt).toEqual(['12 settings of sweep first (left out: 1 have not ended)'])
    await tell(inMemory, 10)
    await tell(kept, 4)
    await kept.close()
    first.tell(asked!, 0)
    await first.close()
    const again = await openStudy({ ...later, name: 'second' }, { store })
    await tell(again, 6)
    expect(again.trials()).toEqual(inMemory.trials())
    await again.close()
    const settings = [...first.trials().slice(0, 12), ...again.trials()].map(({ params }) => JSON.stringify(params))
    expect(new Set(settings).size).toBe(22)
    const plan = readFileSync(join(store, 'sweeps', 'second', 'plan.json'), 'utf8')
    const { suggested } = JSON.parse(plan) as { suggested: { rule: string; modelSize: number }[] }
    expect(suggested[0]).toMatchObject({ rule: 'tpe', modelSize: 12 })
    const verified = await mlds(['verify', 'second'], { cwd: dirname(store) })
    expect(verified.stdout).toContain('search: 10 settings, each suggested anew as it was')
  })

  it('learns from no study that there is not, from itself or of another objective', async () => {
    const store = join(temporaryFolder(), '.mlds')
    const study = await openStudy({ ...description, name: 'first' }, { store })
    study.tell((await study.ask())!, 1)
    await study.close()
    const open = (more: Partial<StudyDescription>): Promise<Study> => openStudy({ ...description, ...more }, { store })
    await expect(open({ learnFrom: 'frist' })).rejects.toThrow('unknown sweep to learn from: frist')
    await expect(open({ learnFrom: 'first', name: 'first' })).rejects.toThrow(/this is its own name/)
    await expect(open({ learnFrom: 'first', objective: { metric: 'size' } })).rejects.toThrow(/minimize loss, and this/)
    await expect(open({ learnFrom: ['first', 3 as never] })).rejects.toThrow(/3 is not the name of a sweep/)
  })

  it('takes several objectives and constraints, by their names or in their order', async () => {
    const study = await openStudy({
      axes: { x: { int: [0, 9] } },
      objective: [{ metric: 'size' }, { metric: 'gain', direction: 'maximize' }],
      constraints: { memoryMb: { max: 4 } },
    })
    for (let trial = await study.ask(); trial !== undefined; trial = await study.ask()) {
      const x = Number(trial.params['x'])
      if (trial.number === 0) expect(() => study.tell(trial, [1, 2])).toThrow(/memoryMb is missing \(tell size and/)
      study.tell(trial, { size: x, gain: x === 2 ? NaN : x, memoryMb: x })
    }
    expect(study.front().map(({ params }) => params['x'])).toEqual([0, 1, 3, 4])
    expect(study.best()).toBeUndefined()
    expect(study.trials()).toHaveLength(10)
  })

  it('refuses what it can make nothing of, in a sentence', async () => {
    const study = await openStudy({ axes: { x: { uniform: [0, 1] } } })
    const trial = (await study.ask())!
    expect(() => study.tell(9, 1)).toThrow('the study: trial 9 was not asked for')
    expect(() => study.tell(trial, 'good' as never)).toThrow(/trial 0: "good" is no result/)
    expect(() => study.tell(trial, [1, 2])).toThrow(/2 values, of the objectives loss/)
    expect(() => study.tell(trial, { accuracy: 1 })).toThrow(/loss is missing/)
    study.tell(trial, Infinity)
    expect(() => study.tell(trial, 1)).toThrow('trial 0 was told already: {"loss":null}')
    expect(study.best()).toBeUndefined()
    await expect(openStudy({ axes: {} })).rejects.toThrow(/axes: missing/)
    await expect(openStudy({ axes: { x: [1] }, sampler: 'sobol' as never })).rejects.toThrow(
      /suggests nothing to a study/,
    )
    for (const none of [undefined, null, 'trial 0', {}])
      expect(() => study.tell(none as never, 1)).toThrow(/^the study: .* is no trial \(what ask gave, or its number\)$/)
    await expect(openStudy(null as never)).rejects.toThrow('its description is not an object: null')
    await expect(openStudy({ axes: { x: [1] }, paralel: 3 } as never)).rejects.toMatchObject({
      message: 'unknown key of a study: paralel',
      hint: expect.stringContaining('did you mean parallel?') as string,
    })
    await expect(openStudy({ axes: { x: [1] }, repeat: 3 } as never)).rejects.toThrow('unknown key of a study: repeat')
    await expect(openStudy({ axes: { x: [1] }, name: 'latest' })).rejects.toThrow(
      'name: latest: this is what the newest sweep is called everywhere',
    )
  })

  it('is what docs/library.md shows', async () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'library.md'), 'utf8')
    const [, block] = /```ts\n(import \{ openStudy[^`]*)```/.exec(page)!
    const said: unknown[] = []
    const body = block!.replace(/^import .*\n/, '')
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- The page's own lines.
    const run = new Function('openStudy', 'console', `return (async () => {${body}})()`) as (
      open: typeof openStudy,
      console: { log: (...words: unknown[]) => void },
    ) => Promise<void>
    await run(openStudy, { log: (...words) => said.push(...words) })
    expect(said.length).toBeGreaterThan(0)
    expect(Number((said.at(-1) as { mean: number }).mean)).toBeLessThan(0.2)
  })
})
