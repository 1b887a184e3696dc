import { formatBytes, formatCount } from '../core/format.js'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { formatTable } from '../terminal/table.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import type { Artifacts } from '../core/trial.js'

/** Files that are listed without being asked for. */
const fileRows = 40

export default class Show extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description = 'Shows one trial: its point, its seeds, its course and its result'
  static override args = { trial: Args.string({ description: 'a trial id or the beginning of one', required: true }) }
  static override flags = {
    'all-attempts': Flags.boolean({ description: 'every attempt at it, also those whose results are void (--fresh)' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Show)
    const store = await this.openStore(flags.store)
    const { findTrial } = await import('../sweeps/find-trial.js')
    const { readRecords } = await import('../sweeps/verdicts.js')
    const { describeSeeds } = await import('../sweeps/plan.js')
    const { sweep, trial } = await findTrial(store, args.trial)
    const record = readRecords(sweep).find((candidate) => candidate.trial.id === trial.id)!
    const { reasonOf } = await import('../core/divergence.js')
    const error = record.outcome === undefined ? undefined : reasonOf(record.outcome)
    this.log(
      `${trial.id}  trial ${trial.index} of ${sweep.id}, ${record.state} after ${formatCount(record.attempts, 'attempt')}`,
    )
    if (error !== undefined) this.log(error)
    this.log(
      `\n${formatTable(['parameter', 'value'], [...Object.entries(trial.params).map(([k, v]) => [k, writeValue(v)]), ['seeds', describeSeeds(trial.seeds)]])}`,
    )
    const { describeSuggestion, suggestionsOf } = await import('../sweeps/searching/replay.js')
    const suggestion =
      sweep.plan.spec.search?.learning === undefined
        ? undefined
        : suggestionsOf(sweep.frozen, sweep.events()).find(({ trials }) => trials.includes(trial.id))
    if (suggestion !== undefined) this.log(`\n${describeSuggestion(suggestion)}`)
    if (trial.parents.length > 0) this.log(`\nderived from ${trial.parents.join(', ')}`)
    const metrics = Object.entries(record.metrics).map(([name, value]) => [name, value])
    if (metrics.length > 0) this.log(`\n${formatTable(['result', 'value'], metrics)}`)
    await this.#sayFiles(record.artifacts)
    const names = Object.keys(record.series)
    const steps = lookUp(record.series, names[0] ?? '')?.steps ?? []
    if (steps.length > 0) {
      // Ends and an even selection between: enough to see the course.
      const wanted = [...new Set(Array.from({ length: 12 }, (_, i) => Math.round((i * (steps.length - 1)) / 11)))]
      this.log(
        `\n${formatTable(
          ['step', ...names],
          wanted.map((i) => [steps[i]!, ...names.map((name) => lookUp(record.series, name)?.values[i] ?? '')]),
        )}`,
      )
    }
    const { listAttempts } = await import('../sweeps/journal/list-attempts.js')
    const attempts = flags['all-attempts'] ? listAttempts(sweep.events(), trial.id) : undefined
    if (attempts !== undefined) {
      const rows = attempts.map(({ attempt, ended, atMs, isVoid, metrics, reason }) => [
        attempt,
        `${ended}${isVoid ? ', void' : ''}`,
        new Date(atMs).toISOString().replace('T', ' ').slice(0, 19),
        reason ??
          Object.entries(metrics)
            .map(([name, value]) => `${name} ${value}`)
            .join('  '),
      ])
      this.log(`\n${formatTable(['attempt', 'ended as', 'when (UTC)', ''], rows)}`)
    }
    if (record.attempts > 0) this.advise(`\nlog: mlds logs ${trial.id}`)
    return {
      sweep: sweep.id,
      ...record,
      ...(suggestion === undefined ? {} : { suggestion }),
      ...(attempts === undefined ? {} : { allAttempts: attempts }),
    }
  }

  /** What the trial saved, or left in its folder. */
  async #sayFiles(artifacts: Artifacts): Promise<void> {
    const all = Object.entries(artifacts)
    if (all.length === 0) return
    const { printableLine } = await import('../core/printable.js')
    const rows = all.slice(0, fileRows).map(([name, { sizeBytes }]) => [printableLine(name), formatBytes(sizeBytes)])
    this.log(`\n${formatTable(['file', 'size'], rows)}`)
    if (all.length > fileRows) this.log(`and ${formatCount(all.length - fileRows, 'other file')} (--json lists all)`)
  }
}
