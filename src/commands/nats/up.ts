import { existsSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'

export default class NatsUp extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Starts a nats-server found on PATH with its queue kept in the store: for this host alone, or as `nats init` wrote; Ctrl-C stops it'
  static override flags = {
    port: integerFlag({
      description: "where it listens; 0 for a free port (default: the configuration's, else 4222)",
      min: 0,
      max: 65_535,
    }),
    config: Flags.string({
      description: 'a server configuration (default: nats/server.conf in the store, if it is there)',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(NatsUp)
    const folder = join((await this.openStore(flags.store, 'peeks')).folder, 'nats')
    const isNew = !existsSync(folder)
    const { canSyncAlways, startNatsServer } = await import('../../worker/remote/admin/nats-server.js')
    const written = join(folder, 'server.conf')
    const config = flags.config ?? (existsSync(written) ? written : undefined)
    const server = await startNatsServer(folder, flags.port, config).catch((error: unknown) => {
      // Nothing is left of a server that never was one.
      if (isNew) rmSync(folder, { recursive: true, force: true })
      removeIfEmpty(dirname(folder))
      throw error
    })
    await this.openStore(flags.store)
    const stop = (): void => void server.stop()
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    process.once('SIGHUP', stop)
    const say = (line: string): void => void process.stderr.write(`${line}\n`)
    say(
      `NATS listens on ${server.urls.join(', ')}${config === undefined ? ', for anyone on this host' : `, as ${config} says`}`,
    )
    if (!canSyncAlways())
      say(
        'This version writes to the disk every two minutes: what a power cut takes is run again. 2.10 or later writes at once.',
      )
    if (config === undefined) {
      say('Now, in other windows:')
      say(
        this.inNamedStore(
          `  mlds worker start --nats ${server.url} --slots 4\n  mlds sweep params --nats ${server.url}`,
        ),
      )
    }
    await server.ended
    return { url: server.url }
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Something is in it, or it never was there.
  }
}
