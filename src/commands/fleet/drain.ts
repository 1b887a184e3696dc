import { Args } from '@oclif/core'
import { exitCodes } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { surroundings } from '../../terminal/fleet.js'

export default class FleetDrain extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Tells the workers of a fleet to take no more trials, to finish what runs, and to end'
  static override examples = ['<%= config.bin %> fleet drain lab']
  static override args = { fleet: Args.string({ description: 'its name; the only one there is unless one is named' }) }

  async run(): Promise<unknown> {
    const { args } = await this.parse(FleetDrain)
    const { chooseFleets } = await import('../../app/fleet/choose.js')
    const { drainFleet } = await import('../../app/fleet/drain.js')
    const { around, release } = await surroundings(systemClock)
    try {
      const [name] = chooseFleets(around.folder, args.fleet)
      if (name === undefined) this.log('No fleet was started from here.')
      const { told, silent } = name === undefined ? { told: [], silent: [] } : await drainFleet(name, around)
      for (const worker of told) this.log(`${worker} takes no more trials and ends with what runs.`)
      for (const worker of silent) process.stderr.write(`${worker} did not answer: mlds fleet doctor says why\n`)
      if (name !== undefined) this.log(`What was copied stays until: mlds fleet stop ${name}`)
      return this.endWith(silent.length > 0 ? exitCodes.incomplete : exitCodes.ok, { told, silent })
    } finally {
      release()
    }
  }
}
