import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { runSweep } from '../../src/index.js'
import { readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'
import { isRunning } from '../helpers/processes.js'

/** Hangs where it is first run on the value that `marks` names; run again it waits for the gate. */
const program = `import { existsSync, writeFileSync } from 'node:fs'
const [value] = process.argv.slice(2)
const { MARKS: marks } = process.env
const mark = marks + '/hung-' + value
const wait = () => new Promise((resolve) => setTimeout(resolve, 20))
if (value === '3') {
  if (!existsSync(mark)) {
    writeFileSync(mark, String(process.pid))
    for (;;) await wait()
  }
  writeFileSync(marks + '/again', '')
  while (!existsSync(marks + '/gate')) await wait()
}
console.log(JSON.stringify({ step: 1, loss: 2 * value }))
console.log(JSON.stringify({ loss: Number(value) }))
`

/** A folder with the sweep and its program; `MARKS` is where the program leaves word. */
function openFolder({ undisturbed = false } = {}) {
  const cwd = temporaryFolder()
  const marks = join(cwd, 'marks')
  mkdirSync(marks)
  writeFileSync(join(cwd, 'program.mjs'), program)
  if (undisturbed) for (const name of ['hung-3', 'gate']) writeFileSync(join(marks, name), '')
  return {
    cwd,
    marks,
    file: (name: string) => join(marks, name),
    /** Of the program that hangs. */
    pid: () => Number(readFileSync(join(marks, 'hung-3'), 'utf8')),
    env: { MARKS: marks },
    journal: (): JournalEvent[] =>
      [...readJournal(join(cwd, '.mlds', 'sweeps', 'hung', 'journal.jsonl'))].map(({ event }) => event),
  }
}
type Folder = ReturnType<typeof openFolder>

function writeSweepFile({ cwd }: Folder): void {
  writeFileSync(
    join(cwd, 'sweep.yaml'),
    `experiment:\n  command: ${process.execPath} program.mjs {value}\nname: hung\naxes: { value: [1, 2, 3] }\n`,
  )
}

function told(folder: Folder): { hung: JournalEvent[]; rows: () => Promise<string> } {
  const events = folder.journal()
  const copied = events.find((event) => event.type === 'started' && event.copy === true) as
    { trial: string } | undefined
  return {
    hung: events.filter((event) => 'trial' in event && event.trial === copied?.trial && event.type !== 'report'),
    rows: async () => (await mlds(['export', 'hung', '--format', 'jsonl'], { cwd: folder.cwd })).stdout,
  }
}

const finishedFirst = [
  { type: 'started', attempt: 1 },
  { type: 'started', attempt: 2, copy: true },
  { type: 'lost', attempt: 1, reason: 'attempt 2 finished first' },
  { type: 'ended', attempt: 2, outcome: { state: 'finished' } },
]

/** What a sweep comes to in which nothing hangs; run once for all tests. */
const undisturbedRows = (): Promise<string> => (undisturbed ??= runUndisturbed())
let undisturbed: Promise<string> | undefined

async function runUndisturbed(): Promise<string> {
  const folder = openFolder({ undisturbed: true })
  writeSweepFile(folder)
  const swept = await mlds(['sweep', 'sweep.yaml', '--workers', '2'], folder)
  expect(swept.code, swept.stderr).toBe(0)
  return told(folder).rows()
}

describe('mlds sweep --copies', () => {
  it('ends a sweep of which one program hangs, with the results of one in which none does', async () => {
    const folder = openFolder()
    writeSweepFile(folder)
    writeFileSync(folder.file('gate'), '')
    const swept = await mlds(['sweep', 'sweep.yaml', '--workers', '2', '--copies', '1'], folder)
    expect(swept.code, swept.stderr).toBe(0)
    const { hung, rows } = told(folder)
    expect(hung).toMatchObject(finishedFirst)
    expect(await rows()).toBe(await undisturbedRows())
    expect(isRunning(folder.pid())).toBe(false)
    const verified = await mlds(['verify', 'hung'], folder)
    expect(verified.code, verified.stdout).toBe(0)
    const shown = await mlds(['show', (hung[0] as { trial: string }).trial, '--all-attempts'], folder)
    expect(shown.stdout).toMatch(/1\s+lost.*attempt 2 finished first/)
    expect(shown.stdout).toMatch(/2\s+finished/)
  })

  it('is `copies` of the library', async () => {
    const folder = openFolder()
    vi.stubEnv('MARKS', folder.env.MARKS)
    onTestFinished(() => void vi.unstubAllEnvs())
    writeFileSync(folder.file('gate'), '')
    const described = {
      name: 'hung',
      experiment: { command: `${process.execPath} ${join(folder.cwd, 'program.mjs')} {value}` },
      axes: { value: [1, 2, 3] },
    }
    const store = join(folder.cwd, '.mlds')
    const { summary } = await runSweep(described, { store, workers: 2, copies: 1 })
    expect(summary).toMatchObject({ finished: 3, failed: 0 })
    expect(told(folder).hung).toMatchObject(finishedFirst)
    const ruled = { ...described, name: 'ruled', scheduler: { target: { value: 1 } } }
    await expect(runSweep(ruled, { store, workers: 2, copies: 1 })).rejects.toThrow('copies: 1 is not possible here')
  })

  it.each([
    [['--scheduler', 'target:value=1'], 'the rule target judges by what ran first'],
    [['--search', 'random', '--count', '2', '--range', 'value=1..2'], 'a search goes by what ran first'],
  ])('is refused with %j, and nothing is made', async (flags, sentence) => {
    const folder = openFolder()
    writeSweepFile(folder)
    const refused = await mlds(['sweep', 'sweep.yaml', '--copies', '1', ...flags], folder)
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(
      `copies: 1 is not possible here: ${sentence}, which copies would change (leave it out)`,
    )
    expect(existsSync(join(folder.cwd, '.mlds'))).toBe(false)
  })
})

describe.skipIf(!hasNats)('mlds sweep --copies on workers', () => {
  const open = async () => {
    const server = await startNatsServer(join(temporaryFolder(), 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const nats = ['--nats', server.url]
    const folder = openFolder()
    writeSweepFile(folder)
    const worker = async (): Promise<Running> => {
      const host = temporaryFolder()
      for (const file of ['program.mjs', 'sweep.yaml'])
        writeFileSync(join(host, file), readFileSync(join(folder.cwd, file)))
      const running = startMlds(['worker', 'start', ...nats, '--slots', '1', '--experiment', 'sweep.yaml'], {
        ...{ cwd: host, env: folder.env },
      })
      await until(() => running.output().includes('is ready'))
      return running
    }
    await Promise.all([worker(), worker()])
    return { nats, folder }
  }

  it('ends a sweep of which one program hangs, and that program', async () => {
    const { nats, folder } = await open()
    writeFileSync(folder.file('gate'), '')
    const swept = await mlds(['sweep', 'sweep.yaml', ...nats, '--copies', '1'], folder)
    expect(swept.code, swept.stderr).toBe(0)
    const { hung, rows } = told(folder)
    expect(hung).toMatchObject(finishedFirst)
    expect(await rows()).toBe(await undisturbedRows())
    await until(() => !isRunning(folder.pid()))
    expect((await mlds(['verify', 'hung'], folder)).code).toBe(0)
  })

  it('takes a copy for the trial whose orchestrator was killed meanwhile', async () => {
    const { nats, folder } = await open()
    const killed = startMlds(['sweep', 'sweep.yaml', ...nats, '--copies', '1'], folder)
    await until(() => existsSync(folder.file('again')))
    await until(() => told(folder).hung.length === 2)
    killed.child.kill('SIGKILL')
    await killed.finished
    const resumed = startMlds(['resume', 'hung', ...nats], folder)
    await until(() => folder.journal().filter(({ type }) => type === 'opened').length === 2)
    writeFileSync(folder.file('gate'), '')
    const { code, stderr } = await resumed.finished
    expect(code, stderr).toBe(0)
    expect(await told(folder).rows()).toBe(await undisturbedRows())
    await until(() => !isRunning(folder.pid()))
    expect((await mlds(['verify', 'hung'], folder)).code).toBe(0)
  })
})
