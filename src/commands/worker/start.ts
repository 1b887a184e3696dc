import { availableParallelism } from 'node:os'
import { Flags } from '@oclif/core'
import { exitCodes } from '../../core/errors.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { natsFlag, tenantFlag } from '../../terminal/flags.js'
import { integerFlag } from '../../terminal/integer-flag.js'

export default class WorkerStart extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Starts a worker that takes trials of remote sweeps from NATS; Ctrl-C lets what runs finish (SIGTERM for a while), twice hands it back'
  static override examples = [
    '<%= config.bin %> worker start --nats nats://host:4222 --slots 4',
    '<%= config.bin %> worker start --nats nats://host:4222 --experiment mine.ts --experiment train.yaml',
  ]
  static override flags = {
    nats: natsFlag(),
    tenant: tenantFlag(),
    slots: integerFlag({
      description: 'trials at once',
      defaultHelp: async () => 'the cores',
      min: 1,
      max: 256,
      default: async () => availableParallelism(),
      helpValue: 'N',
    }),
    experiment: Flags.string({
      description:
        'an experiment that is not built in (a module, or a sweep file that names one or a command): run it too',
      helpValue: 'FILE',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      defaultHelp: async () => '',
    }),
    'trial-user': Flags.string({
      description:
        'run the programs of trials as this user, who can read neither the worker’s key nor its environment (takes root)',
      helpValue: 'USER',
    }),
    grace: integerFlag({
      description: 'seconds after SIGTERM before what still runs is handed back',
      min: 0,
      default: 20,
      helpValue: 'SECONDS',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(WorkerStart)
    const store = await this.openStore(flags.store)
    const { openNamedCustom } = await import('../../app/plan.js')
    const { connectNats } = await import('../../worker/remote/wire/connect.js')
    const { runWorker, workerName } = await import('../../worker/remote/host/worker-process.js')
    const { systemClock } = await import('../../core/clock.js')
    const { listenForInterruption } = await import('../../terminal/signals.js')
    const say = (message: string): void => void process.stderr.write(`${message}\n`)
    const name = workerName()
    const { asUser } = await import('../../experiments/custom/custom.js')
    const { findProgramUser } = await import('../../system/program-user.js')
    const user = flags['trial-user'] === undefined ? undefined : findProgramUser(flags['trial-user'])
    const given = await Promise.all(flags.experiment.map((file) => openNamedCustom(file)))
    const custom = user === undefined ? given : given.map((one) => asUser(one, user))
    for (const [i, one] of custom.entries()) say(`experiment ${one.name}: ${flags.experiment[i]}`)
    const interruption = listenForInterruption(say)
    const handBack = new AbortController()
    interruption.abort.addEventListener('abort', () => handBack.abort())
    // Whoever sends SIGTERM kills after a while, and a killed worker's trials wait for their lease to run out.
    let cancelGrace = (): void => {}
    interruption.drain.addEventListener('abort', () => {
      if (interruption.exitCode() !== exitCodes.terminated) return
      cancelGrace = systemClock.after(flags.grace * 1_000, () => {
        say(`${flags.grace} s have passed: what still runs is handed back`)
        handBack.abort()
      })
    })
    try {
      await runWorker({
        connection: await connectNats(flags.nats, `mlds-worker/${name}`, { say, waitUntil: interruption.drain }),
        tenant: flags.tenant,
        name,
        slots: flags.slots,
        store,
        clock: systemClock,
        custom,
        drain: interruption.drain,
        abort: handBack.signal,
        say,
      })
    } finally {
      cancelGrace()
      interruption.release()
    }
    say(`worker ${name} has ended`)
    return { worker: name }
  }
}
