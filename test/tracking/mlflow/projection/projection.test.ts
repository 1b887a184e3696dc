import { describe, expect, it } from 'vitest'
import type { Attempt, HistoryEvent } from '../../../../src/tracking/mlflow/projection/attempts.js'
import { attemptsOf } from '../../../../src/tracking/mlflow/projection/attempts.js'
import { savedPath, SweepProjection } from '../../../../src/tracking/mlflow/projection/projection.js'
import { keptReports } from '../../../../src/tracking/mlflow/projection/selection.js'
import { readSource } from '../../../../src/tracking/mlflow/projection/source-tags.js'
import { shortenNote, SweepCourse } from '../../../../src/tracking/mlflow/projection/story.js'
import type { SweepInfo } from '../../../../src/tracking/tracker.js'
import { story } from '../../../helpers/open-tracker.js'
import { eventfulJournal, toyTrial } from '../../../helpers/told-by-journal.js'

const info: SweepInfo = {
  sweep: 'toy-1',
  name: 'toy',
  experiment: 'toy',
  question: 'Does it arrive?',
  objective: { metric: 'train/loss', direction: 'minimize' },
  spec: { experiment: 'toy' },
  planHash: 'abc',
  codeVersion: '0',
  openedAtMs: 1_699_999_999_000,
  trials: eventfulJournal().trials,
}
const events = eventfulJournal().entries.map(({ event }) => event)
const sources = { readLog: async () => undefined }

function courseOf(told: readonly HistoryEvent[]): SweepCourse {
  const course = new SweepCourse(info.objective, info.trials, info.openedAtMs)
  for (const event of told) course.apply(event)
  return course
}

