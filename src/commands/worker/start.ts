import { hostname } from 'node:os'
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../cli/base-command.js'
import { natsFlag, tenantFlag } from '../../cli/flags.js'

export default class WorkerStart extends BaseCommand {
  static override description =
    'Starts a worker that takes trials of remote sweeps from NATS; SIGTERM or Ctrl-C lets what runs finish, twice hands it back'
  static override examples = ['<%= config.bin %> worker start --nats nats://host:4222 --slots 4']
  static override flags = {
    nats: natsFlag(),
    tenant: tenantFlag(),
    slots: Flags.integer({
      description: 'trials at once (default: the cores)',
      min: 1,
      max: 256,
      default: async () => availableParallelism(),
      helpValue: 'N',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(WorkerStart)
    const store = await this.openStore(flags.store)
    const { connectNats } = await import('../../worker/remote/connect.js')
    const { runWorker } = await import('../../worker/remote/worker-process.js')
    const { systemClock } = await import('../../clock.js')
    const { listenForInterruption } = await import('../../cli/signals.js')
    const say = (message: string): void => void process.stderr.write(`${message}\n`)
    const host = hostname().replaceAll(/[^a-zA-Z0-9-]/g, '-')
    const name = `${host.slice(0, 40)}-${randomBytes(3).toString('hex')}`
    const interruption = listenForInterruption(say)
    try {
      await runWorker({
        connection: await connectNats(flags.nats, `mlds-worker/${name}`, { say, waitUntil: interruption.drain }),
        tenant: flags.tenant,
        name,
        slots: flags.slots,
        store,
        clock: systemClock,
        experimentModules: [],
        drain: interruption.drain,
        abort: interruption.abort,
        say,
      })
    } finally {
      interruption.release()
    }
    say(`worker ${name} has ended`)
    return { worker: name }
  }
}
