import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Journal, readJournal, type JournalEvent } from '../../../src/sweeps/journal/journal.js'
import { DamageTally } from '../../../src/sweeps/journal/damage.js'
import { repairJournal } from '../../../src/sweeps/journal/repair.js'
import { makePlan } from '../../../src/sweeps/plan.js'
import { isResult, SweepState } from '../../../src/sweeps/journal/state.js'
import { lockSweep } from '../../../src/system/lock.js'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { plainExperiment } from '../../helpers/experiments.js'

const { trials } = makePlan(
  plainExperiment(),
  { experiment: 'toy', axes: { width: [1, 2, 3] }, seeds: [0] },
  () => 'none',
)

const opened: JournalEvent = { type: 'opened', format: 1, sweep: 's', planHash: 'h', codeVersion: '1', atMs: 1 }
const closed: JournalEvent = { type: 'closed', reason: 'done', atMs: 99 }
/** One attempt at a trial, as one process tells of it. */
function attempt(trial: string, atMs: number, loss = 0.5): JournalEvent[] {
  return [
    { type: 'started', trial, attempt: 1, atMs, worker: 'thread 1' },
    ...[1, 2].map((step): JournalEvent => ({
      type: 'report',
      trial,
      attempt: 1,
      atMs: atMs + step,
      step,
      metrics: { loss: 1 / step },
    })),
    {
      type: 'ended',
      trial,
      attempt: 1,
      atMs: atMs + 3,
      outcome: { state: 'finished', metrics: { loss }, artifacts: {} },
    },
  ]
}
const whole = [opened, ...trials.flatMap(({ id }, i) => attempt(id, 10 * i)), closed]

function journalOf(events: readonly JournalEvent[]): { file: string; bytes: Buffer } {
  const file = join(temporaryFolder(), 'journal.jsonl')
  const journal = Journal.open(file)
  events.forEach((event) => journal.append(event))
  journal.close()
  return { file, bytes: readFileSync(file) }
}

function read(file: string) {
  const damage = new DamageTally()
  const entries = existsSync(file) ? [...readJournal(file, damage.add)] : []
  const state = new SweepState(trials)
  for (const { event } of entries) state.apply(event)
  const results = [...state.trials.values()].flatMap(({ trial, outcome }) =>
    isResult(outcome) ? [[trial.id, outcome]] : [],
  )
  return { entries, damage: damage.toString(), counts: state.counts(), results, repeated: state.repeatedEnds }
}

/** Repairs, and holds what every repair promises; gives back what is read then. */
async function repaired(file: string) {
  const before = read(file)
  const bytes = existsSync(file) ? readFileSync(file) : undefined
  const repair = await repairJournal(file, trials)
  const after = read(file)
  expect(after.damage).toBe('')
  expect(after.repeated).toBe(0)
  expect(after.counts.finished).toBe(after.counts.unique)
  expect(after.results.map(([id]) => id)).toEqual(before.results.map(([id]) => id))
  if (repair === undefined) expect(existsSync(file) ? readFileSync(file) : undefined).toEqual(bytes)
  else expect(readFileSync(repair.kept)).toEqual(bytes)
  // A tracker that was told of an event must not be told again, nor pass one over that it was not told of.
  const offsets = new Map(before.entries.toReversed().map(({ event, offset }) => [JSON.stringify(event), offset]))
  for (const { event, offset } of after.entries)
    if (before.repeated === 0) expect(offset).toBeGreaterThanOrEqual(offsets.get(JSON.stringify(event))!)
  expect(await repairJournal(file, trials)).toBeUndefined()
  return { ...after, repair }
}

const damages: Record<string, { make: (bytes: Buffer) => Buffer | undefined; results: number }> = {
  'no damage': { make: (bytes) => bytes, results: 3 },
  'a byte order mark': { make: (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes]), results: 3 },
  'CRLF line ends': { make: (bytes) => Buffer.from(bytes.toString().replaceAll('\n', '\r\n')), results: 3 },
  'no line ends': { make: (bytes) => Buffer.from(bytes.toString().replaceAll('\n', '')), results: 3 },
  'a last line without its end': { make: (bytes) => bytes.subarray(0, -1), results: 3 },
  'garbage before, between and after': {
    make: (bytes) =>
      Buffer.from(`\0\x1b garbage\n${bytes.toString().replace('\n', '\n{"type":"ended"}\n\n\xff\n')}more`, 'latin1'),
    results: 3,
  },
  'an end that stands twice': {
    make: (bytes) => Buffer.from(bytes.toString().replace(/^.*"ended".*\n/m, (line) => line + line)),
    results: 3,
  },
  'every line twice': {
    make: (bytes) => Buffer.from(bytes.toString().replace(/^.*\n/gm, (line) => line + line)),
    results: 3,
  },
  'nothing but garbage': { make: (bytes) => Buffer.alloc(bytes.length, 'x'), results: 0 },
  'an empty file': { make: () => Buffer.alloc(0), results: 0 },
  'no file': { make: () => undefined, results: 0 },
}

