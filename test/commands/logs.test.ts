import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Experiment } from '../../src/experiments/experiment.js'
import { runSweep } from '../../src/index.js'
import { openStore } from '../../src/system/store.js'
import { readLentLog } from '../../src/sweeps/lent-log.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import logging, { hostile } from '../fixtures/logging-experiment.mjs'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { unpack } from '../compatibility/fixtures.js'
import { hasNats } from '../helpers/nats.js'

const file = fileURLToPath(new URL('../fixtures/logging-experiment.mjs', import.meta.url))

/** Where trials run: an object of this program, a file on threads, and the threads of a worker on a server. */
const places = [
  { where: 'inline', experiment: logging as Experiment, isRemote: false },
  { where: 'threads', experiment: file, isRemote: false },
  ...(hasNats ? [{ where: 'remote', experiment: file, isRemote: true }] : []),
]

describe.each(places)('logs of trials that run $where', ({ experiment, isRemote }) => {
  const run = async (axes: Record<string, (string | number)[]>, retries = 0) => {
    const folder = temporaryFolder()
    const server = isRemote ? await startNatsServer(join(folder, 'nats'), 0) : undefined
    if (server !== undefined) onTestFinished(() => server.stop('SIGKILL'))
    const store = join(folder, 'store')
    const { sweep } = await runSweep(
      { experiment, axes },
      { store, workers: 2, limits: { retries }, ...(server === undefined ? {} : { nats: server.url }) },
    )
    const stored = await SweepFolder.open(openStore(store), sweep.id)
    const files = readdirSync(stored.logsFolder).sort()
    const read = async (what: string | number, attempt = 1): Promise<string | undefined> => {
      const trial = stored.plan.trials.find(({ params }) => params['what'] === what || params['n'] === what)!
      const log = await stored.readLog(trial.id, attempt)
      return log && Buffer.from(log.bytes).toString()
    }
    return { stored, files, read }
  }

  it('are whole, whether short, long or much, failed or hostile, and the journal holds none of them', async () => {
    const { stored, files, read } = await run({ what: ['little', 'much', 'long', 'hostile', 'fail'] })
    const parts = /^\S+Z trial [0-9a-f]{16} of logging[^]*it writes \w+, 0\n[^]*/
    for (const what of ['little', 'much', 'long', 'hostile', 'fail']) expect(await read(what)).toMatch(parts)
    for (const what of ['little', 'much', 'long'])
      expect(await read(what)).toMatch(/ the last line\n\S+ finished: .*\n$/)
    expect((await read('much'))!.match(/line \d+ x{50}/g)).toHaveLength(1_000)
    expect(await read('hostile')).toContain(Buffer.from(hostile).toString())
    expect(await read('fail')).toMatch(/failed: Error: it was asked to fail\n\s+at /)
    for (const line of linesOf(stored.journalFile)) expect(line).not.toContain('it writes')
    expect(files).toContain('short.jsonl')
  })

  it.skipIf(typeof experiment !== 'string')('hold what its code prints, to the last word and up to 8 MiB', async () => {
    const { read } = await run({ what: ['print', 'little'], n: [7] })
    const log = (await read('print'))!
    const lines = log.split('\n').map((line) => line.replace(/^\S+Z /, ''))
    expect(lines.slice(1, 5)).toEqual([
      'it writes print, 7',
      'printed 7',
      'told of an error',
      'half a line é and its end',
    ])
    expect(lines.slice(-5, -1)).toEqual([
      '(more than 8 MiB were printed: the rest is left out)',
      'without an end',
      'the last line',
      expect.stringMatching(/^finished: /),
    ])
    expect(log.match(/y{1048576}/g)).toHaveLength(7)
    expect(await read('little')).not.toContain('printed')
  })

  it('of many short trials are a handful of files', async () => {
    const { files, read } = await run({ n: Array.from({ length: isRemote ? 100 : 1_000 }, (_, n) => n) })
    expect(files.length).toBeLessThan(20)
    for (const n of [0, 1, 50, 99]) expect(await read(n)).toContain(`it writes little, ${n}\n`)
  })

  it('of each attempt are kept', async () => {
    const { read } = await run({ what: ['fail'] }, 1)
    const attempts = [await read('fail', 1), await read('fail', 2), await read('fail', 3)]
    expect(attempts.map((log) => /attempt \d/.exec(log ?? 'none')?.[0])).toEqual(['attempt 1', 'attempt 2', undefined])
  })
})

