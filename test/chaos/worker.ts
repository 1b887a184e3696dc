import { openStore } from '../../src/system/store.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { runWorker } from '../../src/worker/remote/host/worker-process.js'
import { chaosCustom } from '../helpers/custom-modules.js'
import { clock, pingMs, tenant } from './lab.js'

/** A worker process of the chaos test: `worker.ts URL NAME STORE SLOTS`. SIGTERM drains it. */
const [url, name, folder, slots] = process.argv.slice(2) as [string, string, string, string]
const [drain, abort] = [new AbortController(), new AbortController()]
process.once('SIGTERM', () => drain.abort())
const say = (message: string): void => void process.stderr.write(`${name}: ${message}\n`)
await runWorker({
  connection: await connectNats(url, name, { say, pingMs, waitUntil: drain.signal }),
  tenant,
  name,
  slots: Number(slots),
  store: openStore(folder),
  clock,
  heapMb: 64,
  // Nearly every step of a trial keeps one: what dies goes on from there.
  checkpointEveryMs: 50,
  custom: [chaosCustom],
  drain: drain.signal,
  abort: abort.signal,
  say,
})
process.exit(0)
