import { Flags, type Interfaces } from '@oclif/core'
import { formatCount } from '../core/format.js'
import type { RunChoices } from '../app/running/choices.js'
import { exitCodes, MldsError } from '../core/errors.js'
import type { Experiment } from '../experiments/experiment.js'
import type { Store } from '../system/store.js'
import type { Plan } from '../sweeps/plan.js'
import { BaseCommand } from '../terminal/base-command.js'
import {
  configFlag,
  copiesFlag,
  engineFlag,
  failureFlags,
  nameFlag,
  leaseFlag,
  natsFlag,
  preemptionFlags,
  profileFlag,
  schedulerFlag,
  searchFlags,
  setFlag,
  shipFlag,
  targetArg,
  tenantFlag,
  trackCheckpointsFlag,
  trackProgramsFlag,
  trackFlag,
  workersFlag,
} from '../terminal/flags/flags.js'
import { sweepFleetFlags } from '../terminal/flags/fleet-flags.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'
import { choicesFrom } from '../terminal/flags/run-flags.js'
import { idleFor, idleInRun, refuseIdle, type Typed } from '../terminal/flags/idle-flags.js'
import type { SweepFleet } from '../terminal/sweep-fleet.js'
import type { RanInTerminal } from '../terminal/run-in-terminal.js'
import { formatSummary } from '../terminal/summary.js'

type SweepFlags = Interfaces.InferredFlags<typeof Sweep.flags>

/** What is asked of each sweep. */
interface Request {
  readonly flags: SweepFlags
  readonly typed: Typed
  readonly choices: RunChoices
  readonly store: Store
  /** Workers that it brings along. */
  readonly fleet: SweepFleet | undefined
}

/** What the command ends with. */
interface Result {
  readonly exitCode: number
  readonly told: unknown
}

