import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { linesOf, mlds, startMlds, temporaryFolder, until, type Finished } from '../helpers/cli.js'
import { writeGated } from '../helpers/gated.js'
import { killAtAnyMoment } from '../helpers/kill-at-any-moment.js'
import { isRunning } from '../helpers/processes.js'

/** Small and quick: three sizes, two seeds, two epochs of the real experiment on synthetic digits. */
const tiny = [
  '--set',
  'dataset=glyphs-2000',
  '--set',
  'trainRows=600',
  '--set',
  'validationRows=200',
  '--set',
  'epochs=2',
  '--set',
  'width=4,8,16',
  '--set',
  'seed=0..1',
]
interface Summary {
  sweep: string
  planned: number
  finished: number
  diverged: number
  unique: number
  failed: number
  missing: number
  figures: string[]
}
const json = <T = Summary>({ stdout }: Finished): T => JSON.parse(stdout) as T
const journalOf = (cwd: string): string =>
  join(cwd, '.mlds', 'sweeps', readdirSync(join(cwd, '.mlds', 'sweeps'))[0]!, 'journal.jsonl')

describe('mlds sweep', () => {
  it('trains, judges, draws and says so in one final object', async () => {
    const cwd = temporaryFolder()
    const result = await mlds(['sweep', 'params', ...tiny, '--workers', '2', '--json'], { cwd })
    expect(result.code).toBe(0)
    const summary = json(result)
    expect(summary).toMatchObject({ planned: 6, finished: 6, unique: 6, failed: 0, missing: 0 })
    expect(summary.figures.filter((file) => file.endsWith('.png'))).toHaveLength(4)
    for (const file of summary.figures)
      expect(readFileSync(file).length).toBeGreaterThan(file.endsWith('.csv') ? 100 : 1000)
    expect(await mlds(['verify', summary.sweep, '--json'], { cwd }).then(json)).toMatchObject({
      sweep: summary.sweep,
      planned: 6,
      finished: 6,
      unique: 6,
      failed: 0,
      missing: 0,
      complete: true,
    })
    expect(await mlds(['list', '--json'], { cwd }).then(json<Summary[]>)).toMatchObject([
      { sweep: summary.sweep, planned: 6, finished: 6, unique: 6, failed: 0, missing: 0 },
    ])
  })

  it('run again with the same spec does nothing twice', async () => {
    const cwd = temporaryFolder()
    const first = json(await mlds(['sweep', 'params', ...tiny, '--json'], { cwd }))
    const lines = linesOf(journalOf(cwd)).length
    const again = await mlds(['sweep', 'params', ...tiny, '--json'], { cwd })
    expect(again.stderr).toContain('Nothing is left to run')
    expect(json(again).sweep).toBe(first.sweep)
    expect(linesOf(journalOf(cwd))).toHaveLength(lines)
  })

  it('gives the same bits with 1, 2 and 8 workers', async () => {
    const cwd = temporaryFolder()
    const tables = await Promise.all(
      ['1', '2', '8'].map(async (workers) => {
        const env = { MLDS_STORE: join(cwd, `store-${workers}`) }
        const { sweep } = json(await mlds(['sweep', 'params', ...tiny, '--workers', workers, '--json'], { cwd, env }))
        return (await mlds(['export', sweep, '--format', 'csv'], { cwd, env })).stdout
      }),
    )
    expect(tables[0]!.split('\r\n')).toHaveLength(8)
    expect(tables[1]).toBe(tables[0])
    expect(tables[2]).toBe(tables[0])
  })

  it('takes axes from a file, and flags over them', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'my.yaml'),
      'experiment: params\nname: mine\naxes:\n  dataset: glyphs-2000\n  trainRows: 300\n  validationRows: 100\n  epochs: 1\n  width: [4, 8]\nseeds: 0..2\n',
    )
    const plan = await mlds(['plan', 'my.yaml', '--set', 'width=3', '--json'], { cwd })
    expect(json<{ planned: number; sweep: string }>(plan)).toMatchObject({ planned: 3, sweep: 'mine' })
    expect(json(await mlds(['sweep', 'my.yaml', '--json'], { cwd }))).toMatchObject({
      sweep: 'mine',
      planned: 6,
      finished: 6,
    })

    const other = await mlds(['sweep', 'my.yaml', '--set', 'width=4,8,16'], { cwd })
    expect(other.code).toBe(2)
    expect(other.stderr).toContain('sweep mine exists with another plan: 3 trials would be new')
    const extended = json(await mlds(['sweep', 'my.yaml', '--set', 'width=4,8,16', '--extend', '--json'], { cwd }))
    expect(extended).toMatchObject({ sweep: 'mine', planned: 9, finished: 9, unique: 9 })
    expect(linesOf(journalOf(cwd)).filter((line) => line.includes('"started"'))).toHaveLength(9)
  })

  it('takes a loss that is not a number for an outcome, and says of which trial and when', async () => {
    const cwd = temporaryFolder()
    const result = await mlds(
      ['sweep', 'params', ...tiny, '--set', 'optimizer=sgd', '--set', 'learningRate=0.01,1e9', '--json'],
      { cwd },
    )
    expect(result.code).toBe(0)
    const summary = json(result)
    expect(summary.diverged).toBeGreaterThan(0)
    expect(summary).toMatchObject({ failed: 0, finished: summary.planned, unique: summary.planned })
    expect(result.stderr).toMatch(/[0-9a-f]{16} .*diverged: train\/loss became (NaN|Infinity) at step \d/)
  })

  /** A sweep of eight trials of which one has ended; the others wait for `open`. */
  const halfway = async (...flags: string[]) => {
    const cwd = temporaryFolder()
    const { file, open } = writeGated(cwd)
    const args = ['sweep', file, '--set', 'n=0..7', '--name', 'halfway', ...flags]
    const running = startMlds([...args, '--json'], { cwd })
    await until(() => running.output().includes('1/8'))
    return { cwd, args, open, running }
  }

  it('lets what runs finish at the first interrupt, and resume runs the rest', async () => {
    const { cwd, open, running } = await halfway('--workers', '2')
    running.child.kill('SIGINT')
    await until(() => running.output().includes('Letting the running trials finish'))
    open()
    const result = await running.finished
    expect(result.code).toBe(130)
    const summary = json(result)
    // The first, and the two that ran.
    expect(summary).toMatchObject({ finished: 3, missing: 5 })
    const resumed = await mlds(['resume', summary.sweep, '--json'], { cwd })
    expect(resumed.code).toBe(0)
    expect(json(resumed)).toMatchObject({ planned: 8, finished: 8, unique: 8 })
  })

  it('stops at once at the second interrupt, and at SIGTERM ends with 143', async () => {
    const { cwd, open, running } = await halfway('--workers', '2')
    running.child.kill('SIGTERM')
    await until(() => running.output().includes('Letting the running'))
    running.child.kill('SIGINT')
    const result = await running.finished
    expect(result.code).toBe(143)
    expect(result.stderr).toContain('Stopping at once')
    open()
    expect(json(await mlds(['resume', 'latest', '--json'], { cwd }))).toMatchObject({
      planned: 8,
      finished: 8,
      unique: 8,
    })
  })

  it('lets what runs finish when its terminal goes, however often that is told, and ends with 129', async () => {
    const { cwd, open, running } = await halfway('--workers', '2')
    running.child.kill('SIGHUP')
    await until(() => running.output().includes('The terminal is gone. Letting the running trials finish'))
    // The shell and the system both tell.
    running.child.kill('SIGHUP')
    open()
    const result = await running.finished
    expect(result.code).toBe(129)
    expect(json(result)).toMatchObject({ finished: 3, missing: 5 })
    expect((await mlds(['resume', 'latest', '--json'], { cwd })).code).toBe(0)
  })

  it('lets what runs finish, and keeps its result, when a real terminal closes over it', async () => {
    const cwd = temporaryFolder()
    const { file, open } = writeGated(cwd)
    const mine = `${process.execPath} ${join(import.meta.dirname, '../../bin/run.js')} sweep ${file} --set n=0..31 --workers 2`
    // As a login shell does, this one tells its job; unlike one, it outlives the terminal, to see how the job ends.
    writeFileSync(
      join(cwd, 'run.sh'),
      `${mine} --name halfway &\ntrap 'kill -HUP $!; echo > told' HUP\nwait\nwait $!\necho $? > code\n`,
    )
    const terminal = spawn('script', ['-qec', 'sh run.sh', '/dev/null'], { cwd, stdio: ['ignore', 'ignore', 'ignore'] })
    onTestFinished(() => void terminal.kill('SIGKILL'))
    onTestFinished(open)
    const journal = join(cwd, '.mlds', 'sweeps', 'halfway', 'journal.jsonl')
    const count = (type: string): number => linesOf(journal).filter((line) => line.includes(`"${type}"`)).length
    await until(() => count('ended') === 1)
    terminal.kill('SIGKILL')
    await until(() => !isRunning(terminal.pid!))
    await until(() => existsSync(join(cwd, 'told')))
    open()
    await until(() => existsSync(join(cwd, 'code')) && readFileSync(join(cwd, 'code'), 'utf8').endsWith('\n'))
    expect(readFileSync(join(cwd, 'code'), 'utf8')).toBe('129\n')
    // The first, the two that ran, and whatever began until the process heard of it.
    expect(count('ended')).toBe(count('started'))
    expect(count('ended')).toBeGreaterThanOrEqual(3)
    expect((await mlds(['verify', 'halfway'], { cwd })).stdout).toMatch(/missing [1-9]/)
  })

  it("refuses a second process on the same sweep and names the first one's pid", async () => {
    const { cwd, args, open, running } = await halfway('--workers', '1')
    const second = await mlds(args, { cwd })
    expect(second.code).toBe(3)
    expect(second.stderr).toContain(`being run by another process: pid ${running.child.pid}`)
    open()
    expect((await running.finished).code).toBe(0)
  })

  it('loses nothing to kill -9 at any of five moments: planned = finished = unique, and the same numbers', () =>
    killAtAnyMoment(5))
})

