import { formatCount } from '../core/format.js'
import { Flags, type Interfaces } from '@oclif/core'
import type { SweepSummary } from '../app/run.js'
import { MldsError } from '../core/errors.js'
import type { Experiment } from '../experiments/experiment.js'
import type { Store } from '../system/store.js'
import type { Plan } from '../sweeps/plan.js'
import { BaseCommand } from '../terminal/base-command.js'
import {
  engineFlag,
  failureFlags,
  nameFlag,
  natsFlag,
  remoteFrom,
  profileFlag,
  schedulerFlag,
  setFlag,
  targetArg,
  tenantFlag,
  trackCheckpointsFlag,
  trackFlag,
  workersFlag,
} from '../terminal/flags.js'
import { idleFor, idleInRun, refuseIdle, type Typed } from '../terminal/idle-flags.js'
import { formatSummary } from '../terminal/summary.js'

type SweepFlags = Interfaces.InferredFlags<typeof Sweep.flags>

export default class Sweep extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description = 'Runs a sweep: trains every trial of its plan, draws its figures, weighs its claims'
  static override examples = [
    '<%= config.bin %> sweep params --workers 8',
    '<%= config.bin %> sweep params --profile smoke',
    '<%= config.bin %> sweep all --profile smoke',
    '<%= config.bin %> sweep params --nats nats://host:4222 --detach',
    '<%= config.bin %> sweep my-sweep.yaml --set width=8,32,128 --set seed=0..4',
  ]
  static override args = { target: targetArg }
  static override flags = {
    workers: workersFlag(),
    nats: natsFlag(),
    tenant: tenantFlag(),
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    scheduler: schedulerFlag,
    engine: engineFlag(),
    track: trackFlag,
    'track-checkpoints': trackCheckpointsFlag,
    extend: Flags.boolean({ description: 'let a sweep of this name grow: run only what is new' }),
    fresh: Flags.boolean({
      description: 'run every trial again: earlier results count no more, and none are taken over',
    }),
    detach: Flags.boolean({
      description: 'leave the queued trials to the workers and return; mlds resume collects the results',
      dependsOn: ['nats'],
    }),
    ...failureFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags, metadata, raw } = await this.parse(Sweep)
    refuseIdle(raw, await idleInRun(flags))
    // Only what is going to run makes a store.
    const store = await this.openStore(flags.store, 'peeks')
    const remote = remoteFrom(flags, metadata)
    if (args.target !== 'all') return this.#sweep(args.target, flags, raw, remote, store)
    if (flags.name !== undefined)
      throw new MldsError('USAGE', `--name: ${flags.name} can't name several sweeps (leave it out with \`all\`)`)
    const { experimentNames } = await import('../experiments/registry.js')
    const { exitCodes } = await import('../core/errors.js')
    const sweeps: SweepSummary[] = []
    let worst: number = exitCodes.ok
    for (const name of experimentNames) {
      this.#say(`\n${name} (${sweeps.length + 1} of ${experimentNames.length})`)
      sweeps.push(await this.#sweep(name, flags, raw, remote, store))
      // Each sweep sets the exit code; the first that is not 0 tells the truth about all, an interruption ends them.
      const code = Number(process.exitCode ?? exitCodes.ok)
      if (worst === exitCodes.ok) worst = code
      if (code >= exitCodes.interrupted) break
    }
    process.exitCode = worst
    const { isComplete } = await import('../sweeps/journal/state.js')
    const finished = sweeps.filter(isComplete).length
    this.log(`\n${finished} of ${formatCount(experimentNames.length, 'sweep')} finished`)
    return { sweeps }
  }

  #say(line: string): void {
    const output = this.jsonEnabled() ? process.stderr : process.stdout
    output.write(`${line}\n`)
  }

  async #sweep(
    target: string,
    flags: SweepFlags,
    typed: Typed,
    remote: ReturnType<typeof remoteFrom>,
    store: Store,
  ): Promise<SweepSummary> {
    const { trackingUrl } = await import('../tracking/mlflow/settings.js')
    const { cautionAbout, planTarget } = await import('../app/plan.js')
    const { freezePlan, limitsFrom, rerunnable } = await import('../app/run.js')
    const { openBackendFor } = await import('../app/backends/open-backend.js')
    const { runInTerminal } = await import('../terminal/run-in-terminal.js')
    const { plan, experiment } = await planTarget(target, flags, store)
    refuseIdle(typed, {
      ...(await idleFor(experiment)),
      extend: plan.spec.name === undefined && 'only a sweep with a name grows (give it one, with --name NAME)',
    })
    const caution = await cautionAbout(plan)
    if (caution !== undefined) this.#say(caution)
    if (plan.profile === 'full') await this.#sayHowLong({ store, plan, experiment, flags })
    const { openStore } = await import('../system/store.js')
    const { sweep, takeBack } = await freezePlan(openStore(store.folder), plan, experiment, {
      extend: flags.extend,
      fresh: flags.fresh,
      say: (line) => this.#say(line),
    })
    const summary = await runInTerminal({
      store,
      sweep,
      takeBack,
      experiment,
      workers: remote === undefined ? flags.workers : undefined,
      engine: flags.engine,
      trackUrl: trackingUrl(flags.track),
      trackCheckpoints: flags['track-checkpoints'],
      limits: limitsFrom(flags),
      rerun: new Set(rerunnable),
      fresh: flags.fresh,
      openBackend: (say) => openBackendFor(store, sweep, experiment, { workers: flags.workers, remote }, say),
      detach: flags.detach,
      output: this.jsonEnabled() ? process.stderr : process.stdout,
      reword: (text) => this.inNamedStore(text),
    })
    this.advise(formatSummary(summary))
    return summary
  }
  /** The original sizes can take hours: that is said before anything starts. */
  async #sayHowLong({
    store,
    plan,
    experiment,
    flags,
  }: {
    store: Store
    plan: Plan
    experiment: Experiment
    flags: SweepFlags
  }): Promise<void> {
    const { describeEstimate, estimate, missingTrials } = await import('../app/estimate.js')
    const trials = flags.fresh ? plan.trials : await missingTrials(store, plan)
    if (trials.length === 0) return
    const pilot = flags.nats === undefined
    const expected = await estimate({
      store,
      plan,
      experiment,
      trials,
      workers: flags.workers,
      engine: flags.engine,
      pilot,
    })
    this.#say(
      `${formatCount(trials.length, 'trial')} to run: ${expected === undefined ? 'how long that takes is unknown' : describeEstimate(expected)}. Ctrl-C whenever you like: nothing is lost.`,
    )
  }
}
