import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { startNatsServer, type NatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { requireService } from './services.js'

/** True when tests can start NATS servers of their own. */
export const hasNats = requireService(
  'nats-server',
  spawnSync('nats-server', ['--version']).status === 0,
  "install Debian's nats-server",
)

/** A server with this configuration (its `host`, `port` and store added) that goes with the test. */
export async function withNats(
  settings: string,
  { host = '127.0.0.1', domain }: { host?: string; domain?: string } = {},
): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-nats-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'server.conf')
  const jetstream = [`store_dir: ${JSON.stringify(folder)}`, ...(domain === undefined ? [] : [`domain: ${domain}`])]
  writeFileSync(config, `host: "${host}"\njetstream { ${jetstream.join(', ')} }\n${settings}\n`)
  const server = await startNatsServer(folder, 0, config)
  onTestFinished(() => server.stop('SIGKILL'))
  return server
}
