import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeVersion } from '../../src/core/version.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { RemoteBackend } from '../../src/worker/remote/orchestrator/remote-backend.js'
import { clock, pingMs, leaseMs, sweepIn, tenant } from './lab.js'

/** The orchestrator process of the chaos test: `orchestrator.ts URL STORE TRIALS MS`. Started again, it goes on. */
const [url, folder, trials, ms] = process.argv.slice(2) as [string, string, string, string]
// Started while the server is down, it waits: whoever starts a sweep would try again.
const never = new AbortController().signal
const warn = (message: string): void => void process.stderr.write(`orchestrator: ${message}\n`)
const summary = await sweepIn(folder, { trials: Number(trials), ms: Number(ms) }, async (sweep, store) =>
  RemoteBackend.open({
    connection: await connectNats(url, 'orchestrator', { say: warn, pingMs, waitUntil: never }),
    tenant,
    sweep: sweep.id,
    store,
    clock,
    window: 1_000,
    maxAttempts: 3,
    leaseMs,
    warn,
    // As every sweep of a person's: its trials carry tokens.
    record: {
      ...{ sweep: sweep.id, planHash: sweep.plan.hash, planBytes: readFileSync(join(sweep.folder, 'plan.json')) },
      ...{ total: sweep.plan.trials.length, codeVersion, engine: 'cpu', openedAtMs: sweep.plan.createdAtMs },
    },
  }),
)
process.stderr.write(`${JSON.stringify(summary)}\n`)
process.exit(0)
