import { join } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../cli/base-command.js'

export default class NatsUp extends BaseCommand {
  static override description =
    'Starts a nats-server found on PATH for this host, with its queue kept in the store; Ctrl-C stops it'
  static override flags = {
    port: Flags.integer({ description: 'where it listens; 0 for a free port', default: 4222, min: 0, max: 65_535 }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NatsUp)
    const store = await this.openStore(flags.store)
    const { startNatsServer } = await import('../../worker/remote/nats-server.js')
    const server = await startNatsServer(join(store.folder, 'nats'), flags.port)
    const stop = (): void => void server.stop()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    process.stderr.write(`NATS listens on ${server.url}; now, in other windows:\n`)
    process.stderr.write(
      `  mlds worker start --nats ${server.url} --slots 4\n  mlds sweep params --nats ${server.url}\n`,
    )
    await server.ended
    return { url: server.url }
  }
}
