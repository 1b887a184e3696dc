import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { EventStream } from '../../src/dashboard/server/event-stream.js'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close()
})

const megabytes = (count: number): string => JSON.stringify('x'.repeat(count << 20))

/** A stream to a page that takes in nothing of what it is sent. */
async function openToStandingPage(): Promise<{ stream: EventStream; response: ServerResponse }> {
  const server = createServer()
  closing.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const asking = get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  asking.on('error', () => {})
  closing.push(() => asking.destroy())
  const [, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  return { stream: new EventStream(response, 'sweep'), response }
}

test('a page that takes long to take in a snapshot of any size is sent what follows', async () => {
  const { stream, response } = await openToStandingPage()
  stream.send('snapshot', megabytes(40))
  for (let i = 0; i < 100; i++) stream.send('change', '{}')
  expect(response.destroyed).toBe(false)
})

test('a page behind which more than 16 MB pile up is let go', async () => {
  const { stream, response } = await openToStandingPage()
  stream.send('snapshot', megabytes(4))
  for (let i = 0; i < 14; i++) stream.send('change', megabytes(1))
  expect(response.destroyed).toBe(false)
  for (let i = 0; i < 12; i++) stream.send('change', megabytes(1))
  expect(response.destroyed).toBe(true)
})
