import { spawnSync } from 'node:child_process'
import { requireService } from './services.js'

/** True when tests can start NATS servers of their own. */
export const hasNats = requireService(
  'nats-server',
  spawnSync('nats-server', ['--version']).status === 0,
  "install Debian's nats-server",
)
