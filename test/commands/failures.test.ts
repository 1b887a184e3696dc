import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'

/** A program that fails where `x` is odd, each time with another word. */
const spec = `experiment:
  command: ['sh', '-c', 'if [ $(($1 % 2)) = 1 ]; then echo "no luck with $1" >&2; exit 3; fi; echo "{\\"loss\\": $1}"', 'sh', '{x}']
axes: { x: 0..9 }
`
const alike = `experiment:
  command: ['sh', '-c', 'echo "no such data" >&2; exit 3']
repeat: 9
`

/** Without a number for its loss from the first report on where `x` is below 5, and at its end alone where it is 5. */
const divergent = `experiment:
  command:
    - 'sh'
    - '-c'
    - 'echo kept > "$MLDS_FOLDER/weights.bin"; for s in 1 2; do [ "$1" -lt 5 ] && echo "{\\"step\\":$s,\\"loss\\":NaN}" || echo "{\\"step\\":$s,\\"loss\\":$1}"; done; [ "$1" = 5 ] && echo "{\\"loss\\":Infinity}" || true'
    - 'sh'
    - '{x}'
axes: { x: 0..8 }
`

interface Summary {
  planned: number
  finished: number
  failed: number
  missing: number
  cutShort?: string
}

async function sweep(text: string, ...flags: string[]): Promise<Summary & { code: number | null; stderr: string }> {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'my.yaml'), text)
  const { code, stdout, stderr } = await mlds(['sweep', 'my.yaml', '--workers', '1', '--json', ...flags], { cwd })
  return { ...(JSON.parse(stdout) as Summary), code, stderr }
}

describe('a sweep of a program that fails', () => {
  it('goes on to its end, and tells each failure with its log', async () => {
    const { stderr, ...summary } = await sweep(spec)
    expect(summary).toMatchObject({ code: 1, planned: 10, finished: 5, failed: 5, missing: 0 })
    expect(stderr).toMatch(
      /failed: [0-9a-f]{16} x=3 seed=0: .*exit code 3: no luck with 3\n {4}log: mlds logs [0-9a-f]{16}/,
    )
  })

  it('starts nothing after the first failure with --fail-fast, and after so many with --max-failures', async () => {
    expect(await sweep(spec, '--fail-fast')).toMatchObject({ code: 1, failed: 1, finished: 1, missing: 8 })
    expect(await sweep(spec, '--max-failures', '2')).toMatchObject({
      failed: 2,
      finished: 2,
      missing: 6,
      cutShort: '2 trials failed, the most allowed (--max-failures 2)',
    })
  })

  it('tries again as often as --retries says, and counts a trial once', async () => {
    const { stderr, ...summary } = await sweep(spec, '--set', 'x=1', '--retries', '2')
    expect(summary).toMatchObject({ code: 1, planned: 1, failed: 1 })
    expect(stderr.match(/^lost: .*no luck with 1/gm)).toHaveLength(2)
  })

  it.each([
    ['failed', { finished: 1, failed: 1, missing: 8 }, /failed: [0-9a-f]{16} x=1 seed=0/],
    ['missing', { finished: 5, failed: 5, missing: 0 }, /failed: [0-9a-f]{16} x=3 seed=0/],
    [
      'dead,skipped',
      { finished: 1, failed: 1, missing: 8 },
      /Nothing is run: no trial that can run is dead or skipped \(8 missing, 1 failed, 0 dead\)/,
    ],
  ])('runs nothing but the trials that --only asks for: %s', async (only, counts, said) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), spec)
    const first = await mlds(['sweep', 'my.yaml', '--workers', '1', '--fail-fast', '--json'], { cwd })
    expect(JSON.parse(first.stdout)).toMatchObject({ finished: 1, failed: 1, missing: 8 })
    const { stdout, stderr } = await mlds(['resume', '--only', only, '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject(counts)
    expect(stderr).toMatch(said)
  })

  it.each([
    ['grid', 'axes: { x: 0..9 }'],
    ['search', 'search: { sampler: tpe, count: 10, parallel: 2, axes: { x: { int: [0, 9] } } }'],
  ])('goes on with a %s that has results, though what failed fails again alike', async (_, axes) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), spec.replace('with $1', 'today').replace('axes: { x: 0..9 }', axes))
    const flags = ['--workers', '1', '--json']
    const first = await mlds(['sweep', 'my.yaml', ...flags, '--max-failures', '3'], { cwd })
    expect(JSON.parse(first.stdout)).toMatchObject({ failed: 3 })
    const { stdout } = await mlds(['resume', ...flags], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ planned: 10, finished: 5, failed: 5, missing: 0 })
  })

  it('stops when the first trials all fail alike, with one message', async () => {
    expect(await sweep(alike)).toMatchObject({
      code: 1,
      planned: 9,
      failed: 3,
      missing: 6,
      cutShort: 'the first 3 trials all failed alike: the program ended with exit code 3: no such data',
    })
  })

  it('runs the rest with what it advises then, and goes on by itself with --failing-alike 0', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), alike)
    const flags = ['--workers', '1', '--max-failures', '100', '--name', 'alike']
    const advised = async (words: readonly string[]): Promise<string[]> => {
      const { stdout } = await mlds(words, { cwd })
      expect(stdout).toContain(words.includes('0') ? '9 failed' : 'all failed alike')
      return /mlds (resume.*)$/m.exec(stdout)![1]!.split(' ')
    }
    const first = await advised(['sweep', 'my.yaml', ...flags])
    expect(first).toEqual(['resume', 'alike', '--only', 'missing', '--failing-alike', '0'])
    const second = await advised(first)
    expect(second).toEqual(['resume', 'alike'])
    // The same three fail alike again; nothing is missing, and the others are as failed as before.
    const third = await advised(second)
    expect(third).toEqual(['resume', 'alike', '--failing-alike', '0'])
    expect(JSON.parse((await mlds(['status', 'alike', '--json'], { cwd })).stdout)).toMatchObject({
      failed: 9,
      missing: 0,
    })
    await advised(third)
    expect(await sweep(alike, '--failing-alike', '0')).toMatchObject({ failed: 9, missing: 0 })
  })
})