export default class Sweep extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description = 'Runs a sweep: trains every trial of its plan, draws its figures, weighs its claims'
  static override examples = [
    '<%= config.bin %> sweep params --workers 8',
    '<%= config.bin %> sweep params --profile smoke',
    '<%= config.bin %> sweep all --profile smoke',
    '<%= config.bin %> sweep params --nats nats://host:4222 --detach',
    '<%= config.bin %> sweep train.yaml --nats nats://host:4222 --ship',
    '<%= config.bin %> sweep my-sweep.yaml --set width=8,32,128 --set seed=0..4',
  ]
  static override args = { target: targetArg }
  static override flags = {
    workers: workersFlag(),
    nats: natsFlag(),
    tenant: tenantFlag(),
    lease: leaseFlag(['nats', 'fleet']),
    config: configFlag,
    set: setFlag,
    profile: profileFlag,
    name: nameFlag,
    ...searchFlags,
    scheduler: schedulerFlag,
    'until-decided': Flags.boolean({
      description: 'add seeds until every claim is decided, by a rule that allows looking after each (docs/claims.md)',
    }),
    'max-seeds': integerFlag({
      description: 'with --until-decided: seeds at most (default: 30)',
      min: 1,
      max: 100_000,
      helpValue: 'N',
      dependsOn: ['until-decided'],
    }),
    engine: engineFlag(),
    track: trackFlag,
    'track-checkpoints': trackCheckpointsFlag,
    'track-programs': trackProgramsFlag,
    extend: Flags.boolean({ description: 'let a sweep of this name grow: run only what is new' }),
    fresh: Flags.boolean({
      description: 'run every trial again: earlier results count no more, and none are taken over',
    }),
    detach: Flags.boolean({
      description: 'leave the queued trials to the workers and return; mlds resume collects the results',
      dependsOn: ['nats'],
      exclusive: ['fleet'],
    }),
    ship: shipFlag,
    ...sweepFleetFlags,
    copies: copiesFlag,
    ...failureFlags,
    ...preemptionFlags,
  }

  async run(): Promise<unknown> {
    const { args, flags, metadata, raw } = await this.parse(Sweep)
    if (flags.fleet !== undefined) {
      const { serverInUse } = await import('../terminal/sweep-fleet.js')
      flags.nats ??= await serverInUse()
    }
    refuseIdle(raw, {
      ...(await idleInRun(flags)),
      ship: flags.nats === undefined && 'files travel to workers of a NATS server (name that, with --nats URL)',
    })
    // Only what is going to run makes a store.
    const store = await this.openStore(flags.store, 'peeks')
    const choices = await choicesFrom(flags, metadata)
    const fleet = await this.#fleetOf(flags)
    const { endingFleet } = await import('../terminal/sweep-fleet.js')
    const { exitCode, told } = await endingFleet(fleet, async () => {
      const request: Request = { flags, typed: raw, choices, store, fleet }
      if (args.target === 'all') return this.#sweepAll(request)
      const ran = await this.#sweep(args.target, request)
      return { exitCode: ran.exitCode, told: ran.summary }
    })
    return this.endWith(exitCode, told)
  }

  async #fleetOf({ fleet, ...flags }: SweepFlags): Promise<SweepFleet | undefined> {
    if (fleet === undefined) return undefined
    const { default: WorkerStart } = await import('./worker/start.js')
    const { SweepFleet } = await import('../terminal/sweep-fleet.js')
    return SweepFleet.of({ ...flags, fleet }, WorkerStart.flags)
  }

  /** Every experiment in turn; ends with the first exit code that is not 0, and at an interruption. */
  async #sweepAll(request: Request): Promise<Result> {
    const { name } = request.flags
    if (name !== undefined)
      throw new MldsError('USAGE', `--name: ${name} can't name several sweeps (leave it out with \`all\`)`)
    const { experimentNames } = await import('../experiments/registry.js')
    const { isComplete } = await import('../sweeps/journal/state.js')
    const ran: RanInTerminal[] = []
    for (const experiment of experimentNames) {
      this.#say(`\n${experiment} (${ran.length + 1} of ${experimentNames.length})`)
      const one = await this.#sweep(experiment, request)
      ran.push(one)
      if (one.exitCode >= exitCodes.interrupted) break
    }
    const sweeps = ran.map(({ summary }) => summary)
    this.log(`\n${sweeps.filter(isComplete).length} of ${formatCount(experimentNames.length, 'sweep')} finished`)
    const exitCode = ran.find((one) => one.exitCode !== exitCodes.ok)?.exitCode ?? exitCodes.ok
    return { exitCode, told: { sweeps } }
  }

  #say(line: string): void {
    const output = this.jsonEnabled() ? process.stderr : process.stdout
    output.write(`${line}\n`)
  }

  async #sweep(target: string, { flags, typed, choices, store, fleet }: Request): Promise<RanInTerminal> {
    const { cautionAbout } = await import('../app/planning/caution.js')
    const { planTarget, sweepFileOf } = await import('../app/planning/plan.js')
    const { freezePlan } = await import('../app/planning/freeze-plan.js')
    const { refuseCopies } = await import('../app/running/refuse-copies.js')
    const { openStore } = await import('../system/store.js')
    const { plan, experiment, beside } = await planTarget(target, flags, store)
    refuseIdle(typed, {
      ...(await idleFor(experiment, plan.spec.own)),
      extend: plan.spec.name === undefined && 'only a sweep with a name grows (give it one, with --name NAME)',
    })
    refuseCopies(plan.spec, flags.copies)
    if (beside !== undefined && !(await store.sweepIds()).includes(plan.spec.name!))
      this.#say(`${beside} has another plan, so this is ${plan.spec.name} (with --extend, ${beside} grows)`)
    const caution = await cautionAbout({ plan, experiment })
    if (caution !== undefined) this.#say(caution)
    if (plan.profile === 'full') await this.#sayHowLong({ store, plan, experiment, flags })
    const frozen = await freezePlan(openStore(store.folder), plan, experiment, {
      extend: flags.extend,
      fresh: flags.fresh,
      say: (line) => this.#say(line),
    })
    const run = (answering?: (is: boolean) => void) =>
      this.runInTerminal(
        { store, experiment, ...frozen },
        { ...choices, sweepFile: sweepFileOf(target) },
        flags.grace,
        answering,
      )
    const { mayLack } = await import('../app/planning/estimate.js')
    const wanted = fleet !== undefined && (flags.fresh || (await mayLack(store, plan))) ? fleet : undefined
    const ran = wanted === undefined ? await run() : await wanted.during(plan, run)
    this.advise(formatSummary(ran.summary))
    return ran
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
    const { describeEstimate, estimate, missingTrials } = await import('../app/planning/estimate.js')
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
