import type { NatsConnection } from '@nats-io/transport-node'

/** Whether the server of a connection is there. */
export class Reach {
  /** Between the loss of the connection and its return. */
  isAway = false

  /** Watches a connection that stands, until it is closed. */
  async follow(connection: Pick<NatsConnection, 'status'>): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.isAway = true
      else if (type === 'reconnect') this.isAway = false
    }
  }
}
