import { join } from 'node:path'
import { formatCount } from '../core/format.js'
import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { exitCodes, UnavailableError } from '../core/errors.js'
import type { Store } from '../system/store.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'

export default class Ui extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Starts an MLflow server for this store, brings it every sweep that it lacks, and prints the links; Ctrl-C ends it'
  static override examples = ['<%= config.bin %> ui', '<%= config.bin %> ui params-1a2b3c4d --port 0']
  static override args = {
    sweep: Args.string({ description: 'the sweep to bring first: an id, the beginning of one, or "latest"' }),
  }
  static override flags = {
    port: integerFlag({ description: 'where it listens; 0 for a free port', default: 5000, min: 0, max: 65_535 }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Ui)
    const store = await this.openStore(flags.store)
    const { startLocalMlflow } = await import('../tracking/mlflow/server.js')
    const sweeps = await this.#sweepsInOrder(store, args.sweep)
    const interruption = new AbortController()
    const interrupt = (): void => interruption.abort()
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, interrupt)
    const { signal } = interruption
    try {
      this.logToStderr('Starting MLflow …')
      const server = await startLocalMlflow({
        folder: join(store.folder, 'mlflow'),
        port: flags.port,
        signal,
        env: process.env,
      })
      try {
        this.log(`MLflow listens on ${server.url}; Ctrl-C ends it`)
        const { brought, failed } = await this.#bring(store, sweeps, server.url, signal)
        await Promise.race([server.ended, new Promise<void>((resolve) => onAbort(signal, resolve))])
        if (!signal.aborted)
          throw new UnavailableError('the MLflow server has ended by itself', { hint: `its log: ${server.logFile}` })
        return this.endWith(failed ? exitCodes.incomplete : exitCodes.ok, { url: server.url, sweeps: brought })
      } finally {
        await server.stop()
      }
    } finally {
      for (const name of signals) process.off(name, interrupt)
    }
  }

  /** The named sweep first, then the others, newest first. */
  async #sweepsInOrder(store: Store, wanted: string | undefined): Promise<string[]> {
    const { resolveSweepId, sweepsByAge } = await import('../sweeps/sweep-folder.js')
    const newestFirst = await sweepsByAge(store)
    const first = wanted === undefined ? newestFirst[0] : await resolveSweepId(store, wanted)
    return first === undefined ? [] : [first, ...newestFirst.filter((id) => id !== first)]
  }

  /** One after the other; a sweep that can't be brought is said, and the rest follow. */
  async #bring(
    store: Store,
    sweeps: readonly string[],
    url: string,
    signal: AbortSignal,
  ): Promise<{ brought: unknown[]; failed: boolean }> {
    const { syncSweep } = await import('../app/sync.js')
    const warn = (message: string): void => void this.warn(message)
    const brought: unknown[] = []
    let failed = false
    for (const id of sweeps) {
      if (signal.aborted) break
      try {
        // Named by the store, not by the address: at another port it is still the same server.
        const told = await syncSweep(store, id, { url, ledger: 'ui', signal, warn, onlyWhatIsNew: true })
        this.log(`${id} (${told.sent === 0 ? 'nothing new' : `${formatCount(told.sent, 'run')} brought`})`)
        this.log(`  its runs:  ${told.link}\n  its story: ${told.parentLink}`)
        brought.push({ sweep: id, ...told })
      } catch (error) {
        if (signal.aborted) break
        this.warn(`${id} could not be brought: ${(error as Error).message}`)
        failed = true
      }
    }
    return { brought, failed }
  }
}

function onAbort(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act()
  else signal.addEventListener('abort', act, { once: true })
}
