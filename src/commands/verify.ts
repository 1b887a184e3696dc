import { BaseCommand } from '../cli/base-command.js'
import { sweepArg } from '../cli/flags.js'
import { exitCodes } from '../errors.js'

export default class Verify extends BaseCommand {
  static override description = 'Proves from the journal that every planned trial finished, once; exit code 0 only then'
  static override args = { sweep: sweepArg }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Verify)
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { isComplete, isResult } = await import('../sweeps/state.js')
    const { summarise } = await import('../library/execute-sweep.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const damaged: string[] = []
    const state = sweep.restore(({ line, reason }) => damaged.push(`journal line ${line}: ${reason}`))

    // A result whose artifacts are gone or altered is no result: every one is read and hashed.
    const broken: string[] = []
    for (const { trial, outcome } of state.trials.values()) {
      if (!isResult(outcome)) continue
      for (const [name, artifact] of Object.entries(outcome.artifacts)) {
        await store
          .readObject(artifact)
          .catch((error: Error) => broken.push(`trial ${trial.id}, ${name}: ${error.message}`))
      }
    }
    const counts = state.counts()
    const complete = isComplete(counts) && broken.length === 0
    if (!complete) process.exitCode = exitCodes.incomplete
    const { planned, finished, unique } = counts
    this.log(`planned ${planned}, finished ${finished}, unique ${unique}: ${complete ? 'complete' : 'not complete'}`)
    this.log(
      `${counts.diverged === 0 ? '' : `diverged ${counts.diverged}, `}failed ${counts.failed}, dead ${counts.dead}, skipped ${counts.skipped}${counts.skippedForGood === 0 ? '' : ` (${counts.skippedForGood} for good: what they derive from diverged or was stopped)`}, missing ${counts.missing + counts.running}`,
    )
    for (const line of [...damaged, ...broken]) this.log(line)
    return { ...summarise(sweep, counts), complete, damagedLines: damaged, brokenArtifacts: broken }
  }
}
