import type { NatsConnection } from '@nats-io/transport-node'
import { apiPrefixOf } from './connect.js'

/**
 * A worker's key has an account of its own, which imports of the orchestrators' account what a worker needs and nothing
 * else (docs/remote.md, Access). Its context says so by the prefix of its requests to JetStream.
 */
export const prefixOfAccount = (key: string): string => `MLDS.${key}.API`

/** The key that this connection's account is for; `undefined` for one that is not a worker's own. */
export function accountKeyOf(connection: NatsConnection): string | undefined {
  return /^MLDS\.([A-Z0-9]{1,60})\.API$/.exec(apiPrefixOf(connection))?.[1]
}
