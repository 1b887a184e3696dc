import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const program = join(import.meta.dirname, '..', 'bin', 'run.js')

/** What a command took. */
export interface Cost {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly memoryMb: number
  readonly stdout: string
}

/** Runs the built mlds in `cwd`. @throws Error when it fails. */
export function measureMlds(cwd: string, words: readonly string[]): Cost {
  const preload = ['--import', join(import.meta.dirname, 'cpu-time.mjs')]
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, [...preload, program, ...words], {
    ...{ cwd, encoding: 'utf8' },
    maxBuffer: 1 << 28,
  })
  const seconds = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`mlds ${words.join(' ')}: ${stdout}${stderr}`)
  const [, cpuSeconds, memoryMb] = /cpu seconds: ([\d.]+), memory: (\d+) MB/.exec(stderr)!
  return { seconds, cpuSeconds: Number(cpuSeconds), memoryMb: Number(memoryMb), stdout }
}
