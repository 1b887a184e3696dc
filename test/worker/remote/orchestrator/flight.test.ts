import { describe, expect, it } from 'vitest'
import {
  queuedFlight,
  step,
  type Flight,
  type FlightMessage,
  type Step,
} from '../../../../src/worker/remote/orchestrator/flight.js'

const run = { sweep: '00000000000000aa', trial: '00000000000000bb', generation: 4 }
const metrics = { loss: 1 }

/** Ten attempts were made before this run, so that its attempt 2 is the trial's twelfth. */
const queued = queuedFlight(run, 10)
const running: Flight = { ...queued, phase: 'running', attempt: 2, reportsTold: 2, reportsAnswered: 1 }
const lost: Flight = { ...running, phase: 'lost', isAttemptLost: true }
const states = {
  queued,
  running,
  lost,
  collecting: { ...running, phase: 'collecting' },
  'collecting after a loss': { ...lost, phase: 'collecting' },
  'collecting for the third time': { ...running, phase: 'collecting', unreadable: 2 },
  over: { ...running, phase: 'over' },
} satisfies Record<string, Flight>
type State = keyof typeof states

const facts = { worker: 'w', nonce: 'n', startedAtMs: 5 }
const reports = (count: number) => Array.from({ length: count }, (_, i) => ({ step: i + 1, atMs: 6, metrics }))
const attempt = (number: number, standing: 'running' | 'handed back' | 'given up' | 'lost'): FlightMessage => ({
  type: 'attempt',
  message: { ...facts, attempt: number, vanished: 0, standing, atMs: 7 },
})
const progress = (number: number, from: number, count: number): FlightMessage => ({
  type: 'progress',
  message: { worker: 'w', startedAtMs: 5, attempt: number, from, reports: reports(from + count).slice(from) },
})
const collected = (number: number, outcome: object): FlightMessage =>
  ({ type: 'collected', result: { ...facts, attempt: number, atMs: 9, outcome, reports: reports(3) } }) as FlightMessage
const finished = { state: 'finished', metrics, artifacts: {} }

/** A step in words: what is told, what is ordered, and where it leads, with whatever changed. */
function inWords(before: Flight, { flight, events, orders }: Step): string {
  const told = events.map((event) => {
    const what = event.type === 'report' ? `report ${event.step}` : event.type
    return `${what}@${event.attempt}${event.type === 'ended' ? ` ${event.outcome.state}` : ''}`
  })
  const ordered = orders.map((order) => `! ${order.type}${order.type === 'proceed' ? ` ${order.until}` : ''}`)
  const changes = [
    flight.phase === before.phase ? [] : `→ ${flight.phase}`,
    flight.run.generation === before.run.generation ? [] : `generation ${flight.run.generation}`,
    flight.base === before.base ? [] : `base ${flight.base}`,
    flight.reportsTold === before.reportsTold ? [] : `told ${flight.reportsTold}`,
    flight.reportsAnswered === before.reportsAnswered ? [] : `answered ${flight.reportsAnswered}`,
  ].flat()
  return [...told, ...ordered, ...changes].join(', ') || '-'
}

const same = '-'
const live = (open: Record<'queued' | 'running' | 'lost', string>): Record<State, string> => ({
  ...open,
  collecting: same,
  'collecting after a loss': same,
  'collecting for the third time': same,
  over: same,
})
const collecting = (first: string, afterLoss: string, third: string): Record<State, string> => ({
  queued: same,
  running: same,
  lost: same,
  collecting: first,
  'collecting after a loss': afterLoss,
  'collecting for the third time': third,
  over: same,
})
/** The same from every state in which somebody waits for it. */
const waitedFor = (words: (state: Exclude<State, 'over'>) => string): Record<State, string> => ({
  ...(Object.fromEntries(
    (Object.keys(states) as State[]).map((state) => [state, state === 'over' ? same : words(state)]),
  ) as Record<State, string>),
})
const number = (state: State): number => (state === 'queued' ? 11 : 12)

