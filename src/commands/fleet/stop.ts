import { Args, Flags } from '@oclif/core'
import { exitCodes, MldsError } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { surroundings } from '../../terminal/fleet.js'

export default class FleetStop extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Ends the workers of a fleet: their trials keep a checkpoint or are handed back; what was copied to the hosts is removed'
  static override examples = ['<%= config.bin %> fleet stop lab', '<%= config.bin %> fleet stop --all --now']
  static override args = { fleet: Args.string({ description: 'its name; the only one there is unless one is named' }) }
  static override flags = {
    all: Flags.boolean({ description: 'end every fleet that was started from here' }),
    now: Flags.boolean({ description: 'hand back at once what runs' }),
    keep: Flags.boolean({ description: 'leave the copy of mlds on the hosts, for the next fleet' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(FleetStop)
    const { stopFleet } = await import('../../app/fleet/stop.js')
    const { chooseFleets } = await import('../../app/fleet/choose.js')
    const { fleetNames, readFleets } = await import('../../fleet/state.js')
    const { around, release, caught } = await surroundings(systemClock)
    const { now, keep } = flags
    try {
      if (flags.all && args.fleet !== undefined)
        throw new MldsError('USAGE', `--all: ${args.fleet} is one fleet (leave one out)`)
      const names = flags.all
        ? readFleets(around.folder, around.say).map(({ name }) => name)
        : chooseFleets(around.folder, args.fleet)
      if (names.length === 0) this.log('No fleet was started from here.')
      const stopped = []
      for (const name of names) {
        const hosts = await stopFleet({ name, now, keep }, around)
        const left = hosts.filter(({ why }) => why !== undefined).length
        this.log(
          left === 0
            ? `The fleet ${name} has ended.`
            : `The fleet ${name} is left on ${left} of ${hosts.length} hosts. Once they can be reached: mlds fleet stop ${name}`,
        )
        stopped.push({ fleet: name, hosts })
      }
      const isLeft =
        stopped.some(({ hosts }) => hosts.some(({ why }) => why !== undefined)) ||
        (flags.all && fleetNames(around.folder).length > 0)
      return this.endWith(caught() ?? (isLeft ? exitCodes.incomplete : exitCodes.ok), stopped)
    } finally {
      release()
    }
  }
}
