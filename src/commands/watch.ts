import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { metricFlag, sweepArg, trustCodeFlag } from '../terminal/flags/flags.js'
import { exitCodes, UnknownNameError } from '../core/errors.js'
import { lookUp } from '../core/names.js'
import { valueKey } from '../core/param-value.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'

export default class Watch extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    'Shows a sweep that another process runs, live, until it ends; plain lines where the output is no terminal'
  static override examples = [
    '<%= config.bin %> watch',
    '<%= config.bin %> watch params-1a2b3c4d --metric test/loss --axis width',
    '<%= config.bin %> watch latest | tee watch.log',
  ]
  static override args = { sweep: sweepArg }
  static override flags = {
    metric: metricFlag,
    'trust-code': trustCodeFlag,
    axis: Flags.string({
      description: 'what the preview shows it over (default: the axis with most values)',
      helpValue: 'NAME',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Watch)
    const store = await this.openStore(flags.store)
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const { varyingAxes } = await import('../sweeps/plan.js')
    const { describeStanding, isComplete } = await import('../sweeps/journal/state.js')
    const { storedVerdicts } = await import('../sweeps/verdicts.js')
    const { formatVerdicts } = await import('../terminal/summary.js')
    const { summarise } = await import('../app/summary.js')
    const { watchSweep } = await import('../terminal/live/watch-sweep.js')
    const opened = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const { plan, id } = opened
    const axes = varyingAxes(plan.trials)
    if (flags.axis !== undefined && !axes.includes(flags.axis))
      throw new UnknownNameError('axis of this sweep', flags.axis, axes.length === 0 ? ['none varies'] : axes)
    const valuesOf = (axis: string): number =>
      new Set(plan.trials.map(({ params }) => valueKey(lookUp(params, axis)))).size
    const { objectiveOf } = await import('../app/objective.js')
    // A custom experiment may have been changed while its sweep runs: that is no reason not to look on.
    const objective = await objectiveOf(opened, { trustCode: flags['trust-code'] }).catch(
      () => ({ metric: 'loss', direction: 'minimize' }) as const,
    )

    await requireMetric(opened, flags.metric)
    const { sweep, state, goesOn } = await watchSweep(store, id, {
      objective,
      metric: flags.metric ?? objective.metric,
      axis: flags.axis ?? axes.sort((a, b) => valuesOf(b) - valuesOf(a))[0],
      output: this.jsonEnabled() ? process.stderr : process.stdout,
      input: process.stdin,
      reword: (text) => this.inNamedStore(text),
    })
    if (!goesOn) await requireMetric(sweep, flags.metric)
    const counts = state.counts()
    const verdicts = await storedVerdicts(sweep)
    this.log(`${sweep.id}: ${describeStanding(counts)}`)
    if (goesOn) this.advise('It goes on; mlds watch shows it again.')
    else if (!isComplete(counts)) this.advise(`No process runs it now; run the rest with: mlds resume ${sweep.id}`)
    if (!goesOn && verdicts.length > 0) this.log(`\n${formatVerdicts(verdicts)}`)
    const exitCode = goesOn || isComplete(counts) ? exitCodes.ok : exitCodes.incomplete
    return this.endWith(exitCode, { ...summarise(sweep, counts), running: counts.running, goesOn, verdicts })
  }
}

/** @throws UnknownNameError when trials have ended with results, none of which has the metric, and none has reported it. */
async function requireMetric(sweep: SweepFolder, metric: string | undefined): Promise<void> {
  if (metric === undefined) return
  const { isResult } = await import('../sweeps/journal/state.js')
  const known = new Set<string>()
  let hasResult = false
  for (const event of sweep.events()) {
    if (event.type === 'report') for (const name of Object.keys(event.metrics)) known.add(name)
    if (event.type !== 'ended' || !isResult(event.outcome)) continue
    for (const name of Object.keys(event.outcome.metrics)) known.add(name)
    hasResult = true
  }
  if (hasResult && !known.has(metric)) throw new UnknownNameError('metric of this sweep', metric, [...known])
}
