import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { durationFlag } from '../../terminal/flags/duration-flag.js'
import { natsFlag, tenantFlag } from '../../terminal/flags/flags.js'
import { formatTable } from '../../terminal/table.js'
import { systemClock } from '../../core/clock.js'
import { formatDuration } from '../../core/format.js'
import type { KeptSweep } from '../../worker/remote/admin/prune.js'

export default class NatsPrune extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description =
    'Shows which finished and cancelled sweeps a NATS server still keeps, and what would go with them; with --yes removes it'
  static override examples = [
    '<%= config.bin %> nats prune --nats nats://host:4222',
    '<%= config.bin %> nats prune --older-than 7d --yes',
    '<%= config.bin %> nats prune params-1a2b3c4d --yes',
  ]
  static override args = {
    sweep: Args.string({
      description: 'the full id of a sweep that goes whether it is finished or not, unless it runs',
    }),
  }
  static override flags = {
    nats: natsFlag(),
    tenant: tenantFlag(),
    'older-than': durationFlag({
      minMs: 0,
      maxMs: Infinity,
      description: 'only what was not heard of for so long',
      helpValue: '12h|7d',
      default: 0,
      defaultHelp: async () => '',
    }),
    yes: Flags.boolean({ char: 'y', description: 'remove it' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NatsPrune)
    const { nats, tenant, yes } = flags
    const store = await this.openStore(flags.store)
    const { withTenant } = await import('../../app/backends/tenant.js')
    const { prune } = await import('../../worker/remote/admin/prune.js')
    const options = { sweep: args.sweep, olderThanMs: flags['older-than'], remove: yes, clock: systemClock }
    const pruned = await withTenant({ nats, tenant }, (broker) => prune(broker, store, options))
    const { removed, kept, objects } = pruned
    const row = (what: string) => (sweep: KeptSweep) => [
      sweep.sweep,
      sweep.state,
      sweep.results,
      sweep.total,
      formatDuration(systemClock.now() - sweep.lastMs),
      what,
    ]
    const rows = [...removed.map(row(yes ? 'removed' : 'would go')), ...kept.map(row(''))]
    this.log(
      formatTable(['sweep', 'state', 'results', 'planned', 'silent for', ''], rows) || 'The server keeps no sweep.',
    )
    if (objects === undefined)
      this.log('\nA sweep runs: objects (artifacts, data sets) stay, since it may need any of them.')
    else if (objects.count > 0)
      this.log(
        `\n${objects.count} objects (${(objects.bytes / 1e6).toFixed(1)} MB) ${yes ? 'removed' : 'would go too'}.`,
      )
    if (!yes && (removed.length > 0 || (objects?.count ?? 0) > 0)) this.log('Nothing was removed: say --yes for that.')
    return { ...pruned, dryRun: !yes }
  }
}
