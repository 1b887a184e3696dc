import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { StoreError } from '../core/errors.js'

export default class Logs extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = "Prints a trial's log, of its latest attempt unless told otherwise"
  static override args = { trial: Args.string({ description: 'a trial id or the beginning of one', required: true }) }
  static override flags = { attempt: Flags.integer({ description: 'which attempt, from 1', min: 1 }) }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Logs)
    const store = await this.openStore(flags.store)
    const { findTrial } = await import('../sweeps/find-trial.js')
    const { sweep, trial } = await findTrial(store, args.trial)
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
    this.log(text.trimEnd())
    return { sweep: sweep.id, trial: trial.id, attempt, file: log.file, text }
  }
}
