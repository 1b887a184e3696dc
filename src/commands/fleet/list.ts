import { Args } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { surroundings } from '../../terminal/fleet.js'
import { formatTable } from '../../terminal/table.js'
import { systemClock } from '../../core/clock.js'
import { formatDuration } from '../../core/format.js'
import type { Seen } from '../../app/fleet/look.js'

export default class FleetList extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Lists the workers of fleets that were started from here, and what the server says of them'
  static override examples = ['<%= config.bin %> fleet list']
  static override args = { fleet: Args.string({ description: 'its name; every one unless one is named' }) }

  async run(): Promise<unknown> {
    const { args } = await this.parse(FleetList)
    const { chooseFleets } = await import('../../app/fleet/choose.js')
    const { readFleet, readFleets } = await import('../../fleet/state.js')
    const { describeArray, seeFleets } = await import('../../app/fleet/look.js')
    const { around, release } = await surroundings(systemClock)
    try {
      const { folder, say } = around
      const states =
        args.fleet === undefined
          ? readFleets(folder, say)
          : chooseFleets(folder, args.fleet).map((name) => readFleet(folder, name))
      const seen = await seeFleets(states)
      const rows = seen.map((one) => [
        one.fleet,
        one.member.host,
        one.member.worker,
        one.member.step,
        standing(one),
        one.present === undefined ? '' : formatDuration(systemClock.now() - one.present.startedAtMs),
      ])
      if (rows.length > 0) this.log(formatTable(['fleet', 'host', 'worker', 'start', 'on the server', 'up'], rows))
      for (const state of states) {
        const array = describeArray(state, seen)
        if (array !== undefined) this.log(array)
      }
      if (states.length === 0)
        this.log('No fleet was started from here. Start one with: mlds fleet ssh HOST --nats URL')
      return seen.map(({ fleet, member, present, away }) => ({ fleet, ...member, present: present ?? null, away }))
    } finally {
      release()
    }
  }
}

function standing({ present, away }: Seen): string {
  if (present === undefined) return away === undefined ? 'not there' : 'the server is away'
  const { running, slots, draining } = present
  return draining ? `leaves, ${running.length} run` : `${running.length} of ${slots} slots busy`
}
