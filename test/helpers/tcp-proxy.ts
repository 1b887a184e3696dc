import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface TcpProxy {
  readonly port: number
  /** From now on nothing that the server sends arrives, and nobody is told. */
  swallow(): void
  /** Ends the connections; those that come next are whole again. */
  reset(): void
}

/** Stands between clients and a server on a port of this host; it goes with the test. */
export async function withTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let swallowing = false
  const server = createServer((client) => {
    const far = connect(target, '127.0.0.1')
    client.pipe(far)
    far.on('data', (bytes) => swallowing || client.write(bytes))
    for (const [socket, other] of [
      [client, far],
      [far, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const reset = (): void => {
    swallowing = false
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    server.close()
    reset()
  })
  return { port: (server.address() as { port: number }).port, swallow: () => void (swallowing = true), reset }
}
