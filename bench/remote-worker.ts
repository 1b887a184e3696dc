import { systemClock } from '../src/core/clock.js'
import { openStore } from '../src/system/store.js'
import { connectNats } from '../src/worker/remote/wire/connect.js'
import { runWorker } from '../src/worker/remote/host/worker-process.js'
import { noopCustom } from './noop-custom.js'

/** A worker of the benchmark: `remote-worker.ts URL NAME STORE SLOTS fit|unfit`. SIGTERM drains it. */
const [url, name, folder, slots, ability] = process.argv.slice(2) as [string, string, string, string, string]
const [drain, abort] = [new AbortController(), new AbortController()]
process.once('SIGTERM', () => drain.abort())
await runWorker({
  connection: await connectNats(url, name, { env: {} }),
  tenant: 'bench',
  name,
  slots: Number(slots),
  store: openStore(folder),
  clock: systemClock,
  custom: ability === 'fit' ? [noopCustom] : [],
  drain: drain.signal,
  abort: abort.signal,
  say: (message) => void process.stderr.write(`${message}\n`),
})
process.exit(0)
