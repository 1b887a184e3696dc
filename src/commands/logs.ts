import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { exitCodes, StoreError } from '../core/errors.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { TrialId } from '../core/trial.js'
import { integerFlag } from '../terminal/integer-flag.js'

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
    if (flags.follow) await this.#follow(sweep, trial.id, flags.attempt)
    const attempt = flags.attempt ?? Math.max(1, sweep.restore().trials.get(trial.id)!.attempts)
    const log = await sweep.readLog(trial.id, attempt).catch(async (error: Error) => {
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

  /** Shows the log as it grows; with `--json` on standard error. The exit code is not 0 when the trial did not end. */
  async #follow(sweep: SweepFolder, trial: TrialId, attempt: number | undefined): Promise<void> {
    const { lockHolder } = await import('../system/lock.js')
    const { followLog } = await import('../terminal/follow-log.js')
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
