import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import {
  configFlag,
  engineFlag,
  nameFlag,
  profileFlag,
  schedulerFlag,
  searchFlags,
  setFlag,
  targetArg,
  workersFlag,
} from '../terminal/flags/flags.js'
import { idleFor, refuseIdle } from '../terminal/flags/idle-flags.js'
import { formatTable } from '../terminal/table.js'
import { formatCount, formatSetting } from '../core/format.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import type { ParamValue, TrialId } from '../core/trial.js'
import type { Decidability } from '../app/planning/decidable.js'
import type { Preview } from '../app/planning/preview.js'
import type { Plan as SweepPlan } from '../sweeps/plan.js'

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
    config: configFlag,
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    ...searchFlags,
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
    const { cautionAbout } = await import('../app/planning/caution.js')
    const { planTarget } = await import('../app/planning/plan.js')
    const { decidability } = await import('../app/planning/decidable.js')
    const { previewPlan } = await import('../app/planning/preview.js')
    const { describeEstimate, estimate } = await import('../app/planning/estimate.js')
    const { describeOrder, startOrder } = await import('../app/planning/start-order.js')
    const { plan, experiment } = await planTarget(args.target, flags, store)
    refuseIdle(raw, await idleFor(experiment))
    const caution = await cautionAbout({ plan, experiment })
    if (caution !== undefined) process.stderr.write(`${caution}\n`)

    const preview = await previewPlan(store, plan)
    await this.#sayTrials(plan, preview, flags.all)
    const { sweep, done, takenOver, toRun, refusal } = preview
    const claims = decidability(experiment, plan.trials)
    this.#sayClaims(claims)
    if (refusal !== undefined)
      process.stderr.write(
        this.inNamedStore(`A sweep of this plan is refused: ${refusal.message}\n  ${refusal.hint ?? ''}\n`),
      )
    const taken = takenOver.size === 0 ? '' : `, ${takenOver.size} to take over from other sweeps`
    this.log(
      `\n${sweep}: ${formatCount(plan.trials.length, 'trial')} of ${plan.experiment}${hasProfiles(experiment) ? ` (${plan.profile})` : ''}, ${done} done${taken}, ${toRun.length} to run`,
    )
    const { search } = plan.spec
    if (search?.learning !== undefined)
      this.log(
        `Search by ${search.sampler}: ${formatCount(search.count, 'setting')} in all; ${plan.suggested!.length} need no result and are these, the others are suggested as results come`,
      )
    const order = await startOrder(store, { id: sweep, plan }, toRun)
    if (toRun.length > 1) this.log(`Order: ${describeOrder(order)}`)
    const { workers, engine, pilot } = flags
    const expected = await estimate({ store, plan, experiment, trials: toRun, workers, engine, pilot })
    if (expected !== undefined) {
      this.log(`Time: ${describeEstimate(expected)}`)
      this.log(
        `With --track: ${formatCount(toRun.length + 1, 'run')} and about ${formatCount(expected.points, 'point')} written to MLflow`,
      )
    } else if (toRun.length > 0) {
      this.log(
        pilot
          ? 'Time: unknown; the pilot failed, or had nothing to report in ten seconds'
          : 'Time: unknown; nothing of this experiment has run here yet (--pilot runs one trial for at most ten seconds)',
      )
    }
    return {
      sweep,
      planned: plan.trials.length,
      done,
      takenOver: takenOver.size,
      toRun: toRun.length,
      order: order.by,
      hash: plan.hash,
      ...(claims.length === 0 ? {} : { claims }),
      ...(expected === undefined ? {} : { estimate: expected }),
      trials: plan.trials,
    }
  }

  /** How many of the claims the trials can decide, and what they lack for the others. */
  #sayClaims(claims: readonly Decidability[]): void {
    if (claims.length === 0) return
    const open = claims.filter(({ missing }) => missing.length > 0)
    this.log(
      `\nIt can decide ${claims.length - open.length} of ${formatCount(claims.length, 'claim')}${open.length === 0 ? '' : '; what it lacks for the others:'}`,
    )
    for (const { claim, missing } of open)
      this.log(`  ${claim}: ${missing[0]}${missing.length === 1 ? '' : `, and ${missing.length - 1} more`}`)
  }

  /** The trials as a table, and the values that all of them share. */
  async #sayTrials(plan: SweepPlan, { takenOver, toRun }: Preview, all: boolean): Promise<void> {
    const { describeSeeds, varyingAxes } = await import('../sweeps/plan.js')
    const open = new Set(toRun.map((trial) => trial.id))
    const standing = (trial: TrialId): string =>
      open.has(trial) ? '' : takenOver.has(trial) ? `in ${takenOver.get(trial)!.from}` : 'done'
    const axes = varyingAxes(plan.trials)
    const shown = all ? plan.trials : plan.trials.slice(0, tableRows)
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
    const constant = Object.entries(plan.spec.axes).filter(
      ([name, values]) => values.length === 1 && !axes.includes(name),
    )
    // What an axis has yet to read, a numeral in text, stands as it was typed.
    const isLiteral = plan.spec.own?.kind === 'command' && plan.spec.language !== undefined
    const asWritten = (value: unknown): string => (isLiteral ? writeValue(value as ParamValue) : String(value))
    if (constant.length > 0)
      this.log(
        `Every trial has ${constant.map(([name, values]) => `${name}=${values.map(asWritten).join(',')}`).join(', ')}`,
      )
  }
}
