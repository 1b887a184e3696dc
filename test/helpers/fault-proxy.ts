import { createServer, request, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * What may befall a request between a client and its server: it, or its reply, is lost whole or cut in half; it arrives
 * twice; something in between refuses it, or answers with a page of its own.
 */
export const faults = [
  ...(['drop-request', 'half-request', 'drop-reply', 'half-reply', 'duplicate'] as const),
  ...(['429', '503-html', '500-html', '404-html', '200-html'] as const),
] as const
export type Fault = 'none' | (typeof faults)[number]

export interface FaultProxy {
  readonly url: string
  /** How often each fault befell. */
  readonly befell: Map<Fault, number>
  close(): Promise<void>
}

/**
 * Stands between a client and `target`, asked anew for each request where it is a function; `decide` names the fault of
 * each request, and may let it wait.
 */
export async function openFaultProxy(
  target: string | (() => string),
  decide: (method: string, path: string) => Fault | Promise<Fault>,
): Promise<FaultProxy> {
  const targetUrl = typeof target === 'string' ? (): string => target : target
  const befell = new Map<Fault, number>()
  const server = createServer((incoming, outgoing) => {
    void handle(incoming, outgoing).catch(() => outgoing.destroy())
  })
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const fault = await decide(incoming.method!, incoming.url!)
    befell.set(fault, (befell.get(fault) ?? 0) + 1)
    const answer = (status: number, type: string, text: string): void =>
      void outgoing.writeHead(status, { 'retry-after': '0', 'content-type': type }).end(text)
    if (fault === 'drop-request') return void outgoing.destroy()
    if (fault === 'half-request') {
      await forwardHalf(targetUrl(), incoming, body)
      return void outgoing.destroy()
    }
    if (fault === '429') return answer(429, 'text/plain', 'slow down')
    if (fault === '503-html') return answer(503, 'text/html', '<h1>Away</h1>')
    if (fault === '500-html') return answer(500, 'text/html', '<title>500</title><h1>Internal Server Error</h1>')
    if (fault === '404-html') return answer(404, 'text/html', '<h1>No such service</h1>')
    if (fault === '200-html') return answer(200, 'text/html', '<h1>Please sign in to this network</h1>')
    if (fault === 'duplicate') await forward(targetUrl(), incoming, body)
    const reply = await forward(targetUrl(), incoming, body)
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

/** A request to the target as the client meant it: its whole length is announced, whatever is sent. */
function openRequest(target: string, { method, url, headers }: IncomingMessage, body: Buffer): ClientRequest {
  const { host: _host, connection: _connection, 'transfer-encoding': _encoding, ...kept } = headers
  return request(target + url!, { method, headers: { ...kept, 'content-length': body.length } })
}

function forwardHalf(target: string, incoming: IncomingMessage, body: Buffer): Promise<void> {
  const sent = openRequest(target, incoming, body)
  return new Promise((resolve) => {
    sent.on('error', () => resolve())
    sent.write(body.subarray(0, body.length >> 1), () => {
      sent.destroy()
      resolve()
    })
  })
}

function forward(
  target: string,
  incoming: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; type: string; body: Buffer }> {
  const sent = openRequest(target, incoming, body)
  return new Promise((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', (reply) => {
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
    sent.end(body)
  })
}
