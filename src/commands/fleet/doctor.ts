import { Flags } from '@oclif/core'
import { exitCodes } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { surroundings } from '../../terminal/fleet.js'

export default class FleetDoctor extends BaseCommand {
  static override storeUse = 'none' as const
  static override strict = false
  static override usage = 'fleet doctor [HOST…]'
  static override description =
    'Says of each host what is right and what is wrong: reached, fit for mlds, its worker runs, the server hears of it, its tunnel is open'
  static override examples = ['<%= config.bin %> fleet doctor', '<%= config.bin %> fleet doctor lab4']
  static override flags = {
    fleet: Flags.string({ description: 'whose hosts (default: those of every fleet)', helpValue: 'NAME' }),
  }

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(FleetDoctor)
    const { diagnose } = await import('../../app/fleet/look.js')
    const { around, release } = await surroundings(systemClock)
    try {
      const all = await diagnose(argv as string[], flags.fleet, around)
      if (all.length === 0)
        this.log('No host is known from a fleet (for Slurm: mlds fleet list). Name one: mlds fleet doctor HOST')
      for (const { host, fleet, found, wrong } of all) {
        this.log(`${host}${fleet === undefined ? '' : ` (${fleet})`}`)
        for (const sentence of found) this.log(`  ok     ${sentence}`)
        for (const sentence of wrong) this.log(`  wrong  ${sentence}`)
      }
      return this.endWith(all.some(({ wrong }) => wrong.length > 0) ? exitCodes.incomplete : exitCodes.ok, all)
    } finally {
      release()
    }
  }
}