/** Every message; what it makes of each state. Events bear the trial's attempt, after the @. */
const table: [string, FlightMessage, Record<State, string>][] = [
  [
    'an earlier attempt begins',
    attempt(1, 'running'),
    live({ queued: 'started@11, → running', running: same, lost: same }),
  ],
  ['its attempt begins', attempt(2, 'running'), live({ queued: 'started@12, → running', running: same, lost: same })],
  [
    'a later attempt begins',
    attempt(3, 'running'),
    live({
      queued: 'started@13, → running',
      running: 'lost@12, started@13, told 0, answered 0',
      lost: 'started@13, → running, told 0, answered 0',
    }),
  ],
  ['its attempt is lost', attempt(2, 'lost'), live({ queued: same, running: 'lost@12, → lost', lost: same })],
  [
    'its attempt is handed back',
    attempt(2, 'handed back'),
    live({ queued: same, running: 'lost@12, → lost', lost: same }),
  ],
  ['its attempt is given up', attempt(2, 'given up'), live({ queued: same, running: same, lost: same })],
  ['an earlier attempt is lost, late', attempt(1, 'lost'), live({ queued: same, running: same, lost: same })],
  [
    'reports that follow those told',
    progress(2, 2, 2),
    live({ queued: 'started@12, → running', running: 'report 3@12, report 4@12, told 4', lost: same }),
  ],
  [
    'reports of which some were told',
    progress(2, 1, 2),
    live({ queued: 'started@12, → running', running: 'report 3@12, told 3', lost: same }),
  ],
  ['reports after a gap', progress(2, 3, 1), live({ queued: 'started@12, → running', running: same, lost: same })],
  [
    'a report again that was answered',
    progress(2, 0, 1),
    live({ queued: 'started@12, report 1@12, → running, told 1', running: '! proceed 1', lost: same }),
  ],
  [
    'a report again that was not answered',
    progress(2, 1, 1),
    live({ queued: 'started@12, → running', running: same, lost: same }),
  ],
  [
    'reports of an earlier attempt',
    progress(1, 0, 3),
    live({
      queued: 'started@11, report 1@11, report 2@11, report 3@11, → running, told 3',
      running: same,
      lost: same,
    }),
  ],
  [
    'the sweep lets it go on',
    { type: 'proceed' },
    waitedFor((state) => (state === 'queued' ? '! proceed 1, answered 1' : '! proceed 2, answered 2')),
  ],
  ['the sweep stops it', { type: 'stop', reason: 'enough' }, waitedFor(() => '! stop')],
  [
    'a result is stored',
    { type: 'result' },
    waitedFor((state) => (state.startsWith('collecting') ? same : '→ collecting')),
  ],
  [
    'the result of its attempt is read',
    collected(2, finished),
    collecting(
      'report 3@12, ended@12 finished, → over, told 3',
      // The attempt that was told as lost does not come back: the result counts for the one after it.
      'started@13, report 1@13, report 2@13, report 3@13, ended@13 finished, → over, told 3, answered 0',
      'report 3@12, ended@12 finished, → over, told 3',
    ),
  ],
  [
    'the result of an earlier attempt is read',
    collected(1, finished),
    collecting(
      'report 3@12, ended@12 finished, → over, told 3',
      'started@13, report 1@13, report 2@13, report 3@13, ended@13 finished, → over, told 3, answered 0',
      'report 3@12, ended@12 finished, → over, told 3',
    ),
  ],
  [
    'the result of a later attempt is read',
    collected(3, finished),
    collecting(
      'lost@12, started@13, report 1@13, report 2@13, report 3@13, ended@13 finished, → over, told 3, answered 0',
      'started@13, report 1@13, report 2@13, report 3@13, ended@13 finished, → over, told 3, answered 0',
      'lost@12, started@13, report 1@13, report 2@13, report 3@13, ended@13 finished, → over, told 3, answered 0',
    ),
  ],
  [
    'a result that no attempt made is read',
    collected(0, { state: 'failed', error: { name: 'Error', message: 'nobody can run it' } }),
    collecting('ended@12 failed, → over', 'ended@12 failed, → over', 'ended@12 failed, → over'),
  ],
  [
    'it is dead after three attempts',
    collected(3, { state: 'dead', reason: 'its workers vanished' }),
    collecting('ended@13 dead, → over', 'ended@13 dead, → over', 'ended@13 dead, → over'),
  ],
  [
    'its result can not be used',
    { type: 'unreadable', reason: 'it is malformed', generation: 5, atMs: 9 },
    collecting(
      'lost@12, → queued, generation 5, base 12, told 0, answered 0',
      '→ queued, generation 5, base 12, told 0, answered 0',
      'ended@12 failed, → over',
    ),
  ],
  [
    'its sweep is cancelled',
    { type: 'end', outcome: { state: 'cancelled', reason: 'by ann' }, atMs: 9 },
    waitedFor((state) => `ended@${number(state)} cancelled, ! give-up, → over`),
  ],
  [
    'it fails here alone',
    { type: 'end', outcome: { state: 'failed', error: { name: 'Error', message: 'x' } }, atMs: 9 },
    waitedFor((state) => `ended@${number(state)} failed, → over`),
  ],
  ['it is taken back', { type: 'drop' }, waitedFor(() => '→ over')],
]

describe('the flight of a trial', () => {
  describe.each(table)('when %s', (_, message, expected) => {
    it.each(Object.keys(states) as State[])('while %s', (state) => {
      expect(inWords(states[state], step(states[state], message))).toBe(expected[state])
    })
  })

  it('is told of every message in every state', () => {
    const types = new Set(table.map(([, { type }]) => type))
    expect([...types].sort()).toEqual(
      ['attempt', 'collected', 'drop', 'end', 'proceed', 'progress', 'result', 'stop', 'unreadable'].sort(),
    )
    expect(new Set(Object.values(states).map(({ phase }) => phase)).size).toBe(5)
  })

  it('begins anew twice for a result that can not be used, then fails with the reason', () => {
    let flight: Flight = queued
    const course: string[] = []
    for (let generation = 5; flight.phase !== 'over'; generation++) {
      flight = step(flight, { type: 'result' }).flight
      const next = step(flight, { type: 'unreadable', reason: 'it is malformed', generation, atMs: 9 })
      course.push(inWords(flight, next))
      flight = next.flight
    }
    expect(course).toEqual(['→ queued, generation 5', '→ queued, generation 6', 'ended@11 failed, → over'])
  })
})
