import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, mlds } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'
import { expectSameExport, withDiverged } from './exports.js'
import { unpack, type Fixture } from './fixtures.js'

const sweepFile = ({ folder }: Fixture, id: string, file: string): string => join(folder, '.mlds/sweeps', id, file)
const journal = (fixture: Fixture, id: string): string => readFileSync(sweepFile(fixture, id, 'journal.jsonl'), 'utf8')
const json = ({ stdout, stderr }: { stdout: string; stderr: string }): Record<string, unknown> => {
  try {
    return JSON.parse(stdout) as Record<string, unknown>
  } catch {
    throw new Error(`not JSON: ${stdout}${stderr}`)
  }
}

/** What c44b4e1 called a failure where a loss was not a number: two trials of `moods` diverged. */
const divergedNow = {
  exported: withDiverged,
  counts: <T extends object>(counts: T): T => {
    const { finished, unique, failed } = counts as unknown as Record<string, number>
    return { ...counts, finished: finished! + 2, unique: unique! + 2, failed: failed! - 2, diverged: 2 }
  },
}

describe('a store that c44b4e1 wrote', () => {
  it('is listed, verified, ranked and exported with the same bytes', async () => {
    const { folder, expected } = unpack('local')
    const ids = Object.keys(expected.sweeps)
    const kinds = [
      ['export', '--format', 'csv'],
      ['export', '--format', 'jsonl'],
      ['verify', '--json'],
      ['best', '--json'],
      ['status', '--json'],
    ] as const
    const answers = await inOneProcess(
      [['list', '--json'], ...ids.flatMap((id) => kinds.map(([command, ...flags]) => [command, id, ...flags]))],
      folder,
    )
    // Of JSON, what was there keeps its name and value; more may be said.
    expect(json(answers.shift()!)).toMatchObject(
      (expected.list as unknown as { sweep: string }[]).map((counts) =>
        counts.sweep === 'moods' ? divergedNow.counts(counts) : counts,
      ),
    )
    for (const id of ids) {
      const [csv, jsonl, verify, best, status] = answers.splice(0, kinds.length)
      const before = expected.sweeps[id]!
      const counts = (was: object): object => (id === 'moods' ? divergedNow.counts(was) : was)
      expectSameExport({ csv: csv!.stdout, jsonl: jsonl!.stdout }, divergedNow.exported(before), id)
      expect(json(verify!), id).toMatchObject(counts(before.verify))
      // Of several stages the objective's alone is ranked by now, and points that diverged come last.
      const { points } = json(best!) as { points: { trials: string[]; values: unknown[] }[] }
      const told = new Set(points.flatMap(({ trials }) => trials))
      const was = (before.best as { points?: { trials: string[] }[] }).points ?? []
      expect(
        points.filter(({ values }) => values.length > 0),
        id,
      ).toMatchObject(was.filter(({ trials }) => trials.some((trial) => told.has(trial))))
      expect(json(status!), id).toMatchObject(counts(before.status))
    }
  })

  it('gives the same plans the same ids', async () => {
    const { folder, expected } = unpack('local')
    const plans = Object.values(expected.plans)
    const answers = await inOneProcess(
      plans.map(({ args }) => ['plan', ...args, '--json']),
      folder,
    )
    plans.forEach(({ args, sweep, hash, trials }, i) => {
      const plan = json(answers[i]!)
      // Since then a sweep that is new here is called after its file.
      const isNew = !existsSync(join(folder, '.mlds', 'sweeps', sweep))
      const stem = /^(.*)\.(?:ya?ml|[mc]?[jt]s)$/.exec(basename(args[0]!))?.[1]
      expect(plan).toMatchObject({ sweep: isNew && stem !== undefined ? stem : sweep, hash })
      expect((plan['trials'] as { id: string }[]).map(({ id }) => id)).toEqual(trials)
    })
  })

  it(
    'is resumed where it is complete: nothing runs, nothing is written down, and everything is drawn and reported',
    { timeout: 480_000 },
    async () => {
      const fixture = unpack('local')
      const journals = fixture.complete.map((id) => journal(fixture, id))
      const ran = linesOf(join(fixture.folder, 'ran.log')).length
      const answers = await inOneProcess(
        fixture.complete.flatMap((id) => [
          ['resume', id, '--json'],
          ['report', id, '--json'],
        ]),
        fixture.folder,
      )
      fixture.complete.forEach((id, i) => {
        const [resumed, reported] = [answers[2 * i]!, answers[2 * i + 1]!]
        expect(resumed, id).toMatchObject({ code: 0 })
        expect(reported, id).toMatchObject({ code: 0 })
        expect(journal(fixture, id), id).toBe(journals[i])
        const { figures } = json(resumed) as { figures: string[] }
        for (const figure of figures) expect(statSync(figure).size, figure).toBeGreaterThan(0)
        // The tower's author gave it none.
        expect(figures.length > 0, id).toBe(!id.startsWith('tower'))
      })
      expect(linesOf(join(fixture.folder, 'ran.log'))).toHaveLength(ran)
    },
  )

  it('is resumed where kill -9 ended it: just what is missing runs, and the export is that of an undisturbed sweep', async () => {
    const fixture = unpack('local', { locks: true })
    const { folder, expected } = fixture
    const before = journal(fixture, 'cut')
    const refused = await mlds(['resume', 'cut'], { cwd: folder })
    // The killed process ran on a host called `lab`: nobody here can know that it is gone.
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused.stderr).toMatch(/another process: pid \d+ on lab\n.*delete \S+lock/s)
    expect(journal(fixture, 'cut')).toBe(before)
    rmSync(sweepFile(fixture, 'cut', 'lock'))

    rmSync(join(folder, 'ran.log'))
    const resumed = await mlds(['resume', 'cut', '--json'], { cwd: folder })
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(json(resumed)).toMatchObject({ planned: 16, finished: 16, unique: 16, missing: 0 })
    // 2 had ended.
    expect(new Set(linesOf(join(folder, 'ran.log'))).size).toBe(14)
    expect(linesOf(join(folder, 'ran.log'))).toHaveLength(14)
    expect(journal(fixture, 'cut').startsWith(before)).toBe(true)
    const [csv, jsonl] = await inOneProcess(
      [
        ['export', 'cut'],
        ['export', 'cut', '--format', 'jsonl'],
      ],
      folder,
    )
    expect({ csv: csv!.stdout, jsonl: jsonl!.stdout }).toEqual(expected.undisturbed['cut'])
  })

  it('is resumed where trials failed: these run again and end as before', async () => {
    const fixture = unpack('local')
    const { folder, expected } = fixture
    const ids = ['moods', 'fallen']
    const answers = await inOneProcess(
      ids.flatMap((id) => [
        ['resume', id, '--json', '--workers', '2'],
        ['export', id],
        ['export', id, '--format', 'jsonl'],
      ]),
      folder,
    )
    for (const id of ids) {
      const [resumed, csv, jsonl] = answers.splice(0, 3)
      expect(resumed!.code, resumed!.stderr).toBe(1)
      const before = divergedNow.exported(expected.sweeps[id]!)
      expectSameExport({ csv: csv!.stdout, jsonl: jsonl!.stdout }, before, id)
    }
  })

  it('is extended, and lends its results: only what is new runs', async () => {
    const fixture = unpack('local')
    const { folder, expected } = fixture
    rmSync(join(folder, 'ran.log'))
    const [grown, line, fresh, rows] = await inOneProcess(
      [
        ['sweep', 'train.yaml', '--name', 'grown', '--set', 'lr=0.2,0.4,0.8', '--extend', '--json'],
        // Between nets that the version before trained and stored.
        ['sweep', 'interpolate', '-p', 'smoke', '--name', 'line', '--set', 'alphaStep=0.5,0.25', '--extend', '--json'],
        ['sweep', 'train.yaml', '--name', 'borrowed', '--json'],
        ['export', 'borrowed'],
      ],
      folder,
    )
    expect(json(grown!)).toMatchObject({ planned: 12, finished: 12, unique: 12 })
    expect(linesOf(join(folder, 'ran.log')).map((words) => words.split(' ')[0])).toEqual(Array(4).fill('0.8'))
    expect(line!.code, line!.stderr).toBe(0)
    const stages = journal(fixture, 'line').trimEnd().split('\n')
    expect(stages.filter((text) => text.includes('"type":"started"')).length).toBeGreaterThan(0)
    expect(json(fresh!)).toMatchObject({ planned: 8, finished: 8 })
    const trained = Object.keys(expected.sweeps).find((id) => id.startsWith('train.'))!
    expect(rows!.stdout).toBe(expected.sweeps[trained]!.csv)
    expect(journal(fixture, 'borrowed').split('"type":"reused"')).toHaveLength(1 + 8)
  })
})
