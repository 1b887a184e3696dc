import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNatsServer } from '../src/worker/remote/admin/nats-server.js'
import { round, table } from './measure.js'
import { RemoteBench } from './remote.js'

/** 200 trials of 50 ms on two slots of a worker that can run them: alone, and beside one of eight slots that can't. */
export async function benchFleet(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  const closing: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const server = await startNatsServer(join(folder, 'nats'), 0)
    closing.push(() => server.stop('SIGKILL'))
    const load = `load ${loadavg()[0]!.toFixed(1)} when it began`
    const lab = new RemoteBench(server.url, folder, closing)
    await lab.startWorkers(1, 2)
    const backend = await lab.open(1_000)
    closing.push(() => backend.close())
    const seconds = async (): Promise<number> => 200 / (await lab.run(backend, 200, 200, 50)).rate
    await seconds()
    const alone = await seconds()
    await lab.startWorkers(1, 8, 'unfit')
    const beside = await seconds()
    const rows = [
      ['alone: s', round(alone)],
      ['beside one that can run none: s', round(beside)],
      ['that is times', round(beside / alone)],
    ]
    console.log(table([`200 trials of 50 ms, a worker of two slots (${load})`, 'measured'], rows))
  } finally {
    for (const close of closing.reverse()) await close()
  }
}
