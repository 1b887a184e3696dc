import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'

/** Each step needs a file `go`, or the number of steps in it; what a trial has done is in its checkpoint alone. */
const module = `import { existsSync, readFileSync, appendFileSync } from 'node:fs'
import { defineExperiment, integer } from 'mlds'
const allowed = () => (existsSync('go') ? Number(readFileSync('go', 'utf8')) : 0)
export default defineExperiment({
  space: { n: integer({ default: 0 }) },
  async run({ n }, { checkpoint, report, save, signal, log }) {
    const kept = await checkpoint.load()
    let { step, sum } = kept === undefined ? { step: 0, sum: n } : JSON.parse(Buffer.from(kept).toString())
    appendFileSync('begun', n + ' from ' + step + '\\n')
    while (step < 9) {
      while (allowed() <= step) {
        await new Promise((wake) => setTimeout(wake, 5))
        signal.throwIfAborted()
      }
      step++
      sum = (sum * 31 + step) % 1009
      await report(step, { loss: sum })
      if (step === 2) await save('second', Buffer.from(String(sum)))
      await checkpoint.save(() => Buffer.from(JSON.stringify({ step, sum })))
    }
    return { loss: sum }
  },
})
`
const reportsIn = (file: string): number =>
  (JSON.parse(readFileSync(file, 'utf8').split('\n')[1]!) as { reports: unknown[] }).reports.length
const allow = (cwd: string, steps: number): void => writeFileSync(join(cwd, 'go'), String(steps))

function openSweep(): { cwd: string; journal: () => JournalEvent[]; begun: () => string[] } {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'slow.ts'), module)
  const file = join(cwd, '.mlds', 'sweeps', 'slow', 'journal.jsonl')
  return {
    cwd,
    journal: () => (existsSync(file) ? [...readJournal(file)].map(({ event }) => event) : []),
    begun: () => linesOf(join(cwd, 'begun')),
  }
}

const sweep = ['sweep', './slow.ts', '--set', 'n=1,2', '--name', 'slow', '--workers', '2', '--checkpoint-every', '0']

/** Trial by trial: what the attempts that count reported, and what they ended with. */
function coursesOf(events: readonly JournalEvent[]) {
  const ended = events.filter((event) => event.type === 'ended')
  return ended
    .map(({ trial, attempt, outcome }) => ({
      trial,
      outcome,
      reports: events.flatMap((event) =>
        event.type === 'report' && event.trial === trial && event.attempt === attempt
          ? [[event.step, event.metrics]]
          : [],
      ),
    }))
    .sort((a, b) => (a.trial < b.trial ? -1 : 1))
}

describe('a sweep whose trials keep checkpoints', () => {
  it('goes on where it was after kill -9, with the same reports, results and artifacts, and leaves no checkpoint', async () => {
    const whole = openSweep()
    allow(whole.cwd, 9)
    expect((await mlds(sweep, { cwd: whole.cwd })).code).toBe(0)

    const { cwd, journal, begun } = openSweep()
    let allowed = 3
    allow(cwd, allowed)
    let running = startMlds(sweep, { cwd })
    for (let kill = 1; kill <= 2; kill++) {
      const folder = join(cwd, '.mlds', 'sweeps', 'slow', 'checkpoints')
      const kept = (): number[] =>
        existsSync(folder)
          ? readdirSync(folder).flatMap((trial) => {
              const file = join(folder, trial, 'checkpoint.json')
              return existsSync(file) ? reportsIn(file) : []
            })
          : []
      await until(() => kept().filter((reports) => reports === allowed).length === 2)
      running.child.kill('SIGKILL')
      await running.finished
      allowed += 3
      allow(cwd, allowed)
      running = startMlds(['resume', 'slow', '--workers', '2', '--checkpoint-every', '0'], { cwd })
    }
    expect((await running.finished).code).toBe(0)
    expect(begun().sort()).toEqual([1, 2].flatMap((n) => [0, 3, 6].map((step) => `${n} from ${step}`)))
    expect(coursesOf(journal())).toEqual(coursesOf(whole.journal()))
    expect(readdirSync(join(cwd, '.mlds', 'sweeps', 'slow', 'checkpoints'))).toEqual([])
    const log = await mlds(['logs', journal().find((event) => event.type === 'ended')!.trial], { cwd })
    expect(log.stdout).toContain('goes on from the checkpoint of attempt 2: 6 reports are carried on')
  })

  it.each(['SIGTERM', 'SIGHUP'] as const)('keeps one more at %s, ends, and goes on from there', async (signal) => {
    const { cwd, journal, begun } = openSweep()
    allow(cwd, 4)
    // None is due by time.
    const seldom = [...sweep.slice(0, -1), '3600', '--grace', '60']
    const running = startMlds(seldom, { cwd })
    await until(() => journal().filter((event) => event.type === 'report').length === 8)
    running.child.kill(signal)
    await until(() => running.output().includes('or keep a checkpoint, for 60 s'))
    // A trial keeps one at the step that follows the word, which may reach its thread a step later than it is printed.
    const reports = (): number => journal().filter((event) => event.type === 'report').length
    const lost = () => journal().flatMap((event) => (event.type === 'lost' ? [event.handedBack] : []))
    for (let step = 5; step <= 8 && lost().length < 2; step++) {
      const before = reports()
      const open = 2 - lost().length
      allow(cwd, step)
      await until(() => reports() === before + open || lost().length === 2)
    }
    expect((await running.finished).code).toBe(signal === 'SIGTERM' ? 143 : 129)
    expect(lost()).toEqual([true, true])
    allow(cwd, 9)
    expect((await mlds(['resume', 'slow'], { cwd })).code).toBe(0)
    for (const n of [1, 2]) {
      const begins = begun().flatMap((line) => (line.startsWith(`${n} `) ? [Number(line.split(' from ')[1])] : []))
      expect(begins).toEqual([0, expect.toSatisfy((step: number) => step >= 5 && step <= 8)])
    }
  })

  it('gives up what keeps none when the grace has passed', async () => {
    const { cwd, journal, begun } = openSweep()
    allow(cwd, 2)
    const running = startMlds([...sweep.slice(0, -1), '3600', '--grace', '0'], { cwd })
    await until(() => journal().filter((event) => event.type === 'report').length === 4)
    running.child.kill('SIGTERM')
    expect((await running.finished).code).toBe(143)
    allow(cwd, 9)
    expect((await mlds(['resume', 'slow'], { cwd })).code).toBe(0)
    expect(begun().sort()).toEqual([1, 2].flatMap((n) => [`${n} from 0`, `${n} from 0`]))
  })

  it('begins anew with --fresh, after a retry, and where the checkpoint was altered', async () => {
    const { cwd, journal, begun } = openSweep()
    allow(cwd, 3)
    const running = startMlds([...sweep, '--grace', '0'], { cwd })
    await until(() => journal().filter((event) => event.type === 'report').length === 6)
    running.child.kill('SIGTERM')
    await running.finished
    const folder = join(cwd, '.mlds', 'sweeps', 'slow', 'checkpoints')
    for (const trial of readdirSync(folder)) {
      const state = readdirSync(join(folder, trial)).find((name) => name.startsWith('state-'))!
      writeFileSync(join(folder, trial, state, 'state'), '{"step":8,"sum":0}')
    }
    allow(cwd, 9)
    expect((await mlds(['resume', 'slow'], { cwd })).code).toBe(0)
    expect((await mlds([...sweep, '--fresh'], { cwd })).code).toBe(0)
    expect(begun().sort()).toEqual([1, 2].flatMap((n) => Array<string>(3).fill(`${n} from 0`)))
  })
})
