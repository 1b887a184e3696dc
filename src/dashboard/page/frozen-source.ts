import type { CoursesAnswer, FiguresAnswer, Frozen, RowCells, TrialAnswer } from '../wire.js'
import type { Source } from './source-type.js'

/** A report: answers as a server would, from what it holds. @param held its JSON, gzipped, in base64. */
export async function openFrozenSource(held: string): Promise<Source> {
  const bytes = Uint8Array.from(atob(held), (letter) => letter.charCodeAt(0))
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return frozenSource((await new Response(text).json()) as Frozen)
}

function frozenSource(frozen: Frozen): Source {
  const { line, snapshot, courses, nowMs } = frozen
  const drawings = new Map(
    [...document.querySelectorAll<HTMLImageElement>('img[data-figure]')].map((image) => [
      image.dataset['figure']!,
      image.src,
    ]),
  )
  const withCourse = new Map(courses.trials.map((one) => [snapshot.trials[one.index]![0], one]))
  const answers: Readonly<Record<string, (query: Readonly<Record<string, string>>) => unknown>> = {
    courses: ({ trials = '' }) =>
      ({ trials: trials.split(',').flatMap((id) => withCourse.get(id) ?? []) }) satisfies CoursesAnswer,
    trial: ({ trial = '' }) => answerOf(frozen, trial),
    figures: () =>
      ({
        ...frozen.figures,
        figures: frozen.figures.figures.map((one) => ({ ...one, src: drawings.get(one.name) ?? '' })),
      }) satisfies FiguresAnswer,
    importance: () => frozen.importance,
  }
  return {
    report: snapshot.sweep,
    nowMs: () => nowMs,
    follow(_, handlers) {
      // What asked must have what it asked with first.
      queueMicrotask(() => {
        handlers.onConnection('live')
        handlers.onSweeps({ ids: [line.id], lines: [line] })
        handlers.onSnapshot(snapshot)
      })
      return { connect: () => {}, close: () => {} }
    },
    async ask<T>(path: string, query: Readonly<Record<string, string>>): Promise<T> {
      const answer = Object.hasOwn(answers, path) ? answers[path]!(query) : undefined
      if (answer === undefined) throw new Error('the report does not hold it')
      return answer as T
    },
    followLog({ trial, attempt }, { onPart, onNone }) {
      const part = frozen.logs?.[`${trial}/${attempt}`]
      queueMicrotask(() => (part === undefined ? onNone() : onPart(part)))
      return { connect: () => {}, close: () => {} }
    },
    fileAddress: () => undefined,
    hasCourse: (trial) => withCourse.has(trial),
  }
}

function answerOf({ snapshot, seeds, details, line }: Frozen, id: string): TrialAnswer | undefined {
  const index = snapshot.trials.findIndex(([one]) => one === id)
  const cells = snapshot.trials[index]
  if (cells === undefined) return undefined
  const [, stage, point, varying] = cells
  const own = details.find(([place]) => place === index)?.[1] ?? {}
  const idOf = (place: number): string => snapshot.trials[place]![0]
  const values = snapshot.axes.flatMap((axis, i) =>
    point[i] === null || point[i] === undefined ? [] : [[axis, point[i]] as const],
  )
  const row = snapshot.rows.find(([place]) => place === index)
  return {
    ...{ id, index, stage: snapshot.stages[stage]! },
    params: { ...snapshot.fixed, ...Object.fromEntries(values) },
    seeds: { ...seeds, ...seedsOf(snapshot.seeds, varying) },
    parents: (own.parents ?? []).map(idOf),
    children: details.flatMap(([place, { parents = [] }]) => (parents.includes(index) ? idOf(place) : [])),
    attempts: own.attempts ?? (row === undefined ? [] : attemptOf(row, line.createdAtMs)),
    files: (own.files ?? []).map(([name, sizeBytes]) => ({ name, sizeBytes })),
    ...(own.suggestion === undefined ? {} : { suggestion: own.suggestion }),
    ...(own.stack === undefined ? {} : { stack: own.stack }),
  }
}

/** `seed` stands for the four, which are one number then. */
function seedsOf(names: readonly string[], values: readonly number[]): Record<string, number> {
  if (names[0] === 'seed') {
    const seed = values[0]!
    return { data: seed, init: seed, shuffle: seed, corruption: seed }
  }
  return Object.fromEntries(names.map((name, i) => [name.slice('seed.'.length), values[i]!]))
}

/** The one attempt that a row tells of. */
function attemptOf(row: RowCells, createdAtMs: number): TrialAnswer['attempts'] {
  const [, state, attempts, startedAtMs, endedAtMs, , , , , reason] = row
  if (attempts === 0) return []
  const atMs = endedAtMs ?? startedAtMs ?? createdAtMs
  return [{ ...{ attempt: attempts, ended: state, atMs, isVoid: false }, ...(reason === null ? {} : { reason }) }]
}