describe('mlds logs', () => {
  const waiting = `
const { existsSync } = require('node:fs')
console.log('begun')
const look = () => {
  if (process.argv[2] === '1' && !existsSync('go')) return setTimeout(look, 20)
  console.log(JSON.stringify({ loss: 1 }))
}
look()
`

  it('shows the log of a running trial, and a kill takes from it no word', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'wait.cjs'), waiting)
    writeFileSync(join(cwd, 'my.yaml'), 'name: mine\nexperiment: {command: "node wait.cjs {n}"}\naxes: {n: [0, 1]}\n')
    const running = startMlds(['sweep', 'my.yaml', '--workers', '1'], { cwd })
    const journal = join(cwd, '.mlds/sweeps/mine/journal.jsonl')
    const started = (): string[] =>
      existsSync(journal)
        ? [...readFileSync(journal, 'utf8').matchAll(/"started","trial":"(\w+)"/g)].map((m) => m[1]!)
        : []
    await until(() => started().length === 2)
    const [, trial] = started()
    const show = async (...flags: string[]) => (await mlds(['logs', trial!, ...flags], { cwd })).stdout
    await expect.poll(() => show()).toMatch(/^\S+ trial .* attempt 1: .*\n\S+ \[.*\n\S+ begun\n$/)
    running.child.kill('SIGKILL')
    await running.finished
    const before = await show()
    expect(before).toContain('begun')
    expect((await mlds(['logs', started()[0]!], { cwd })).stdout).toContain('finished: {"loss":1}')

    writeFileSync(join(cwd, 'go'), '')
    expect((await mlds(['resume', 'mine', '--workers', '1'], { cwd })).code).toBe(0)
    expect(await show('--attempt', '1')).toBe(before)
    expect(await show()).toMatch(/attempt 2: .*\n\S+ \[.*\n\S+ begun\n\S+ finished: /)
    expect((await mlds(['show', trial!], { cwd })).stdout).toContain(`log: mlds logs ${trial}\n`)
    expect(await mlds(['logs', trial!, '--attempt', '3'], { cwd })).toMatchObject({ code: 3, stdout: '' })
  })

  it('is what MLflow gets of each trial, byte for byte', async () => {
    const cwd = temporaryFolder()
    const axes = ['what=little,much,hostile', 'n=0'].flatMap((axis) => ['--set', axis])
    expect((await mlds(['sweep', file, ...axes, '--name', 'told'], { cwd })).code).toBe(0)
    expect((await mlds(['export', 'told', '--format', 'mlruns', '-o', 'runs'], { cwd })).code).toBe(0)
    const runs = readdirSync(join(cwd, 'runs'), { recursive: true, encoding: 'utf8' })
    const uploaded = runs
      .filter((path) => path.endsWith('/log.txt'))
      .map((path) => readFileSync(join(cwd, 'runs', path)))
    expect(uploaded).toHaveLength(3)
    const sweep = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'told')
    const kept = await Promise.all(sweep.plan.trials.map(({ id }) => sweep.readLog(id, 1)))
    const sorted = (all: Buffer[]): Buffer[] => all.sort((a, b) => a.compare(b))
    expect(sorted(uploaded)).toEqual(sorted(kept.map((log) => Buffer.from(log!.bytes))))
  })

  it('shows what a trial wrote before it ended its thread', async () => {
    const cwd = temporaryFolder()
    const toy = fileURLToPath(new URL('../fixtures/toy-experiment.mjs', import.meta.url))
    const sweep = await mlds(['sweep', toy, '--set', 'behaviour=die', '--name', 'died', '--json'], { cwd })
    expect(JSON.parse(sweep.stdout)).toMatchObject({ dead: 1 })
    const { plan } = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'died')
    const { stdout } = await mlds(['logs', plan.trials[0]!.id], { cwd })
    expect(stdout).toMatch(/attempt 3: .*\n\S+ behaving: die\n$/)
  })

  it('of a result that was taken over lie with the sweep that ran it, also when that has another name', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'said.cjs'), `console.log('said once'); console.log(JSON.stringify({ loss: 1 }))`)
    const sweep = (name: string, widths: string): Promise<{ code: number | null }> => {
      writeFileSync(
        join(cwd, `${name}.yaml`),
        `experiment: {command: 'node said.cjs {w}'}\nname: ${name}\naxes: {w: ${widths}}\n`,
      )
      return mlds(['sweep', `${name}.yaml`], { cwd })
    }
    expect((await sweep('first', '[1, 2]')).code).toBe(0)
    expect((await sweep('second', '[1, 2, 3]')).code).toBe(0)
    const store = openStore(join(cwd, '.mlds'))
    const second = await SweepFolder.open(store, 'second')
    const taken = second.plan.trials[0]!.id
    expect(await second.readLog(taken, 1)).toBeUndefined()
    expect((await mlds(['logs', taken], { cwd })).stdout).toContain('said once')
    expect((await mlds(['rename', 'first', 'other'], { cwd })).code).toBe(0)
    expect((await mlds(['logs', taken], { cwd })).stdout).toContain('said once')
    const log = await readLentLog(store, second, { trial: taken, attempt: 1 })
    expect(Buffer.from(log!.bytes).toString()).toContain('said once')
    expect((await mlds(['rm', 'other', '--yes'], { cwd })).code).toBe(0)
    const gone = await mlds(['logs', taken], { cwd })
    expect(gone).toMatchObject({ code: 3, stdout: '' })
    expect(gone.stderr).toContain('has no log of attempt 1')
  })

  it('finds the logs of a store that has a file for each', async () => {
    const { folder, complete } = unpack('tracked')
    const sweep = await SweepFolder.open(openStore(join(folder, '.mlds')), complete[0]!)
    const [trial] = sweep.plan.trials
    const { stdout } = await mlds(['logs', trial!.id, '--json'], { cwd: folder })
    const { file, text } = JSON.parse(stdout) as { file: string; text: string }
    expect(file).toBe(join(sweep.logsFolder, `${trial!.id}.1.log`))
    expect(text).toBe(readFileSync(file, 'utf8'))
    expect(text).toContain('finished: {')
  })

  it('shows what a module prints where the terminal has the sweep alone, also from the thread that it ends', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'mine.ts'),
      `import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  name: 'printing',
  space: { n: integer({ default: 0 }) },
  async run({ n }) {
    console.log('PRINTED', n)
    process.stderr.write('CUT')
    if (n === 1) process.exit(1)
    return { loss: n }
  },
})
`,
    )
    const { code, stdout, stderr } = await mlds(['sweep', 'mine.ts', '--set', 'n=0,1', '--name', 'printing'], { cwd })
    expect(code).toBe(1)
    expect(stdout + stderr).not.toMatch(/PRINTED|CUT/)
    const { plan } = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'printing')
    for (const { id, params } of plan.trials) {
      const log = (await mlds(['logs', id], { cwd })).stdout
      expect(log).toMatch(new RegExp(`^\\S+ PRINTED ${String(params['n'])}$`, 'm'))
      expect(log).toMatch(/^\S+ CUT$/m)
    }
  })

  it('goes on with -f until the trial ends, having waited for its beginning', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'wait.cjs'),
      `const { existsSync, watch } = require('node:fs')
const file = process.argv[2] === '0' ? 'first' : 'second'
console.log('waits for ' + file)
const go = () => existsSync(file) && (console.log('went on'), console.log(JSON.stringify({ loss: 1 })), process.exit())
watch('.', go)
go()
`,
    )
    writeFileSync(join(cwd, 'my.yaml'), 'name: mine\nexperiment: {command: "node wait.cjs {n}"}\naxes: {n: [0, 1]}\n')
    const { trials } = JSON.parse((await mlds(['plan', 'my.yaml', '--json'], { cwd })).stdout) as {
      trials: { id: string; params: { n: number } }[]
    }
    const [first, second] = [0, 1].map((n) => trials.find(({ params }) => params.n === n)!.id)
    const running = startMlds(['sweep', 'my.yaml', '--workers', '1'], { cwd })
    await until(() => linesOf(join(cwd, '.mlds/sweeps/mine/journal.jsonl')).some((line) => line.includes('"started"')))
    const [begun, waiting, interrupted] = [first, second, first].map((id) => startMlds(['logs', id!, '-f'], { cwd }))
    await until(() => begun!.output().includes('waits for first'))
    await until(() => waiting!.output().includes(`Trial ${second} has not begun; its log is shown when it does.\n`))
    await until(() => interrupted!.output().includes('waits for first'))
    interrupted!.child.kill('SIGINT')
    expect(await interrupted!.finished).toMatchObject({ code: 0, signal: null, stderr: '' })

    writeFileSync(join(cwd, 'first'), '')
    const { code, stdout } = await begun!.finished
    expect({ code, stdout }).toEqual({ code: 0, stdout: (await mlds(['logs', first!], { cwd })).stdout })
    expect(stdout).toMatch(/went on\n\S+ finished: .*\n$/)
    await until(() => waiting!.output().includes('waits for second'))
    writeFileSync(join(cwd, 'second'), '')
    expect((await waiting!.finished).stdout).toBe((await mlds(['logs', second!], { cwd })).stdout)
    await running.finished
    expect(await mlds(['logs', second!, '-f'], { cwd })).toMatchObject({
      code: 0,
      stdout: (await waiting!.finished).stdout,
    })
  })

  it('follows with -f through a retry to the attempt that succeeds, and one that is named to its own end', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'twice.cjs'),
      `const { existsSync, writeFileSync, watch } = require('node:fs')
const turn = existsSync('failed') ? 'second' : 'first'
console.log('waits for ' + turn)
const go = () => {
  if (!existsSync(turn)) return
  if (turn === 'first') { writeFileSync('failed', ''); console.log('gives up'); process.exit(1) }
  console.log(JSON.stringify({ loss: 1 }))
  process.exit()
}
watch('.', go)
go()
`,
    )
    writeFileSync(join(cwd, 'my.yaml'), 'name: mine\nexperiment: {command: "node twice.cjs {n}"}\naxes: {n: [0]}\n')
    const running = startMlds(['sweep', 'my.yaml', '--retries', '1'], { cwd })
    const journal = join(cwd, '.mlds/sweeps/mine/journal.jsonl')
    await until(() => linesOf(journal).some((line) => line.includes('"started"')))
    const trial = /"started","trial":"(\w+)"/.exec(linesOf(journal).join('\n'))![1]!
    const [all, first] = [[], ['--attempt', '1']].map((flags) => startMlds(['logs', trial, '-f', ...flags], { cwd }))
    await until(() => all!.output().includes('waits for first') && first!.output().includes('waits for first'))
    writeFileSync(join(cwd, 'first'), '')
    const log = async (attempt: string) => (await mlds(['logs', trial, '--attempt', attempt], { cwd })).stdout
    expect(await first!.finished).toMatchObject({ code: 0, stdout: await log('1') })
    await until(() => all!.output().includes('waits for second'))
    writeFileSync(join(cwd, 'second'), '')
    expect((await running.finished).code).toBe(0)
    expect(await all!.finished).toMatchObject({ code: 0, stdout: (await log('1')) + (await log('2')) })
    expect(await log('1')).toContain('gives up')
  })

  it('says with -f that a trial which nobody runs has no log, and that its process has gone', async () => {
    const cwd = temporaryFolder()
    // It ends with the folder: what a killed mlds has started runs on.
    writeFileSync(
      join(cwd, 'stay.cjs'),
      `console.log('stays'); setInterval(() => require('node:fs').existsSync(__filename) || process.exit(), 20)`,
    )
    writeFileSync(join(cwd, 'my.yaml'), 'name: mine\nexperiment: {command: "node stay.cjs {n}"}\naxes: {n: [0, 1]}\n')
    const running = startMlds(['sweep', 'my.yaml', '--workers', '1'], { cwd })
    const journal = join(cwd, '.mlds/sweeps/mine/journal.jsonl')
    const started = () => /"started","trial":"(\w+)"/.exec(linesOf(journal).join('\n'))?.[1]
    await until(() => started() !== undefined)
    const following = startMlds(['logs', started()!, '-f'], { cwd })
    await until(() => following.output().includes('stays'))
    running.child.kill('SIGKILL')
    const { code, stderr } = await following.finished
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'No process runs the sweep any more; run the rest with: mlds resume mine\n',
    })
    expect(await mlds(['logs', started()!, '-f'], { cwd })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('stays') as string,
      stderr: 'No process runs the sweep; run the rest with: mlds resume mine\n',
    })
    const { plan } = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'mine')
    const other = plan.trials.find(({ id }) => id !== started())!
    expect(await mlds(['logs', other.id, '-f'], { cwd })).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining(`trial ${other.id} has no log of attempt 1`) as string,
    })
  })
})
