import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'

/** Prints a report a step, then finishes a checkpoint (a folder of two files) by a rename; waits at the step that `go` names. */
const program = `const fs = require('node:fs'), path = require('node:path')
const folder = process.env.MLDS_CHECKPOINT
const [last] = fs.readdirSync(folder)
let { step, sum } = last === undefined ? { step: 0, sum: 7 } : JSON.parse(fs.readFileSync(path.join(folder, last, 'state')))
fs.appendFileSync('begun', 'from ' + step + ' with ' + fs.readdirSync(folder).join() + '\\n')
const allowed = () => (fs.existsSync('go') ? Number(fs.readFileSync('go', 'utf8')) : 0)
const write = (name) => {
  const aside = path.join(folder, name + '.tmp')
  fs.mkdirSync(aside)
  fs.writeFileSync(path.join(aside, 'state'), JSON.stringify({ step, sum }))
  fs.writeFileSync(path.join(aside, 'more'), 'x'.repeat(step))
  fs.renameSync(aside, path.join(folder, name))
}
if (process.argv[2] === 'late') process.on('SIGTERM', () => { write(String(step)); process.exit(143) })
const go = () => {
  if (step === 9) return console.log(JSON.stringify({ loss: sum }))
  if (allowed() <= step) return setTimeout(go, 5)
  step++
  sum = (sum * 31 + step) % 1009
  console.log(JSON.stringify({ step, loss: sum, ...(step === 1 ? { first: sum } : {}) }))
  if (process.argv[2] !== 'late') write(step + '.ckpt')
  // Begun, and never finished.
  fs.writeFileSync(path.join(folder, '99.tmp'), 'torn')
  setTimeout(go, 1)
}
go()
`
const reportsIn = (file: string): number =>
  (JSON.parse(readFileSync(file, 'utf8').split('\n')[1]!) as { reports: unknown[] }).reports.length
const allow = (cwd: string, steps: number): void => writeFileSync(join(cwd, 'go'), String(steps))

function openSweep(mode: string): { cwd: string; journal: () => JournalEvent[]; begun: () => string[] } {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'train.cjs'), program)
  writeFileSync(
    join(cwd, 'slow.yaml'),
    `experiment: { command: "${process.execPath} train.cjs {mode}" }\naxes: { mode: [${mode}] }\n`,
  )
  const file = join(cwd, '.mlds', 'sweeps', 'slow', 'journal.jsonl')
  return {
    cwd,
    journal: () => (existsSync(file) ? [...readJournal(file)].map(({ event }) => event) : []),
    begun: () => linesOf(join(cwd, 'begun')),
  }
}

const sweep = ['sweep', 'slow.yaml', '--name', 'slow', '--checkpoint-every']

function courseOf(events: readonly JournalEvent[]) {
  const end = events.findLast((event) => event.type === 'ended')
  const reports = events.flatMap((event) =>
    event.type === 'report' && event.attempt === end?.attempt ? [[event.step, event.metrics]] : [],
  )
  return { reports, outcome: end?.outcome }
}

describe('a program that keeps checkpoints', () => {
  it('goes on where it was after kill -9, with the same reports and result', async () => {
    const whole = openSweep('early')
    allow(whole.cwd, 9)
    expect((await mlds([...sweep, '0'], { cwd: whole.cwd })).code).toBe(0)

    const { cwd, journal, begun } = openSweep('early')
    allow(cwd, 5)
    const running = startMlds([...sweep, '0'], { cwd })
    const folder = join(cwd, '.mlds', 'sweeps', 'slow', 'checkpoints')
    const kept = (): number =>
      existsSync(folder)
        ? readdirSync(folder).flatMap((trial) => {
            const file = join(folder, trial, 'checkpoint.json')
            return existsSync(file) ? [reportsIn(file)] : []
          })[0]!
        : 0
    // That of step 5 is kept at the next report: every report up to it is known then.
    await until(() => kept() >= 4)
    running.child.kill('SIGKILL')
    await running.finished
    allow(cwd, 9)
    expect((await mlds(['resume', 'slow', '--checkpoint-every', '0'], { cwd })).code).toBe(0)
    expect(begun()).toHaveLength(2)
    expect(begun()[1]).toMatch(/^from [45] with [45]\.ckpt$/)
    expect(courseOf(journal())).toEqual(courseOf(whole.journal()))
  })

  it('may write one when it is told to end with its sweep, and goes on from there', async () => {
    const whole = openSweep('late')
    allow(whole.cwd, 9)
    expect((await mlds([...sweep, '60'], { cwd: whole.cwd })).code).toBe(0)

    const { cwd, journal, begun } = openSweep('late')
    allow(cwd, 4)
    const running = startMlds([...sweep, '60', '--grace', '0'], { cwd })
    await until(() => journal().filter(({ type }) => type === 'report').length === 4)
    running.child.kill('SIGTERM')
    expect((await running.finished).code).toBe(143)
    allow(cwd, 9)
    expect((await mlds(['resume', 'slow'], { cwd })).code).toBe(0)
    expect(begun()).toEqual(['from 0 with ', 'from 4 with 4'])
    expect(courseOf(journal())).toEqual(courseOf(whole.journal()))
  })
})
