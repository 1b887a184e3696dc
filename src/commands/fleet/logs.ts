import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'
import { surroundings } from '../../terminal/fleet.js'
import { systemClock } from '../../core/clock.js'

export default class FleetLogs extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Shows what the worker of a fleet has said on its host'
  static override examples = ['<%= config.bin %> fleet logs lab1.example.org', '<%= config.bin %> fleet logs cluster-3']
  static override args = {
    host: Args.string({ description: 'a host, a worker’s name, or FLEET-TASK of an array of Slurm', required: true }),
  }
  static override flags = {
    fleet: Flags.string({ description: 'of which fleet (default: each that is there)', helpValue: 'NAME' }),
    lines: integerFlag({
      description: 'how many of the last lines',
      min: 1,
      max: 10_000,
      default: 100,
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FleetLogs)
    const { logsOf, workerLog } = await import('../../app/fleet/look.js')
    const { around, release } = await surroundings(systemClock)
    try {
      const logs = []
      for (const one of await logsOf(around, args.host, flags.fleet)) {
        const text = await workerLog(one, flags.lines, around)
        this.log(text.trimEnd())
        logs.push({ fleet: one.fleet, worker: one.worker, text })
      }
      return logs
    } finally {
      release()
    }
  }
}
