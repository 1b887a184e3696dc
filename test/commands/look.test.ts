import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'

/** One small sweep, looked at by every command that only looks. */
const program = join(import.meta.dirname, '..', '..', 'bin', 'run.js')
let cwd: string
const mlds = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return { code: status, stdout, stderr }
}
const json = <T>(...args: string[]): T => JSON.parse(mlds(...args, '--json').stdout) as T

let sweep: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'mlds-look-'))
  const set = ['dataset=glyphs-2000', 'trainRows=300', 'validationRows=100', 'epochs=3', 'width=4,8'].flatMap(
    (axis) => ['--set', axis],
  )
  sweep = json<{ sweep: string }>('sweep', 'params', ...set, '--set', 'seed=0..1').sweep
})
afterAll(() => rmSync(cwd, { recursive: true }))

describe('the commands that look', () => {
  it('plan counts, lists and says what is done, without starting anything', () => {
    const { stdout, code } = mlds('plan', 'params')
    expect(code).toBe(0)
    expect(stdout).toMatch(/params-[0-9a-f]{8}: 145 trials of params \(reduced\), 0 done, 145 to run/)
    expect(json<{ trials: object[] }>('plan', 'params').trials).toHaveLength(145)
    expect(
      mlds('list')
        .stdout.split('\n')
        .filter((line) => line.startsWith('params-')),
    ).toHaveLength(1)
  })

  it('plan params covers 7.9 k to 1.45 M parameters in at least 24 sizes and 5 seeds', () => {
    const { trials } = json<{ trials: { params: { width: number }; seeds: { init: number } }[] }>('plan', 'params')
    const sizes = [...new Set(trials.map(({ params: { width } }) => 7860 + 23 * width + 2 * width * width))].sort(
      (a, b) => a - b,
    )
    expect(sizes.length).toBeGreaterThanOrEqual(24)
    expect([sizes[0], sizes.at(-1)]).toEqual([7914, 1_448_547])
    expect(new Set(trials.map(({ seeds }) => seeds.init)).size).toBe(5)
    expect(json<{ planned: number }>('plan', 'params', '--profile', 'full').planned).toBe(300)
  })

  it('status tells counts and verdicts', () => {
    expect(mlds('status', sweep).stdout).toMatch(/4 of 4 finished.*\nNo process is running it\./)
    expect(json<{ verdicts: object[] }>('status', 'latest').verdicts).toHaveLength(8)
  })

  it('best ranks points by the mean over their seeds', () => {
    const { points } = json<{ points: { params: { width: number }; mean: number; values: number[] }[] }>('best', sweep)
    expect(points.map(({ values }) => values.length)).toEqual([2, 2])
    expect(points[0]!.mean).toBeGreaterThanOrEqual(points[1]!.mean)
    expect(mlds('best', sweep, '--metric', 'no/such').stderr).toMatch(/no\/such.*\n.*validation\/loss/)
  })

  it('compare sets a sweep beside itself in pairs, and finds no difference', () => {
    const { points } = json<{ points: { difference: number; pairs: number }[] }>('compare', sweep, sweep)
    expect(points).toHaveLength(2)
    for (const point of points) expect(point).toMatchObject({ difference: 0, pairs: 2 })
    // Why there is no interval stands in its place.
    expect(mlds('compare', sweep, sweep).stdout).toMatch(/none: under 3 pairs +2 pairs/)
  })

  it('diff says what a plan would add and leave out, in its exit code too', () => {
    const other = mlds('diff', sweep, 'params', '--profile', 'smoke')
    expect(other.code).toBe(1)
    expect(other.stdout).toMatch(/0 trials in common, \d+ new, 4 gone/)
  })

  it('report writes a page, its Markdown and its pictures, with the same bytes each time', () => {
    const files = json<{ files: string[] }>('report', sweep).files
    expect(files.map((file) => file.slice(file.lastIndexOf('/') + 1)).slice(0, 2)).toEqual(['report.html', 'report.md'])
    const before = readFileSync(files[0]!, 'utf8')
    expect(before).toMatch(/engine<\/th><td>compiled/)
    expect(before).toMatch(/glyphs-2000: [0-9a-f]{64}/)
    json('report', sweep)
    expect(readFileSync(files[0]!, 'utf8')).toBe(before)
    expect(mlds('report', sweep, '--out', 'page.txt')).toMatchObject({ code: 2, stdout: '' })
  })

  it('show and logs tell one trial, by the beginning of its id', () => {
    const [row] = json<{ rows: { trial: string }[] }>('export', sweep).rows
    const shown = mlds('show', row!.trial.slice(0, 10))
    expect(shown.stdout).toContain('finished after 1 attempt')
    expect(shown.stdout).toContain('validation/accuracy')
    expect(mlds('logs', row!.trial).stdout).toMatch(
      /trial [0-9a-f]{16} of params.*\n.*parameters, 300 rows to train on, 100 held out\n.*finished/,
    )
    expect(mlds('logs', row!.trial, '--attempt', '2').code).toBe(3)
  })

  it('export gives one row per trial in plan order, as CSV and as JSON lines, without times', () => {
    const csv = mlds('export', sweep, '--format', 'csv').stdout.trim().split('\r\n')
    expect(csv).toHaveLength(5)
    expect(csv[0]).toBe(
      'trial,index,stage,state,accumulator,batch,bottleneck,dataset,depth,epochs,labelNoise,learningRate,loss,optimizer,targetLoss,trainRows,validationRows,width,seed.corruption,seed.data,seed.init,seed.shuffle,parameters,train/accuracy,train/loss,updates,validation/accuracy,validation/loss',
    )
    const lines = mlds('export', sweep, '--format', 'jsonl')
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { index: number; width: number })
    expect(lines.map(({ index, width }) => [index, width])).toEqual([
      [0, 4],
      [1, 4],
      [2, 8],
      [3, 8],
    ])
  })

  it('figure draws again from the journal', () => {
    rmSync(join(cwd, '.mlds', 'sweeps', sweep, 'figures'), { recursive: true })
    const { figures } = json<{ figures: string[] }>('figure', sweep)
    expect(figures).toHaveLength(20)
    expect(figures.every((file) => existsSync(file))).toBe(true)
  })

  it('figure draws for print into a folder of its own, as wide as is asked for', () => {
    const before = readFileSync(join(cwd, '.mlds', 'sweeps', sweep, 'figures', 'loss-against-parameters-log.svg'))
    const { figures } = json<{ figures: string[] }>(
      ...['figure', sweep, '--format', 'svg,pdf', '--width', '3.25in', '--no-title', '--grayscale'],
    )
    expect(figures).toHaveLength(8)
    for (const file of figures) expect(file).toMatch(/figures\/print\/[\w-]+\.(svg|pdf)$/)
    expect(readFileSync(figures[0]!, 'utf8')).toMatch(/^<svg[^>]* width="31[0-4]/)
    expect(readFileSync(join(cwd, '.mlds', 'sweeps', sweep, 'figures', 'loss-against-parameters-log.svg'))).toEqual(
      before,
    )
  })

  it('experiments describes axes, profiles and claims', () => {
    expect(mlds('experiments').stdout).toContain('params')
    const { stdout } = mlds('experiments', 'number_of_params')
    expect(stdout).toMatch(/width +64 +an integer from 1 to 4096/)
    expect(stdout).toContain('P(u) = 7860 + 23u + 2u²')
  })

  it('doctor finds what the main job needs', () => {
    const { code, stdout } = mlds('doctor')
    expect(code).toBe(0)
    expect(stdout).toMatch(/✓ engine compiled +trains/)
    expect(stdout).toContain('Everything that sweeps need is here.')
  })

  it('--help lists the commands without loading what trains nets, draws or serves', () => {
    const loader = join(cwd, 'loaded.mjs')
    writeFileSync(
      loader,
      `import { Module } from 'node:module'\nconst load = Module._load\nModule._load = (name, ...rest) => { process.stderr.write(name + '\\n'); return load(name, ...rest) }\n`,
    )
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', loader, program, '--help'], {
      cwd,
      encoding: 'utf8',
    })
    for (const command of [
      'sweep',
      'resume',
      'plan',
      'list',
      'status',
      'show',
      'logs',
      'verify',
      'figure',
      'export',
      'experiments',
      'doctor',
    ])
      expect(stdout).toContain(`\n  ${command}`)
    expect(stderr).not.toMatch(/tensorflow|onnxruntime|vega|resvg|nats|piscina/)
  })
})
