import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { engineFlag, nameFlag, profileFlag, schedulerFlag, setFlag, targetArg, workersFlag } from '../terminal/flags.js'
import { idleFor, refuseIdle } from '../terminal/idle-flags.js'
import { formatTable } from '../terminal/table.js'
import { formatCount, formatSetting } from '../core/format.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import type { ParamValue } from '../core/trial.js'

const tableRows = 40

export default class Plan extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description = 'Shows what a sweep would run, and what of it is done, without starting anything'
  static override examples = [
    '<%= config.bin %> plan params',
    '<%= config.bin %> plan params --set width=8,32,128 --set seed=0..4',
    '<%= config.bin %> plan params --profile full --pilot --workers 8',
  ]
  static override args = { target: targetArg }
  static override flags = {
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    scheduler: schedulerFlag,
    workers: workersFlag(),
    engine: engineFlag(),
    pilot: Flags.boolean({
      description: 'run one trial for at most ten seconds, for a time estimate; its result is thrown away',
    }),
    all: Flags.boolean({ description: `list every trial, not just the first ${tableRows}` }),
  }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Plan)
    const store = await this.openStore(flags.store)
    const { hasProfiles } = await import('../core/has-profiles.js')
    const { cautionAbout, planTarget } = await import('../app/plan.js')
    const { describeSeeds, sweepIdOf, varyingAxes } = await import('../sweeps/plan.js')
    const { plan, experiment } = await planTarget(args.target, flags, store)
    refuseIdle(raw, await idleFor(experiment))
    const caution = await cautionAbout(plan)
    if (caution !== undefined) process.stderr.write(`${caution}\n`)

    const id = sweepIdOf(plan)
    const { findEarlierResults } = await import('../sweeps/reuse.js')
    const { describeEstimate, estimate, missingTrials } = await import('../app/estimate.js')
    const wanted = await missingTrials(store, plan)
    const earlier = await findEarlierResults(store, { id, plan }, new Set(wanted.map((trial) => trial.id)))
    const missing = wanted.filter((trial) => !earlier.has(trial.id))
    const toRun = new Set(missing.map((trial) => trial.id))
    const done = plan.trials.length - wanted.length
    const standing = (trial: string): string =>
      toRun.has(trial) ? '' : earlier.has(trial) ? `in ${earlier.get(trial)!.from}` : 'done'

    const axes = varyingAxes(plan.trials)
    const shown = flags.all ? plan.trials : plan.trials.slice(0, tableRows)
    const rows = shown.map((trial) => [
      trial.index,
      trial.id,
      trial.stage,
      ...axes.map((axis) => formatSetting(lookUp(trial.params, axis))),
      describeSeeds(trial.seeds),
      standing(trial.id),
    ])
    this.log(formatTable(['#', 'trial', 'stage', ...axes, 'seed', 'state'], rows))
    if (shown.length < plan.trials.length)
      this.log(`… and ${plan.trials.length - shown.length} more (--all lists them)`)
    const constant = Object.entries(plan.spec.axes).filter(([name]) => !axes.includes(name))
    // What an axis has yet to read, a numeral in text, stands as it was typed.
    const isLiteral = plan.spec.own?.kind === 'command' && plan.spec.language !== undefined
    const asWritten = (value: unknown): string => (isLiteral ? writeValue(value as ParamValue) : String(value))
    if (constant.length > 0)
      this.log(
        `Every trial has ${constant.map(([name, values]) => `${name}=${values.map(asWritten).join(',')}`).join(', ')}`,
      )
    const taken = earlier.size === 0 ? '' : `, ${earlier.size} to take over from other sweeps`
    this.log(
      `\n${id}: ${formatCount(plan.trials.length, 'trial')} of ${plan.experiment}${hasProfiles(experiment) ? ` (${plan.profile})` : ''}, ${done} done${taken}, ${missing.length} to run`,
    )
    const expected = await estimate({
      store,
      plan,
      experiment,
      trials: missing,
      workers: flags.workers,
      engine: flags.engine,
      pilot: flags.pilot,
    })
    if (expected !== undefined) {
      this.log(`Time: ${describeEstimate(expected)}`)
      this.log(
        `With --track: ${formatCount(missing.length + 1, 'run')} and about ${formatCount(expected.points, 'point')} written to MLflow`,
      )
    } else if (missing.length > 0) {
      this.log(
        flags.pilot
          ? 'Time: unknown; the pilot failed, or had nothing to report in ten seconds'
          : 'Time: unknown; nothing of this experiment has run here yet (--pilot runs one trial for at most ten seconds)',
      )
    }
    return {
      sweep: id,
      planned: plan.trials.length,
      done,
      takenOver: earlier.size,
      toRun: missing.length,
      hash: plan.hash,
      ...(expected === undefined ? {} : { estimate: expected }),
      trials: plan.trials,
    }
  }
}
