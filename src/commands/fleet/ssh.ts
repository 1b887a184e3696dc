import { Flags } from '@oclif/core'
import { exitCodes, MldsError } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { durationFlag } from '../../terminal/flags/duration-flag.js'
import {
  checkWorkerArgs,
  fleetFlags,
  partedArgv,
  readSetup,
  tunnelFlag,
  wordsToAccept,
} from '../../terminal/flags/fleet-flags.js'
import { surroundings } from '../../terminal/fleet.js'

export default class FleetSsh extends BaseCommand {
  static override storeUse = 'none' as const
  static override strict = false
  static override usage = 'fleet ssh HOST… [--nats URL] [FLAGS] [-- WORDS FOR WORKER START]'
  static override description =
    'Starts a worker on each host by your own ssh, and says when it has joined the server; mlds is copied where it is not yet'
  static override examples = [
    '<%= config.bin %> fleet ssh lab1 lab2 me@lab3:2222 --nats nats://host:4222',
    '<%= config.bin %> fleet ssh lab1 --tunnel -- --slots 4 --idle-timeout 30m',
  ]
  static override flags = {
    ...fleetFlags,
    tunnel: tunnelFlag,
    install: Flags.string({
      description: 'copy this mlds to the hosts, or none: use theirs',
      options: ['copy', 'none'],
      default: 'copy',
    }),
    'join-timeout': durationFlag({
      description: 'how long a worker may take to say on the server that it is there',
      default: 60_000,
      defaultHelp: async () => '60s',
      helpValue: 'TIME',
    }),
  }

  async run(): Promise<unknown> {
    const { before, after } = partedArgv(this.argv)
    this.argv = before
    const { argv, flags } = await this.parse(FleetSsh)
    if (argv.length === 0)
      throw new MldsError('USAGE', 'no host is named', { hint: 'name some: mlds fleet ssh lab1 lab2 --nats URL' })
    const { default: WorkerStart } = await import('../worker/start.js')
    const said = [...flags['worker-arg'], ...after]
    const { graceSeconds, leaseMs } = await checkWorkerArgs(said, WorkerStart.flags)
    const workerArgs = [...(await wordsToAccept(flags['accept-code'])), ...said]
    const { parseHosts } = await import('../../fleet/host.js')
    const { fleetNames } = await import('../../fleet/state.js')
    const { startBySsh } = await import('../../app/fleet/start-by-ssh.js')
    const { name, nats, tenant, context, tunnel, install } = flags
    const { around, release, caught } = await surroundings(systemClock)
    try {
      const outcomes = await startBySsh(
        {
          ...{ name, context, tunnel, graceSeconds, leaseMs },
          workerArgs: tenant === 'mlds' ? workerArgs : ['--tenant', tenant, ...workerArgs],
          hosts: parseHosts(argv as string[]),
          target: { nats, tenant },
          install: install === 'none' ? 'none' : 'copy',
          setup: readSetup(flags.setup),
          joinMs: flags['join-timeout'],
        },
        around,
      )
      const joined = outcomes.filter(({ step }) => step === 'joined').length
      // A host on which something may be left stays in it.
      const isWritten = fleetNames(around.folder).includes(name)
      this.log(
        `${joined} of ${outcomes.length} workers joined${isWritten ? ` as the fleet ${name}.` : '; nothing was left.'}`,
      )
      if (isWritten) this.log(`It ends with: mlds fleet stop ${name}`)
      return this.endWith(caught() ?? (joined === outcomes.length ? exitCodes.ok : exitCodes.incomplete), {
        fleet: name,
        hosts: outcomes,
      })
    } finally {
      release()
    }
  }
}