describe('a journal', () => {
  it.each(Object.entries(damages))('with %s is made whole without losing a result', async (_, { make, results }) => {
    const { bytes } = journalOf(whole)
    const file = join(temporaryFolder(), 'journal.jsonl')
    const damaged = make(bytes)
    if (damaged !== undefined) writeFileSync(file, damaged)
    const after = await repaired(file)
    expect(after.results).toHaveLength(results)
    expect(after.results).toEqual(read(journalOf(whole).file).results.slice(0, results))
    expect(readdirSync(join(file, '..')).filter((name) => !/^journal\.jsonl(\.damaged-1)?$/.test(name))).toEqual([])
  })

  it('cut at any byte, or with any byte another, is made whole, and loses the results of at most two lines', async () => {
    const { bytes } = journalOf(whole)
    const file = join(temporaryFolder(), 'journal.jsonl')
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, value) => {
        writeFileSync(file, bytes.subarray(0, at))
        const cut = await repaired(file)
        expect(cut.entries.map(({ event }) => event)).toEqual(whole.slice(0, cut.entries.length))
        const flipped = Buffer.from(bytes)
        flipped[at] = value
        writeFileSync(file, flipped)
        const { entries } = await repaired(file)
        expect(entries.length).toBeGreaterThanOrEqual(whole.length - 1)
        for (const { event } of entries) expect(whole).toContainEqual(event)
      }),
      { numRuns: 100 },
    )
  })

  it('of two processes that ran the same trials keeps the first result of each, and says which differ', async () => {
    const [first, second, third] = trials.map(({ id }) => id) as [string, string, string]
    const [a, b] = [attempt(first, 0), attempt(first, 1)]
    const events = [
      opened,
      opened,
      // Told by turns, with equal results.
      ...a.flatMap((event, i) => [event, b[i]!]),
      ...attempt(second, 10, 0.1),
      closed,
      ...attempt(second, 20, 0.2),
      ...attempt(third, 30),
    ]
    const { file } = journalOf(events)
    expect(read(file).counts).toMatchObject({ finished: 5, unique: 3 })
    const { counts, results, repair, entries } = await repaired(file)
    expect(counts).toMatchObject({ planned: 3, finished: 3, unique: 3 })
    expect(repair).toMatchObject({ ranTwice: [first, second], differing: [second] })
    expect(new Map(results as [string, { metrics: object }][]).get(second)).toMatchObject({ metrics: { loss: 0.1 } })
    expect(entries.filter(({ event }) => event.type === 'report' && event.trial === first)).toHaveLength(2)
  })

  it('that many lines of can not be read is told of in one sentence', () => {
    const { file, bytes } = journalOf(whole)
    writeFileSync(file, bytes.toString().replaceAll('"crc"', '"cra"'))
    expect(read(file).damage).toBe(`${whole.length} lines can't be read (lines 1–${whole.length}: no checksum)`)
  })
})

describe('mlds verify --repair', () => {
  it('makes a sweep whole from the command line, unless someone writes it, and says what is left to do', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'sweep.yaml'),
      `name: s\nexperiment: {command: [node, -p, '"metric=" + {a}']}\naxes: {a: [1, 2, 3]}\n`,
    )
    expect((await mlds(['sweep', 'sweep.yaml'], { cwd })).code).toBe(0)
    const folder = join(cwd, '.mlds', 'sweeps', 's')
    const file = join(folder, 'journal.jsonl')
    const lines = readFileSync(file, 'utf8').split('\n')
    const ends = lines.flatMap((line, i) => (line.includes('"ended"') ? [i] : []))
    const broken = lines.with(ends[0]!, lines[ends[0]!]!.replace('finished', 'fini.hed'))
    writeFileSync(file, [...broken.slice(0, -1), lines[ends[1]!]!, ''].join('\r\n'))
    const verified = await mlds(['verify', 's'], { cwd })
    expect([verified.code, verified.stdout.split('\n').slice(2)]).toEqual([
      1,
      [
        `journal: 1 line can't be read (line ${ends[0]! + 1}: the checksum does not match)`,
        'journal: 1 end stands twice and counts once',
        'To make the journal whole: mlds verify s --repair',
        '',
      ],
    ])
    const lock = lockSweep(join(folder, 'lock'), 's')
    const refused = await mlds(['verify', 's', '--repair'], { cwd })
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining(`another process: pid ${process.pid}`)])
    lock.release()
    const repaired = await mlds(['verify', 's', '--repair'], { cwd })
    expect(repaired.stdout).toContain('(unreadable lines blanked: 1; repeated ends dropped: 1)')
    expect(repaired.stdout).toContain(`kept in ${file}.damaged-1\nplanned 3, finished 2, unique 2: not complete`)
    expect(repaired.stdout).toContain('Run what is missing with: mlds resume s')
    expect((await mlds(['resume', 's'], { cwd })).code).toBe(0)
    const whole = await mlds(['verify', 's'], { cwd })
    expect([whole.code, whole.stdout.split('\n').slice(2)]).toEqual([0, ['']])
    expect((await mlds(['verify', 's', '--repair'], { cwd })).stdout).toContain('nothing to repair')
  })
})
