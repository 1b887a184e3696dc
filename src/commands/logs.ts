import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { exitCodes, StoreError } from '../core/errors.js'
import type { Store } from '../system/store.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { StoredLog } from '../sweeps/trial-logs.js'
import type { TrialId } from '../core/trial.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'

export default class Logs extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = "Prints a trial's log, of its latest attempt unless told otherwise"
  static override args = { trial: Args.string({ description: 'a trial id or the beginning of one', required: true }) }
  static override examples = ['<%= config.bin %> logs 1a2b3c', '<%= config.bin %> logs 1a2b3c -f']
  static override flags = {
    attempt: integerFlag({ description: 'which attempt, from 1', min: 1 }),
    follow: Flags.boolean({ char: 'f', description: 'goes on with what is written until the trial ends' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Logs)
    const store = await this.openStore(flags.store)
    const { findTrial } = await import('../sweeps/find-trial.js')
    const { sweep, trial } = await findTrial(store, args.trial)
    if (flags.attempt === undefined && (await this.#readElsewhere(store, sweep, trial.id, !flags.follow)))
      return { sweep: sweep.id, trial: trial.id }
    if (flags.follow) await this.#follow(sweep, trial.id, flags.attempt)
    const attempt = flags.attempt ?? Math.max(1, sweep.restore().trials.get(trial.id)!.attempts)
    const { readLentLog } = await import('../sweeps/lent-log.js')
    const read = async (): Promise<StoredLog | undefined> =>
      (await sweep.readLog(trial.id, attempt)) ?? readLentLog(store, sweep, { trial: trial.id, attempt })
    const log = await read().catch(async (error: Error) => {
      const { problemOf } = await import('../core/system-error.js')
      throw new StoreError(`the log of trial ${trial.id} can't be read: ${problemOf(error)}`, { cause: error })
    })
    if (log === undefined)
      throw new StoreError(`trial ${trial.id} has no log of attempt ${attempt}`, {
        hint: `it may not have started, or only just; what is known of it: mlds show ${trial.id}`,
      })
    const text = Buffer.from(log.bytes).toString()
    if (!flags.follow) this.log(text.trimEnd())
    return { sweep: sweep.id, trial: trial.id, attempt, file: log.file, text }
  }

  /** Shows the log of a trial that runs on a worker elsewhere. @returns whether it does. */
  async #readElsewhere(store: Store, sweep: SweepFolder, trial: TrialId, once: boolean): Promise<boolean> {
    const { isTerminal } = await import('../core/trial.js')
    if (isTerminal(sweep.restore().trials.get(trial)!.state)) return false
    const { readRemoteLog } = await import('../app/remote-log.js')
    const { printableColours } = await import('../core/printable.js')
    const output = this.jsonEnabled() ? process.stderr : process.stdout
    const enough = new AbortController()
    const stop = (): void => enough.abort()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
    try {
      const write = (text: string): void => void output.write(printableColours(text))
      return (await readRemoteLog(store, sweep, trial, { signal: enough.signal, write, once })) !== undefined
    } catch (error) {
      process.stderr.write(`On NATS: ${(error as Error).message}\n`)
      return false
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
    }
  }

  /** Shows the log as it grows; with `--json` on standard error. The exit code is not 0 when the trial did not end. */
  async #follow(sweep: SweepFolder, trial: TrialId, attempt: number | undefined): Promise<void> {
    const { lockHolder } = await import('../system/lock.js')
    const { followLog } = await import('../terminal/live/follow-log.js')
    const { printableColours } = await import('../core/printable.js')
    const output = this.jsonEnabled() ? process.stderr : process.stdout
    const isRun = lockHolder(sweep.lockFile) !== undefined
    const end = await followLog(sweep, trial, {
      attempt,
      write: (lines) => output.write(printableColours(lines)),
      say: (sentence) => process.stderr.write(`${sentence}\n`),
    })
    if (end !== 'left') return
    // Whoever waits for the trial to end waits in vain.
    this.endWith(exitCodes.incomplete, undefined)
    const since = isRun ? ' any more' : ''
    process.stderr.write(
      this.inNamedStore(`No process runs the sweep${since}; run the rest with: mlds resume ${sweep.id}\n`),
    )
  }
}
