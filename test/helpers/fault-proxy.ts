import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'

/** What befalls a request: its reply is lost, it arrives twice, it is refused, or its reply is cut in half. */
export type Fault = 'none' | 'drop-reply' | 'drop-request' | 'duplicate' | '429' | '503-html' | 'half-reply'

export interface FaultProxy {
  readonly url: string
  /** How often each fault befell. */
  readonly befell: Map<Fault, number>
  close(): Promise<void>
}

/** Stands between a client and `target`; `decide` names the fault of each request. */
export async function openFaultProxy(
  target: string,
  decide: (method: string, path: string) => Fault,
): Promise<FaultProxy> {
  const befell = new Map<Fault, number>()
  const server = createServer((incoming, outgoing) => {
    void handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const fault = decide(incoming.method!, incoming.url!)
    befell.set(fault, (befell.get(fault) ?? 0) + 1)
    if (fault === 'drop-request') return void outgoing.destroy()
    if (fault === '429') return void outgoing.writeHead(429, { 'retry-after': '0' }).end('slow down')
    if (fault === '503-html')
      return void outgoing.writeHead(503, { 'retry-after': '0', 'content-type': 'text/html' }).end('<h1>Away</h1>')
    if (fault === 'duplicate') await forward(target, incoming, body)
    const reply = await forward(target, incoming, body)
    if (fault === 'drop-reply') return void outgoing.destroy()
    outgoing.writeHead(reply.status, { 'content-type': reply.type, 'content-length': reply.body.length })
    if (fault === 'half-reply') {
      outgoing.write(reply.body.subarray(0, reply.body.length >> 1))
      return void setImmediate(() => outgoing.destroy())
    }
    outgoing.end(reply.body)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    befell,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function forward(
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; type: string; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...kept } = headers
    const sent = request(target + url!, { method, headers: { ...kept, 'content-length': body.length } }, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', reject)
      reply.on('end', () =>
        resolve({
          status: reply.statusCode!,
          type: reply.headers['content-type'] ?? 'application/json',
          body: Buffer.concat(chunks),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
