import { availableParallelism } from 'node:os'
import { Flags } from '@oclif/core'
import { MldsError, UnavailableError } from '../../core/errors.js'
import { formatDuration } from '../../core/format.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { durationFlag } from '../../terminal/flags/duration-flag.js'
import { gpusFlag, leaseFlag, natsFlag, preemptionFlags, tenantFlag } from '../../terminal/flags/flags.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'

export default class WorkerStart extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Starts a worker that takes trials of remote sweeps from NATS; Ctrl-C lets what runs finish (SIGTERM for a while), twice hands it back'
  static override examples = [
    '<%= config.bin %> worker start --nats nats://host:4222 --slots 4',
    '<%= config.bin %> worker start --nats nats://host:4222 --experiment mine.ts --experiment train.yaml',
    '<%= config.bin %> worker start --nats nats://host:4222 --accept-code lab.keys',
  ]
  static override flags = {
    nats: natsFlag(),
    tenant: tenantFlag(),
    lease: leaseFlag(),
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
    'accept-code': Flags.string({
      description:
        'also run code that comes with trials, if it is signed with this key (mlds fleet key says yours), or one of those in a file',
      helpValue: 'KEY|FILE',
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
    name: Flags.string({
      description: 'its name on the server, which no other worker may have',
      helpValue: 'NAME',
      defaultHelp: async () => 'the host’s, and six digits',
      parse: async (raw) => {
        if (/^[A-Za-z0-9][A-Za-z0-9-]{0,59}$/.test(raw)) return raw
        throw new MldsError('USAGE', `--name: ${raw} is not a name (letters, digits and dashes, at most 60)`)
      },
    }),
    label: Flags.string({
      description: 'a name that sweeps may ask for in their labels',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      defaultHelp: async () => '',
    }),
    gpus: gpusFlag,
    memory: integerFlag({
      description: 'GB of memory that trials may ask for in their resources',
      helpValue: 'GB',
      min: 1,
      defaultHelp: async () => 'what the host has',
    }),
    ...preemptionFlags,
    'time-limit': Flags.string({
      description:
        'how long it may run, or auto: as long as its Slurm job; it begins no trial that could not end, and has left by then',
      helpValue: '2h|auto',
    }),
    'idle-timeout': durationFlag({ description: 'ends once no trial has come for so long', helpValue: '10m' }),
    'on-server-lost': durationFlag({
      description: 'how long it waits for a server that is away before it ends with exit code 3, or wait: for ever',
      helpValue: '5m|wait',
      words: { wait: Infinity },
      default: Infinity,
      defaultHelp: async () => 'wait',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(WorkerStart)
    const store = await this.openStore(flags.store)
    const { openNamedCustom } = await import('../../app/planning/plan.js')
    const { connectNats } = await import('../../worker/remote/wire/connect.js')
    const { runWorker, workerName } = await import('../../worker/remote/host/worker-process.js')
    const { systemClock } = await import('../../core/clock.js')
    const { listenForInterruption } = await import('../../terminal/signals.js')
    const { ServerPatience } = await import('../../worker/remote/host/server-patience.js')
    const { timeForTrialsMs } = await import('../../terminal/worker-time.js')
    const say = (message: string): void => void process.stderr.write(`${message}\n`)
    const name = flags.name ?? workerName()
    const { asUser } = await import('../../experiments/custom/custom.js')
    const { findProgramUser } = await import('../../system/program-user.js')
    const user = flags['trial-user'] === undefined ? undefined : findProgramUser(flags['trial-user'])
    const given = await Promise.all(flags.experiment.map((file) => openNamedCustom(file)))
    const custom = user === undefined ? given : given.map((one) => asUser(one, user))
    for (const [i, one] of custom.entries()) say(`experiment ${one.name}: ${flags.experiment[i]}`)
    const { readAccepted } = await import('../../app/backends/code-key.js')
    const keys = readAccepted(flags['accept-code'])
    for (const key of keys) say(`code: what ${key} has signed`)
    const { parseLabels } = await import('../../sweeps/spec/needs.js')
    const { gpuDevices } = await import('../../system/gpus.js')
    const labels = parseLabels(flags.label)
    const gpus = gpuDevices(flags.gpus, process.env)
    // Whoever sends SIGTERM kills after a while, and a killed worker's trials wait for their lease to run out.
    const graceMs = 1_000 * flags.grace
    const { env } = process
    const upMs = 1_000 * process.uptime()
    const nowMs = systemClock.now()
    const timeLimitMs = await timeForTrialsMs({ limit: flags['time-limit'], graceMs, env, nowMs, upMs })
    const interruption = listenForInterruption({ graceMs, nextIs: 'another worker', clock: systemClock, say })
    const cancelTime =
      timeLimitMs === undefined
        ? () => {}
        : systemClock.after(timeLimitMs, () => interruption.goAway("The worker's time (--time-limit) is nearly up"))
    const patience = new ServerPatience(systemClock, flags['on-server-lost'])
    const drain = AbortSignal.any([interruption.drain, patience.lost])
    patience.away()
    try {
      const connection = await connectNats(flags.nats, `mlds-worker/${name}`, { say, waitUntil: drain })
      void patience.follow(connection)
      // What it still asks for, nobody answers: that would be waited for.
      patience.lost.addEventListener('abort', () => void connection.close())
      const unlessLost = (error: unknown): void => {
        if (!(patience.lost.aborted && connection.isClosed())) throw error
      }
      await runWorker({
        connection,
        tenant: flags.tenant,
        name,
        slots: flags.slots,
        store,
        clock: systemClock,
        ...(flags.lease === undefined ? {} : { leaseMs: flags.lease }),
        custom,
        ...(keys.length === 0 ? {} : { acceptCode: { keys, ...(user === undefined ? {} : { user }) } }),
        labels,
        ...(gpus === undefined ? {} : { gpus }),
        ...(flags.memory === undefined ? {} : { memoryGb: flags.memory }),
        checkpointEveryMs: 1_000 * flags['checkpoint-every'],
        ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
        ...(flags['idle-timeout'] === undefined ? {} : { idleTimeoutMs: flags['idle-timeout'] }),
        drain,
        leave: interruption.leave,
        abort: AbortSignal.any([interruption.abort, patience.lost]),
        say,
      }).catch(unlessLost)
    } finally {
      cancelTime()
      patience.back()
      interruption.release()
    }
    if (patience.lost.aborted)
      throw new UnavailableError(
        `the NATS server has been away for ${formatDuration(flags['on-server-lost'])}: worker ${name} has ended (--on-server-lost)`,
      )
    say(`worker ${name} has ended`)
    return { worker: name }
  }
}
