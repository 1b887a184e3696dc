import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freezePlan } from '../src/app/planning/freeze-plan.js'
import { planTarget } from '../src/app/planning/plan.js'
import { openStore } from '../src/system/store.js'
import { Journal, journalFormat } from '../src/sweeps/journal/journal.js'
import { round, table } from './measure.js'

const program = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const reports = [1, 2, 3]

/**
 * What each command takes on a complete sweep of side² command trials with 3 reports each, and a plan of a million.
 * The first resume judges and draws, the second finds all done.
 */
export async function benchLargeSweep(side = 100): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-large-'))
  try {
    const [file, million] = [sweepFile(folder, 'large', [side, side]), sweepFile(folder, 'million', [1000, 1000])]
    const sweep = await fabricate(join(folder, '.mlds'), file)
    const commands = [
      ...['resume', 'resume', 'figure', 'report', 'list', 'status', 'best', 'verify'].map((name) =>
        name === 'list' ? [name] : [name, sweep],
      ),
      ['export', sweep, '-o', 'table.csv'],
      ['plan', million],
      ['plan', million, '--json'],
    ]
    console.log(
      table(
        ['command', 's', 'processor s', 'MB'],
        commands.map((words) => measure(folder, words)),
      ),
    )
    const report = statSync(join(folder, '.mlds', 'sweeps', sweep, 'report.html')).size
    console.log(`report.html: ${round(report / 1e6)} MB`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function sweepFile(folder: string, name: string, [a, b]: readonly [number, number]): string {
  const file = join(folder, `${name}.yaml`)
  const axes = `axes: {a: 'range(${a})', b: 'range(${b})'}`
  writeFileSync(file, `experiment: {command: 'true {a} {b}'}\nname: ${name}\n${axes}\n`)
  return file
}

/** A sweep whose every trial has finished, without one being run. @returns its id. */
async function fabricate(storeFolder: string, file: string): Promise<string> {
  const store = openStore(storeFolder)
  const { plan, experiment } = await planTarget(file, { set: [] }, store)
  const { sweep } = await freezePlan(store, plan, experiment)
  const journal = Journal.open(sweep.journalFile)
  let atMs = 0
  const opened = { sweep: sweep.id, planHash: plan.hash, codeVersion: '0', engine: 'compiled' as const, atMs }
  journal.append({ type: 'opened', format: journalFormat, ...opened })
  for (const { id, params } of plan.trials) {
    const loss = Number(params['a']) + Number(params['b']) / 100
    const attempt = { trial: id, attempt: 1 }
    journal.append({ type: 'started', ...attempt, atMs: (atMs += 3), worker: 'thread-1' })
    for (const step of reports)
      journal.append({ type: 'report', ...attempt, atMs: ++atMs, step, metrics: { loss: loss / step } })
    const outcome = { state: 'finished' as const, metrics: { loss: loss / reports.length }, artifacts: {} }
    journal.append({ type: 'ended', ...attempt, atMs: ++atMs, outcome })
  }
  journal.append({ type: 'closed', reason: 'done', atMs })
  journal.close()
  return sweep.id
}

/** A command's seconds on the clock and on processors, and the most memory it held. */
function measure(cwd: string, words: readonly string[]): string[] {
  const script = `
    process.on('exit', () => {
      const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
      require('node:fs').writeFileSync('usage.json', JSON.stringify([(userCPUTime + systemCPUTime) / 1e6, maxRSS / 1024]))
    })`
  writeFileSync(join(cwd, 'usage.cjs'), script)
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, ['-r', './usage.cjs', program, ...words], {
    cwd,
    encoding: 'utf8',
    // A plan of a million as JSON is longer than a buffer may be.
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status !== 0) throw new Error(`mlds ${words.join(' ')} failed: ${stderr.slice(-2000)}`)
  const seconds = (performance.now() - start) / 1_000
  const [processor, megabytes] = JSON.parse(readFileSync(join(cwd, 'usage.json'), 'utf8')) as [number, number]
  return [words[0]!, round(seconds), round(processor), round(megabytes)]
}
