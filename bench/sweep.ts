import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parameterCount } from '../src/experiments/built-in/params.js'
import { peersPython, round, secondsOf, show, summarize, table } from './measure.js'

/**
 * The whole params sweep, 23 sizes, one seed, 20 epochs, two workers, from process start to exit, against the same in
 * plain PyTorch (two processes) and in Ray Tune with PyTorch, in turn.
 */
const widths = [
  2, 10, 20, 30, 40, 52, 66, 82, 100, 120, 144, 170, 200, 234, 272, 316, 366, 422, 486, 556, 640, 734, 840,
]
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const here = import.meta.dirname

export async function benchSweep(): Promise<void> {
  console.log(`${widths.length} sizes, ${parameterCount(widths[0]!)} to ${parameterCount(widths.at(-1)!)} parameters`)
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const times: Record<string, number[]> = { mlds: [], PyTorch: [], 'Ray Tune': [] }
  try {
    for (let round = 0; round < rounds; round++) {
      const mlds = [
        join(here, '..', 'bin', 'run.js'),
        'sweep',
        'params',
        '--set',
        `width=${widths.join()}`,
        '--set',
        'seed=0',
        '--workers',
        '2',
        '--store',
        join(folder, `store-${round}`),
      ]
      times['mlds']!.push(secondsOf(process.execPath, mlds, folder))
      if (peersPython === undefined) continue
      const pixels = join(folder, `store-0`, 'cache', 'mnist-10k.u8')
      times['PyTorch']!.push(
        secondsOf(peersPython, [join(here, 'peers', 'params_torch.py'), pixels, widths.join()], folder),
      )
      times['Ray Tune']!.push(
        secondsOf(peersPython, [join(here, 'peers', 'params_ray.py'), pixels, widths.join()], folder),
      )
      console.log(
        Object.entries(times)
          .map(([name, values]) => `${name} ${values.at(-1)!.toFixed(1)} s`)
          .join('  '),
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  const own = times['mlds']!
  const rows = Object.entries(times)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => [
      name,
      show(summarize(values)),
      round(summarize(own.map((t, i) => t / values[i]!)).median),
    ])
  console.log(table(['', 'seconds', 'mlds ÷ this'], rows))
}
