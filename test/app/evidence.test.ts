import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeNpy } from '../../src/data/npy.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'recompute.md'), 'utf8')
const script = /```python\n([\s\S]*?)```/.exec(page)![1]!
/** A Python that has numpy: that of MLflow's own environment, or the host's. */
const mlflow = process.env['MLDS_MLFLOW']
const python =
  mlflow !== undefined && existsSync(join(dirname(mlflow), 'python3')) ? join(dirname(mlflow), 'python3') : 'python3'

/** A small sweep of each kind: curves alone, nets with snapshots, a measure of stored nets, pairs of nets. */
const sweeps: Readonly<Record<string, readonly string[]>> = {
  'sim-func': ['model=m1,m2', 'target=f2', 'epochs=1000', 'rows=300', 'seed=0..2'],
  pca: ['epochs=10', 'trainRows=200', 'testRows=100', 'scope=whole', 'reduction=joint', 'seed=0..2'],
  sensitivity: ['batch=20,50,100,200', 'epochs=3', 'trainRows=200', 'testRows=100', 'quantity=mean-loss', 'seed=0..2'],
  interpolate: ['batch=20,100', 'epochs=3', 'trainRows=200', 'testRows=100', 'alphaStep=0.5', 'seed=0..2'],
}

describe('evidence', () => {
  it.each(Object.entries(sweeps))('of %s is enough to recompute its verdicts with numpy alone', async (name, axes) => {
    const cwd = temporaryFolder()
    const set = axes.flatMap((one) => ['--set', one])
    const ran = await mlds(['sweep', name, '-p', 'smoke', ...set, '--name', 'weighed', '--workers', '2'], { cwd })
    expect(ran.code, ran.stderr).toBe(0)
    const exported = await mlds(['export', 'weighed', '--format', 'evidence'], { cwd })
    expect(exported.code, exported.stderr).toBe(0)
    const told = () => {
      writeFileSync(join(cwd, 'recompute.py'), script)
      return execFileSync(python, ['recompute.py', 'evidence'], { cwd, encoding: 'utf8', stdio: 'pipe' })
    }
    const lines = told().trim().split('\n')
    expect(lines.filter((line) => line.endsWith(', as told')).length).toBe(lines.length)
    expect(lines.some((line) => line.includes('numbers, as told'))).toBe(true)

    // A verdict that does not follow from its numbers is found out.
    const file = join(cwd, 'evidence', 'evidence.json')
    const evidence = JSON.parse(readFileSync(file, 'utf8')) as { claims: { state: string; parts: unknown[] }[] }
    const claim = evidence.claims.find(({ parts }) => parts.length > 0)!
    claim.state = claim.state === 'reproduced' ? 'not reproduced' : 'reproduced'
    writeFileSync(file, JSON.stringify(evidence))
    expect(told).toThrow(/AssertionError/)

    // Nothing is written over.
    const again = await mlds(['export', 'weighed', '--format', 'evidence'], { cwd })
    expect(again.code).toBe(2)
    expect(again.stderr).toMatch(/the folder is not empty: evidence/)
  })

  it('of numbers at the ends of what a float holds is recomputed too, and none of them is lost', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'p.cjs'),
      `const [a, seed] = process.argv.slice(2).map(Number)
       console.log(JSON.stringify({ step: 1, loss: 1, other: 'NaN' }))
       console.log(JSON.stringify({ step: 2, loss: 1, other: '-Infinity' }))
       const one = a * 10 + (a * ((seed * 7) % 5)) / 10
       const huge = (a === 1 ? 1 : -1) * (1.7e308 - seed * 1e306)
       console.log(JSON.stringify({ loss: 1, huge, infinite: seed === 1 ? 'Infinity' : one, nan: seed === 1 ? 'NaN' : one }))`,
    )
    const claims = [
      'huge: { of: { a: 1 }, metric: huge, above: 1e308 }',
      'apart: { compare: [{ a: 1 }, { a: 2 }], metric: huge, above: 0 }',
      'infinite: { compare: [{ a: 2 }, { a: 1 }], metric: infinite, above: 0 }',
      'nan: { compare: [{ a: 2 }, { a: 1 }], metric: nan, above: 0 }',
      'of-nan: { of: { a: 1 }, metric: nan, above: 0 }',
      'nan-trend: { trend: a, metric: nan, above: 0 }',
      'infinite-trend: { trend: a, metric: infinite, above: 0 }',
    ].map((line) => `  ${line}\n`)
    writeFileSync(
      join(cwd, 'q.yaml'),
      `experiment: { command: [node, p.cjs, '{a}', '{seed}'] }\naxes: { a: 1..4 }\nrepeat: 5\nclaims:\n${claims.join('')}`,
    )
    const ran = await mlds(['sweep', 'q.yaml', '--name', 'q', '--workers', '2'], { cwd })
    expect(ran.code, ran.stderr).toBe(0)
    // One seed of five has a number that is none: without it the others would decide.
    expect(ran.stdout).toContain('4 trials came to a nan of NaN, which leaves it open')
    expect((await mlds(['export', 'q', '--format', 'evidence'], { cwd })).code).toBe(0)
    const [first] = readFileSync(join(cwd, 'evidence', 'trials.jsonl'), 'utf8').split('\n')
    expect(JSON.parse(first!)).toMatchObject({ series: { other: { values: ['NaN', '-Infinity'] } } })
    writeFileSync(join(cwd, 'recompute.py'), script)
    const told = execFileSync(python, ['recompute.py', 'evidence'], { cwd, encoding: 'utf8', stdio: 'pipe' })
    const open = 'inconclusive, as told'
    expect(
      Object.fromEntries(
        told
          .trim()
          .split('\n')
          .map((line) => line.split(': ')),
      ),
    ).toEqual({
      ...{ huge: 'reproduced, as told', 'infinite-trend': 'reproduced, as told' },
      ...{ apart: open, infinite: open, nan: open, 'of-nan': open, 'nan-trend': open },
    })
  })

  it('writes arrays as numpy reads them', () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'a.npy'), encodeNpy(Float32Array.of(1, 2.5, -3, 4, 5, 6), [2, 3]))
    writeFileSync(join(cwd, 'b.npy'), encodeNpy(Int32Array.of(7, -8)))
    const told = execFileSync(
      python,
      [
        '-c',
        "import numpy as np; a, b = np.load('a.npy'), np.load('b.npy'); print(a.tolist(), a.dtype, b.tolist(), b.dtype)",
      ],
      { cwd, encoding: 'utf8' },
    )
    expect(told.trim()).toBe('[[1.0, 2.5, -3.0], [4.0, 5.0, 6.0]] float32 [7, -8] int32')
  })
})