describe('a sweep whose first trials diverge', () => {
  it('goes on to its end whatever is allowed of failures, is complete, and has nothing left to run', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), divergent)
    const flags = ['--workers', '1', '--max-failures', '1', '--retries', '3', '--name', 'lr']
    const run = await mlds(['sweep', 'my.yaml', ...flags], { cwd })
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toContain('lr: 9 of 9 trials finished, 6 diverged in')
    expect(run.stdout).toMatch(/1\/9 {2}[0-9a-f]{16} x=0 seed=0 {2}diverged: loss became NaN at step 1/)
    expect(run.stdout).toMatch(/x=5 seed=0 {2}diverged: its final loss is Infinity/)
    expect(run.stdout).not.toMatch(/\(unknown left\)|\(0 ms left\)|mlds resume/)

    const again = await mlds(['resume', 'lr'], { cwd })
    expect(again.stdout).toContain('Nothing is left to run.')
    expect(again.code).toBe(0)
    const verified = await mlds(['verify', 'lr'], { cwd })
    expect(verified.stdout).toContain('planned 9, finished 9, unique 9: complete\ndiverged 6, failed 0')
    const rows = (await mlds(['export', 'lr', '--format', 'jsonl'], { cwd })).stdout.trim().split('\n')
    const exported = rows.map((row) => JSON.parse(row) as { state: string; loss?: unknown })
    expect(exported.map(({ state }) => state)).toEqual([
      ...Array<string>(6).fill('diverged'),
      ...Array<string>(3).fill('finished'),
    ])
    expect(exported[0]).toMatchObject({ loss: 'NaN' })

    const other = await mlds(['sweep', 'my.yaml', '--set', 'x=4,5,9', '--name', 'more'], { cwd })
    expect(other.stdout).toContain('2 of 3 trials have results already, in lr: taken over')
    expect(other.stdout).toContain('best, of one seed: x=9, loss 9')
    expect(other.stdout).toContain('more: 3 of 3 trials finished, 2 diverged in')
    const shown = await mlds(['show', (exported[0] as unknown as { trial: string }).trial, '--json'], { cwd })
    expect(JSON.parse(shown.stdout)).toMatchObject({
      state: 'diverged',
      outcome: { metric: 'loss', step: 1 },
      series: { loss: { steps: [1] } },
      artifacts: { 'weights.bin': {} },
    })
  })

  it('says in its last line, in best, status and report that all diverged; null is NaN, and an exit code a failure', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'run.sh'),
      `case $1 in 0) echo '{"loss":null}';; 1) echo '{"step":1,"loss":null}';; *) echo '{"loss":NaN}'; exit 3;; esac`,
    )
    writeFileSync(join(cwd, 'my.yaml'), "experiment: { command: 'sh run.sh {x}' }\naxes: { x: 0..2 }\n")
    const [run, best, status, reported] = await inOneProcess(
      [['sweep', 'my.yaml', '--name', 'lr', '--workers', '1'], ['best'], ['status'], ['report', '-o', 'report.html']],
      cwd,
    )
    expect(run!.stdout).toContain('lr: 2 of 3 trials finished, 2 diverged, 1 failed in')
    for (const { stdout } of [run!, best!, status!])
      expect(stdout).toContain('best so far: none: all 2 trials with a result diverged')
    expect([best!.code, reported!.code]).toEqual([0, 0])
    expect(readFileSync(join(cwd, 'report.html'), 'utf8')).toContain('Best so far: none: all 2 trials with a result')
  })

  it('watches the objective too', async () => {
    const command = `experiment: { command: ['echo', '{"score":NaN,"loss":1}'] }
objective: { metric: score, direction: maximize }
`
    expect(await sweep(command)).toMatchObject({ code: 0, finished: 1, diverged: 1 })
  })
})