describe('a damaged journal', () => {
  const finishedSweep = async (): Promise<{ cwd: string; sweep: string }> => {
    const cwd = temporaryFolder()
    return { cwd, sweep: json(await mlds(['sweep', 'params', ...tiny, '--json'], { cwd })).sweep }
  }

  it('with a torn last line is repaired, and said', async () => {
    const { cwd, sweep } = await finishedSweep()
    appendFileSync(journalOf(cwd), '{"type":"ended","tri')
    const resumed = await mlds(['resume', sweep, '--json'], { cwd })
    expect(resumed.stderr).toContain("the journal's last line was torn")
    expect(json(resumed)).toMatchObject({ planned: 6, finished: 6, unique: 6 })
    expect((await mlds(['verify', sweep], { cwd })).code).toBe(0)
  })

  it('with a corrupt line in the middle runs that trial again, and only that', async () => {
    const { cwd, sweep } = await finishedSweep()
    const lines = linesOf(journalOf(cwd))
    const at = lines.findIndex((line) => line.includes('"ended"'))
    const broken = lines.with(at, lines[at]!.replace('0.', '9.'))
    writeFileSync(journalOf(cwd), `${broken.join('\n')}\n`)
    const verified = await mlds(['verify', sweep, '--json'], { cwd })
    expect(verified.code).toBe(1)
    expect(json<{ missing: number; damagedLines: string[] }>(verified)).toMatchObject({
      missing: 1,
      damagedLines: [`journal line ${at + 1}: the checksum does not match`],
    })
    const resumed = await mlds(['resume', sweep, '--json'], { cwd })
    expect(resumed.stderr).toContain(`1 line can't be read (line ${at + 1}: the checksum does not match) of`)
    expect(json(resumed)).toMatchObject({ planned: 6, finished: 6, unique: 6 })
  })

  it('of a newer version is refused and left as it is', async () => {
    const { cwd, sweep } = await finishedSweep()
    const { Journal } = await import('../../src/sweeps/journal/journal.js')
    const journal = Journal.open(journalOf(cwd))
    journal.append({ type: 'opened', format: 99, sweep, planHash: 'x', codeVersion: '9.9.9', atMs: 0 })
    journal.close()
    const before = readFileSync(journalOf(cwd))
    const resumed = await mlds(['resume', sweep], { cwd })
    expect(resumed.code).toBe(3)
    expect(resumed.stderr).toContain('written by a newer mlds: journal format 99')
    expect(resumed.stderr).toContain('at least 9.9.9')
    expect(readFileSync(journalOf(cwd))).toEqual(before)
  })
})