describe('the projection of a sweep', () => {
  it('ends as the attempts did: diverged ones finished, stopped and lost ones killed, dead ones failed', () => {
    const projection = new SweepProjection(info, sources)
    const ends = attemptsOf(info.trials, events).map((attempt) => {
      const { name, status, tags } = projection.child(attempt, 'p')
      return [name, status, tags['mlds.state']]
    })
    expect(ends).toEqual([
      ['width=4 seed=0', 'FINISHED', 'finished'],
      ['width=5 seed=0', 'FINISHED', 'diverged'],
      ['width=6 seed=0', 'KILLED', 'stopped'],
      ['width=7 seed=0', 'KILLED', 'lost'],
      ['width=7 seed=0 (attempt 2)', 'FINISHED', 'finished'],
      ['width=8 seed=0', 'FAILED', 'dead'],
      ['width=9 seed=0', 'KILLED', 'skipped'],
      ['width=10 seed=0', 'FINISHED', 'finished'],
    ])
  })

  it('never ends before it began, however far behind the clock of the worker is that ended the last trial', async () => {
    const hourMs = 3_600_000
    const behind = events.map((event) => ({ ...event, atMs: event.atMs - hourMs }))
    const told = await story()
    const { startMs, endMs } = new SweepProjection(info, sources).parent(courseOf(behind), told)
    expect(endMs).toBeGreaterThanOrEqual(startMs)
    const onTime = new SweepProjection(info, sources).parent(courseOf(events), told)
    expect(onTime.endMs).toBe(courseOf(events).endedAtMs)
  })

  it('says in a description why a run has no result, as text that no page takes for more', () => {
    const projection = new SweepProjection(info, sources)
    const failed = (message: string): string | undefined => {
      const outcome = { state: 'failed', error: { name: 'Error', message } } as const
      const attempt = {
        trial: toyTrial(0),
        attempt: 1,
        startedAtMs: 0,
        worker: 'w',
        reports: [],
        end: { atMs: 1, outcome },
      }
      return projection.child(attempt, 'p').tags['mlflow.note.content']
    }
    expect(failed('no such file\n![x](http://elsewhere)')).toBe(
      'It failed:\n\n    no such file\n    ![x](http://elsewhere)',
    )
    const notes = attemptsOf(info.trials, events).map(
      (attempt) => projection.child(attempt, 'p').tags['mlflow.note.content'],
    )
    expect(notes.map((note) => note?.split(':')[0])).toEqual([
      ...[
        undefined,
        'It diverged',
        'It was stopped',
        'It was lost',
        undefined,
        'It is given up',
        'It was skipped',
        undefined,
      ],
    ])
  })

  it('names runs by what varies in a plan that grows, the first of them too', () => {
    const projection = new SweepProjection({ ...info, trials: [] }, sources)
    const grown = [toyTrial(0), toyTrial(1)]
    projection.add(grown)
    const runs = attemptsOf(grown, events).map((attempt) => projection.child(attempt, 'p'))
    expect(runs.map(({ name }) => name)).toEqual(['width=4 seed=0', 'width=5 seed=0'])
    expect(runs[0]!.params).toEqual({ width: '4', seed: '0', rate: '0.001' })
    expect(projection.parent(courseOf(events)).params).toEqual({ rate: '0.001' })
  })

  it('names the file or the command that a sweep runs as its source', () => {
    const source = (spec: unknown): string | undefined =>
      new SweepProjection({ ...info, spec }, sources).parent(courseOf(events)).tags['mlflow.source.name']
    expect(source({ own: { kind: 'file', file: '/home/me/secret-project/mine.ts' } })).toBe('mine.ts')
    expect(source({ own: { kind: 'command', command: { argv: ['python', 'train.py', '{lr}'] } } })).toBe(
      'python train.py {lr}',
    )
    expect(source({})).toBe('mlds')
  })

  it('tells each attempt from which commit it ran, and nothing where nobody wrote that down', () => {
    const [first, second] = [toyTrial(0), toyTrial(1)]
    const run = (trial: string): HistoryEvent[] => [
      { type: 'started', trial, attempt: 1, atMs: 1, worker: 'w' },
      { type: 'ended', trial, attempt: 1, atMs: 2, outcome: { state: 'finished', metrics: {}, artifacts: {} } },
    ]
    const source = { file: 'sweep.yaml', commit: 'a'.repeat(40), branch: 'trunk', dirty: true }
    const history: HistoryEvent[] = [
      ...run(toyTrial(2).id),
      { type: 'opened', source, atMs: 0 },
      ...run(first.id),
      // Gone on with: without git, or with the copy of before.
      { type: 'opened', atMs: 3 },
      ...run(second.id),
      { type: 'opened', source: { commit: 'b'.repeat(40), dirty: false }, atMs: 5 },
    ]
    const projection = new SweepProjection(info, sources)
    const tags = attemptsOf(info.trials, history).map((attempt) => projection.child(attempt, 'p').tags)
    expect(tags.map((each) => readSource(each))).toEqual([undefined, source, source])
    expect(tags[0]).not.toHaveProperty('mlflow.source.git.commit')
    expect(tags[1]).toMatchObject({
      'mlflow.source.name': 'sweep.yaml',
      'mlflow.source.git.commit': 'a'.repeat(40),
      'mlflow.source.git.branch': 'trunk',
      'mlflow.source.git.dirty': 'true',
    })
    const parent = projection.parent(courseOf(history)).tags
    expect(readSource(parent)).toEqual({ commit: 'b'.repeat(40), dirty: false })
    expect(readSource({ ...parent, 'mlflow.source.git.commit': 'HEAD; rm -rf' })).toBeUndefined()
  })

  it('groups by setting over seeds, and never two sweeps that differ in what neither varies', () => {
    const groupsOf = (rate: number): (string | undefined)[] => {
      const trials = info.trials.map((trial) => ({ ...trial, params: { ...trial.params, rate } }))
      const projection = new SweepProjection({ ...info, trials }, sources)
      return attemptsOf(trials, events).map((attempt) => projection.child(attempt, 'p').tags['mlds.group'])
    }
    const [slow, fast] = [groupsOf(0.001), groupsOf(0.1)]
    expect(slow[0]).toMatch(/^width=4 \([0-9a-f]{4}\)$/)
    expect(new Set(slow).size).toBe(7)
    expect(slow.filter((group) => fast.includes(group))).toEqual([])
    expect(groupsOf(0.001)).toEqual(slow)
  })

  it('gives a child every parameter, as plain numerals, and the parent those that do not vary', async () => {
    const [attempt] = attemptsOf(info.trials, events)
    const projection = new SweepProjection(info, sources)
    expect(projection.child(attempt!, 'p').params).toEqual({ width: '4', seed: '0', rate: '0.001' })
    expect(projection.parent(courseOf(events), await story()).params).toEqual({ rate: '0.001' })
  })

  it("keeps two people's sweeps of one name apart, and a copy of a sweep with its original", () => {
    const keys = [info, { ...info, openedAtMs: info.openedAtMs + 1 }, { ...info, planHash: 'extended' }].map(
      (each) => new SweepProjection(each, sources).parentKey,
    )
    expect(keys[1]).not.toBe(keys[0])
    expect(keys[2]).toBe(keys[0])
  })

  it('keeps what figures read in any case, checkpoints when they are asked for', async () => {
    const ref = { sha256: 'a'.repeat(64), sizeBytes: 1 }
    const artifacts = { 'end.safetensors': ref, 'points.json': ref }
    const attempt: Attempt = {
      ...{ trial: toyTrial(0), attempt: 1, startedAtMs: 0, worker: 'w', reports: [] },
      end: { atMs: 1, outcome: { state: 'finished', metrics: {}, artifacts } },
    }
    const saved = (checkpoints: boolean): string[] =>
      new SweepProjection(info, { ...sources, readArtifact: async () => Buffer.from('x'), checkpoints })
        .child(attempt, 'p')
        .files.map(({ path }) => path)
        .filter((path) => path.startsWith('saved/'))
    expect(saved(false)).toEqual(['saved/points.json'])
    expect(saved(true)).toEqual(['saved/end.safetensors', 'saved/points.json'])
  })

  it('puts an outcome that no tag holds into a file', async () => {
    const metrics = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`metric ${i}`, i / 3]))
    const attempt: Attempt = {
      ...{ trial: toyTrial(0), attempt: 1, startedAtMs: 0, worker: 'w', reports: [] },
      end: { atMs: 1, outcome: { state: 'finished', metrics, artifacts: {} } },
    }
    const { tags, files } = new SweepProjection(info, sources).child(attempt, 'p')
    expect(tags).not.toHaveProperty('mlds.outcome')
    const file = files.find(({ path }) => path === tags['mlds.outcome_file'])
    expect(JSON.parse(Buffer.from((await file!.read())!).toString())).toMatchObject({ state: 'finished', metrics })
  })

  it('names files by what every server takes, different names differently', () => {
    expect(savedPath('end-1.safetensors')).toBe('saved/end-1.safetensors')
    const odd = ['a#1.png', 'a?1.png', 'ä.png', '..', 'x/y', 'z'.repeat(300)].map(savedPath)
    expect(new Set(odd).size).toBe(odd.length)
    for (const path of odd) expect(path).toMatch(/^saved\/[\w.+-]{1,200}$/)
  })
})

