import { Flags } from '@oclif/core'
import { MldsError } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { durationFlag } from '../../terminal/flags/duration-flag.js'
import {
  checkWorkerArgs,
  fleetFlags,
  partedArgv,
  readSetup,
  saidBySlurm,
  wordsToAccept,
} from '../../terminal/flags/fleet-flags.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'
import { surroundings } from '../../terminal/fleet.js'

export default class FleetSlurm extends BaseCommand {
  static override storeUse = 'none' as const
  static override strict = false
  static override usage = 'fleet slurm --count N --time TIME [--nats URL] [FLAGS] [-- WORDS FOR SBATCH]'
  static override description =
    'Submits a job array of workers to Slurm, which end when no trial comes, and hand back what runs when their time is up'
  static override examples = [
    '<%= config.bin %> fleet slurm --count 8 --time 2h --nats nats://login1:4222 -- --partition=gpu --gres=gpu:1',
    '<%= config.bin %> fleet slurm --count 8 --time 2h --nats nats://host:4222 --on cluster.example.org',
  ]
  static override flags = {
    ...fleetFlags,
    count: integerFlag({ description: 'how many workers', min: 1, max: 10_000, required: true, helpValue: 'N' }),
    time: durationFlag({
      description: 'how long each may run, in whole minutes',
      minMs: 60_000,
      maxMs: 365 * 86_400_000,
      required: true,
      helpValue: '2h',
    }),
    'idle-timeout': durationFlag({
      description: 'a worker ends once no trial has run for so long',
      default: 600_000,
      defaultHelp: async () => '10m',
      helpValue: '10m',
    }),
    on: Flags.string({ description: 'call sbatch on this host, by ssh; mlds is copied there', helpValue: 'HOST' }),
    print: Flags.boolean({ description: 'only show the script', exclusive: ['dry-run'] }),
    'dry-run': Flags.boolean({ description: 'only ask sbatch whether it would take it (--test-only)' }),
  }

  async run(): Promise<unknown> {
    const { before, after } = partedArgv(this.argv)
    this.argv = before
    const { argv, flags } = await this.parse(FleetSlurm)
    if (argv.length > 0)
      throw new MldsError('USAGE', `${String(argv[0])} is not expected here (words for sbatch stand after --)`)
    const { default: WorkerStart } = await import('../worker/start.js')
    await checkWorkerArgs(flags['worker-arg'], WorkerStart.flags, saidBySlurm)
    const { slurmScript, startBySlurm, trySlurm } = await import('../../app/fleet/start-by-slurm.js')
    const { name, nats, tenant, context, count, on } = flags
    const { refuseOtherTasks } = await import('../../fleet/slurm.js')
    refuseOtherTasks(after, count)
    const fleet = {
      ...{ name, count, on, context, sbatchWords: after, target: { nats, tenant } },
      ...{ timeMs: flags.time, idleMs: flags['idle-timeout'], setup: readSetup(flags.setup) },
      workerArgs: [
        ...(tenant === 'mlds' ? [] : ['--tenant', tenant]),
        ...(await wordsToAccept(flags['accept-code'])),
        ...flags['worker-arg'],
      ],
    }
    if (flags.print) {
      const script = slurmScript(fleet)
      this.log(script.trimEnd())
      return { script }
    }
    const { around, release } = await surroundings(systemClock)
    try {
      if (flags['dry-run']) {
        const said = await trySlurm(fleet, around)
        this.log(said)
        return { said }
      }
      const job = await startBySlurm(fleet, around)
      this.log(`Job ${job}, ${count} workers, is submitted as the fleet ${name}; mlds fleet list says who has come.`)
      this.log(`What they say: mlds fleet logs ${name}-TASK. It ends with: mlds fleet stop ${name}`)
      return { fleet: name, job }
    } finally {
      release()
    }
  }
}
