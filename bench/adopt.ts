import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsServer } from '../src/worker/remote/admin/nats-server.js'
import { measureMlds } from './measure-mlds.js'
import { round, table } from './measure.js'

/**
 * A host without the journal takes over a sweep of 12,500, 25,000 and 50,000 no-op trials, whose results the NATS server keeps:
 * what `mlds resume` takes there. Needs a build and a NATS server; about ten minutes.
 */
export async function benchAdopt(...counts: readonly number[]): Promise<void> {
  const rows: string[][] = []
  for (const count of counts.length > 0 ? counts : [12_500, 25_000, 50_000]) {
    rows.push(await adopt(count))
    console.error(rows.at(-1)!.join(' | '))
  }
  console.log(table(['trials', 'load', 's', 'processor s', 'MB'], rows))
}

async function adopt(count: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const closing: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const server = await startNatsServer(join(folder, 'nats'), 0)
    closing.push(() => server.stop('SIGKILL'))
    const hostOf = (name: string): string => {
      mkdirSync(join(folder, name))
      return join(folder, name)
    }
    const experiment = join(import.meta.dirname, 'noop-experiment.mjs')
    const program = join(import.meta.dirname, '..', 'bin', 'run.js')
    const words = ['worker', 'start', '--nats', server.url, '--slots', '8', '--experiment', experiment]
    const worker = spawn(process.execPath, [program, ...words], { cwd: hostOf('worker'), stdio: 'ignore' })
    closing.push(() => void worker.kill('SIGKILL'))
    const sweep = ['sweep', experiment, '--set', `n=1..${count}`, '--name', 'many', '--nats', server.url]
    measureMlds(hostOf('first'), sweep)
    const load = loadavg()[0]!.toFixed(1)
    const second = hostOf('second')
    const cost = measureMlds(second, [
      'resume',
      'many',
      '--nats',
      server.url,
      '--experiment',
      experiment,
      '--trust-code',
    ])
    const { stdout } = measureMlds(second, ['status', 'many', '--json'])
    if (!stdout.includes(`"finished": ${count}`))
      throw new Error(`not all ${count} results were taken over: ${stdout.slice(0, 500)}`)
    return [String(count), load, round(cost.seconds), round(cost.cpuSeconds), round(cost.memoryMb)]
  } finally {
    for (const close of closing.reverse()) await close()
  }
}
