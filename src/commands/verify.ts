import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { sweepArg } from '../terminal/flags/flags.js'
import { exitCodes } from '../core/errors.js'
import type { JournalRepair } from '../sweeps/journal/repair.js'
import type { Verification } from '../app/verify.js'

export default class Verify extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Proves from the journal that every planned trial finished, once; exit code 0 only then'
  static override args = { sweep: sweepArg }
  static override flags = {
    repair: Flags.boolean({
      description:
        'first make a damaged journal whole, without losing a result: what it was is kept beside it (journal.jsonl.damaged-1)',
      default: false,
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Verify)
    const store = await this.openStore(flags.store, flags.repair ? 'changes' : 'reads')
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { repairSweep, verifySweep } = await import('../app/verify.js')
    const { summarise } = await import('../app/summary.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    let repair: JournalRepair | undefined
    if (flags.repair) this.#sayRepaired((repair = await repairSweep(sweep)))
    const verification = await verifySweep(store, sweep)
    const { counts, complete, damage, damagedLines, repeatedEnds, brokenArtifacts } = verification
    this.#say(verification, sweep.id)
    if (repair !== undefined && counts.missing > 0) this.advise(`Run what is missing with: mlds resume ${sweep.id}`)
    return this.endWith(complete ? exitCodes.ok : exitCodes.incomplete, {
      ...summarise(sweep, counts),
      complete,
      damagedLines,
      damaged: { lines: damage.lines, unreadable: damage.unreadable, repeatedEnds },
      ...(repair === undefined ? {} : { repair }),
      brokenArtifacts,
      ...(verification.search === undefined ? {} : { search: verification.search }),
      ...(verification.confirmation === undefined ? {} : { confirmation: verification.confirmation }),
      ...(verification.seeds === undefined ? {} : { seeds: verification.seeds }),
      ...(verification.stops === undefined ? {} : { stops: verification.stops }),
    })
  }

  #say(
    { counts, complete, damage, repeatedEnds, brokenArtifacts, search, confirmation, seeds, stops }: Verification,
    sweep: string,
  ): void {
    const { planned, finished, unique } = counts
    this.log(`planned ${planned}, finished ${finished}, unique ${unique}: ${complete ? 'complete' : 'not complete'}`)
    this.log(
      `${counts.diverged === 0 ? '' : `diverged ${counts.diverged}, `}failed ${counts.failed}, dead ${counts.dead}, skipped ${counts.skipped}${counts.skippedForGood === 0 ? '' : ` (${counts.skippedForGood} for good: what they derive from diverged or was stopped)`}, missing ${counts.missing + counts.running}`,
    )
    const wrong = [
      ...(damage.lines > 0 ? [damage.toString()] : []),
      ...(repeatedEnds > 0
        ? [`${repeatedEnds} ${repeatedEnds === 1 ? 'end stands twice and counts' : 'ends stand twice and count'} once`]
        : []),
      ...(finished > unique ? [`${finished - unique} results more than trials: two processes wrote this sweep`] : []),
    ]
    for (const line of wrong) this.log(`journal: ${line}`)
    if (wrong.length > 0) this.advise(`To make the journal whole: mlds verify ${sweep} --repair`)
    for (const line of brokenArtifacts) this.log(line)
    for (const part of [search, confirmation, seeds, stops]) for (const line of part?.lines ?? []) this.log(line)
  }

  #sayRepaired(repair: JournalRepair | undefined): void {
    if (repair === undefined) return this.log('The journal is whole: nothing to repair.')
    const { kept, blanked, lineEnds, repeatedEnds, ranTwice, differing } = repair
    const did = [
      [blanked, 'unreadable lines blanked'],
      [lineEnds, 'line ends put back'],
      [repeatedEnds, 'repeated ends dropped'],
      [ranTwice.length, 'trials that ran twice keep their first result'],
    ] as const
    const told = did.flatMap(([count, what]) => (count > 0 ? [`${what}: ${count}`] : []))
    this.log(`The journal was repaired (${told.join('; ') || 'other characters around its lines removed'}).`)
    if (differing.length > 0)
      this.log(
        `  ${differing.length} of them had two different results: ${differing.slice(0, 10).join(', ')}${differing.length > 10 ? ' …' : ''}`,
      )
    this.log(`  As it was, it is kept in ${kept}`)
  }
}