describe('the course of a sweep', () => {
  it('counts the trials that ended and follows the best', () => {
    const course = courseOf(events)
    expect(course.counts()).toMatchObject({ planned: 7, finished: 3, stopped: 1, diverged: 1, dead: 1, skipped: 1 })
    expect(course.isComplete()).toBe(false)
    const last = (key: string): number => course.points.filter((point) => point.key === key).at(-1)!.value
    expect([last('trials/ended'), last('trials/failed')]).toEqual([7, 1])
    expect(course.best).toEqual({ trial: toyTrial(6).id, trials: [toyTrial(6).id], value: 1 / 3000 })
    expect(last('best/train/loss')).toBe(1 / 3000)
  })

  it('takes no number for the best that is none', () => {
    const ended = (value: number): HistoryEvent => ({
      ...{ type: 'ended', trial: toyTrial(0).id, attempt: 1, atMs: 1 },
      outcome: { state: 'finished', metrics: { 'train/loss': value }, artifacts: {} },
    })
    expect(courseOf([ended(NaN), ended(-Infinity)]).best).toBeUndefined()
    expect(courseOf([ended(NaN), ended(2), ended(-Infinity)]).best?.value).toBe(2)
  })

  it.each([1, 200, 300, 301, 10_000, 1_000_000])(
    'never keeps more than 300 of %i points, and always the last',
    (count) => {
      const [live, ended] = [keptReports(count, false), keptReports(count, true)]
      expect(ended.length).toBeLessThanOrEqual(300)
      expect(ended.at(-1)).toBe(count - 1)
      // What was sent while it ran is what stays.
      expect(new Set([...live, ...ended]).size).toBe(ended.length)
    },
  )
})

describe('the note of a sweep', () => {
  it('begins with the best, the counts and the verdicts, then tells question, claims and spec', async () => {
    const { tags } = new SweepProjection(info, sources).parent(courseOf(events), await story(), {
      pageOf: (trial) => (trial === toyTrial(6).id ? '#/experiments/1/runs/best' : undefined),
    })
    const note = tags['mlflow.note.content']!
    // What MLflow shows of a note without a click.
    expect(note.split('\n').slice(0, 4)).toEqual([
      '**Best, of one seed: width=10, train/loss 3.33e-4.**  ',
      '3 of 7 trials finished, 1 stopped, 1 diverged, 1 dead, 1 skipped. Verdicts: 1 reproduced.  ',
      'Its trial: [width=10 seed=0](#/experiments/1/runs/best).  ',
      '*Does it arrive?*',
    ])
    expect(note).toContain('| **reproduced** | It arrives \\| whole | seven of seven |')
    expect(note).toContain('"experiment": "toy"')
  })

  it('is cut where no tag could hold it, at the end of a line and outside of code', () => {
    const long = `question\n\`\`\`json\n${'a line of the spec\n'.repeat(1000)}\`\`\``
    const short = shortenNote(long)
    expect(short.length).toBeLessThanOrEqual(8000)
    expect(short).toMatch(/spec\n```\n\n… the whole note is the artifact `sweep\/note\.md`\.$/)
    expect(shortenNote('short')).toBe('short')
  })
})
