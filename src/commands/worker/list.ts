import { natsFlag, tenantFlag } from '../../terminal/flags/flags.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { formatTable } from '../../terminal/table.js'
import { formatDuration } from '../../core/format.js'
import type { WorkerMessage } from '../../worker/remote/wire/protocol.js'

export default class WorkerList extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Lists the workers that a NATS server heard of in the last half minute'
  static override examples = ['<%= config.bin %> worker list --nats nats://host:4222']
  static override flags = { nats: natsFlag(), tenant: tenantFlag() }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(WorkerList)
    const { withTenant } = await import('../../app/backends/tenant.js')
    const { listWorkers } = await import('../../worker/remote/orchestrator/fleet.js')
    const { systemClock } = await import('../../core/clock.js')
    const { nats, tenant } = flags
    const workers = await withTenant({ nats, tenant }, (broker) => listWorkers(broker.workers))
    const now = systemClock.now()
    const rows = workers.map((worker) => [
      worker.worker,
      worker.host,
      worker.slots,
      worker.draining ? 0 : worker.free,
      worker.running.map(({ trial, sinceMs }) => `${trial.slice(0, 8)} (${formatDuration(now - sinceMs)})`).join(' '),
      worker.done,
      worker.refused,
      worker.malformed,
      worker.fenced,
      worker.codeVersion,
      formatDuration(now - worker.startedAtMs),
      (worker.experiments ?? []).join(' '),
      describeAbilities(worker),
      worker.draining ? 'leaving' : '',
    ])
    const counted = ['done', 'refused', 'malformed', 'late']
    const header = [
      'worker',
      'host',
      'slots',
      'free',
      'running',
      ...counted,
      'version',
      'up',
      'also has',
      'labels, GPUs, GB',
      '',
    ]
    this.log(formatTable(header, rows) || 'No workers. Start one with: mlds worker start --nats URL')
    return workers
  }
}

/** `a100 2 64`, and whose code it takes; a worker of an earlier version tells nothing of it. */
function describeAbilities({ abilities }: WorkerMessage): string {
  if (abilities === undefined) return 'an earlier version'
  const { labels, gpus, memoryGb, code } = abilities
  return [...labels, gpus, memoryGb, ...(code === undefined ? [] : [`code of ${code.keys.join(' ')}`])].join(' ')
}