describe('bad input', () => {
  it.each([
    [['sweep', 'parms'], /unknown experiment: parms\n {2}did you mean params\?/],
    [['sweep', 'params', '--set', 'widht=3'], /unknown axis: widht\n {2}did you mean width\?/],
    [['sweep', 'params', '--set', 'width=0'], /width: "0" is not an integer from 1 to 4096/],
    [['sweep', 'params', '--set', 'width=ten'], /width: "ten" is not an integer from 1 to 4096/],
    [['sweep', 'params', '--set', 'width='], /width: no values/],
    [['sweep', 'params', '--set', 'optimizer=adm'], /optimizer: "adm" is not one of/],
    [['sweep', 'params', '--workers', '0'], /--workers: 0 is not a number of workers \(an integer from 1 to 256\)/],
    [['sweep', 'params', '--workers', '10000'], /--workers: 10000 is not a number of workers/],
    [['sweep', 'params', '--workers', 'many'], /--workers: many is not a number of workers/],
    [['sweep', 'params', '--profile', 'tiny'], /unknown profile: tiny/],
    [['sweep', 'params', '--name', '../escape'], /not a sweep's name: "\.\.\/escape"/],
    [['sweep', 'nothing.yaml'], /nothing\.yaml: no such file/],
    [['sweep', 'broken.yaml'], /broken\.yaml:3:1: Flow sequence/],
    [['sweep', 'empty-axis.yaml'], /empty-axis\.yaml:3:10: width: no values/],
    [['resume', 'nothing'], /unknown sweep: nothing/],
    [['show', 'ffff'], /unknown trial: ffff/],
    [['resume', 'nothing', '--only', 'lost'], /unknown state: lost/],
    [['sweep'], /Missing 1 required arg/],
    [['sweep', 'params', '--wrokers', '3'], /Nonexistent flag/],
  ])('%j ends with a sentence, exit code 2 and nothing stored', async (args, message) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'broken.yaml'), 'experiment: params\naxes: {width: [1, 2\n')
    writeFileSync(join(cwd, 'empty-axis.yaml'), 'experiment: params\naxes:\n  width: []\n')
    const { code, stderr, stdout } = await mlds(args, { cwd })
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).not.toMatch(/\n\s+at /)
    const sweeps = join(cwd, '.mlds', 'sweeps')
    expect(existsSync(sweeps) ? readdirSync(sweeps) : []).toEqual([])
  })

  it.each([
    ['a file', 'occupied', /the store can't be written: .*occupied: it is not a folder/],
    ['a place below a file', 'occupied/deeper', /the store can't be written/],
    ['a full device', 'full/store', /the store can't be written/],
  ])('a store that is %s ends with a sentence and exit code 3', async (_what, store, message) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'occupied'), '')
    symlinkSync('/dev/full', join(cwd, 'full'))
    const { code, stderr } = await mlds(['sweep', 'params', ...tiny, '--store', store], { cwd })
    expect(stderr).toMatch(message)
    expect(code).toBe(3)
  })

  it('is told as JSON too', async () => {
    const { code, stdout } = await mlds(['sweep', 'parms', '--json'], { cwd: temporaryFolder() })
    expect(code).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: 'UNKNOWN',
        message: 'unknown experiment: parms',
        hint: expect.stringContaining('params') as string,
      },
    })
  })

  it('stops hopeless trials early when told to, and a finished one at its target', async () => {
    const cwd = temporaryFolder()
    const axes = ['dataset=glyphs-2000', 'trainRows=200', 'validationRows=50', 'epochs=30', 'width=8', 'seed=0..3']
    const result = await mlds(
      [
        'sweep',
        'params',
        ...axes.flatMap((axis) => ['--set', axis]),
        '--scheduler',
        'target:value=5,metric=train/loss,direction=minimize',
        '--json',
      ],
      { cwd },
    )
    const { planned, finished, stopped } = JSON.parse(result.stdout) as Record<string, number>
    expect({ planned, finished, stopped }).toEqual({ planned: 4, finished: 4, stopped: 4 })
    expect(result.code).toBe(0)
    const again = await mlds(['sweep', 'params', '--scheduler', 'ahsa'], { cwd })
    expect(again.code).toBe(2)
    expect(again.stderr).toMatch(/unknown scheduler: ahsa\n +did you mean asha/)
  })
})
