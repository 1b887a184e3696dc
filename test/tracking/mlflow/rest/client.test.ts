import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../../../src/core/clock.js'
import { MlflowClient } from '../../../../src/tracking/mlflow/rest/client.js'
import type { MlflowError } from '../../../../src/tracking/mlflow/rest/mlflow-error.js'
import type { Point } from '../../../../src/tracking/mlflow/rest/wire.js'
import { mlflowSettings } from '../../../../src/tracking/mlflow/rest/settings.js'
import { makeCertificates } from '../../../helpers/certificates.js'
import { keepMoving } from '../../../helpers/keep-moving.js'

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
interface Reply {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** Answers as the test says, but for what it keeps runs in: that it says nobody. */
async function openServer(answer: (body: string) => Reply): Promise<{ url: string; sent: Sent[] }> {
  const sent: Sent[] = []
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method, url, headers: received } = incoming
      if (url!.endsWith('/server-info')) return void outgoing.writeHead(404).end()
      const told = Buffer.concat(chunks).toString()
      const { status = 200, headers = { 'content-type': 'application/json' }, body = '{}' } = answer(told)
      sent.push({ method: method!, path: url!, headers: received, body: told })
      outgoing.writeHead(status, headers).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, sent }
}

/** Answers with what the test says, request after request, and then with the empty object for ever. */
function openScript(replies: readonly Reply[]): Promise<{ url: string; sent: Sent[] }> {
  let next = 0
  return openServer(() => replies[next++] ?? {})
}

/** A client on a clock that jumps to whatever it waits for, and with the middle of all jitters. */
function openClient(url: string, env: Record<string, string> = {}): { client: MlflowClient; clock: SimulatedClock } {
  const clock = new SimulatedClock(Date.parse('2026-01-01T00:00:00Z'))
  keepMoving(clock)
  return { client: new MlflowClient(mlflowSettings(url, env), undefined, clock, () => 0.5), clock }
}

const busy = (retryAfter?: string): Reply => ({
  status: 429,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  body: 'slow down',
})

describe('the MLflow client', () => {
  it.each([
    ['in seconds', '7', 7000],
    ['as a date', 'Thu, 01 Jan 2026 00:00:12 GMT', 12_000],
    ['of half a minute at most', '3600', 30_000],
  ])('waits as long as the server asks for: %s', async (_way, retryAfter, waitedMs) => {
    const { url, sent } = await openScript([{ ...busy(retryAfter), status: 503 }])
    const { client, clock } = openClient(url)
    const before = clock.now()
    await client.log('r', { tags: { a: 'b' } })
    expect(clock.now() - before).toBe(waitedMs)
    expect(sent).toHaveLength(2)
    expect(sent[1]!.body).toBe(sent[0]!.body)
  })

  it('waits twice as long each time, half a minute at most, and gives up after as many tries as it was told', async () => {
    const { url, sent } = await openScript(Array.from({ length: 20 }, () => busy()))
    const { client, clock } = openClient(url, { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '8' })
    const before = clock.now()
    await expect(client.log('r', { tags: { a: 'b' } })).rejects.toThrow(/429 slow down/)
    expect(sent).toHaveLength(9)
    expect(clock.now() - before).toBe(500 * (1 + 2 + 4 + 8 + 16 + 32) + 30_000 + 30_000)
  })

  it('looks for a run that it may have made before it asks again, and waits as it is told', async () => {
    const made = (id: string): Reply => ({
      body: JSON.stringify({ run: { info: { run_id: id, experiment_id: '1', status: 'RUNNING', artifact_uri: '' } } }),
    })
    const found = { body: JSON.stringify({ runs: [(JSON.parse(made('there').body!) as { run: object }).run] }) }
    for (const [replies, id, paths] of [
      [[busy('7'), {}, made('second')], 'second', ['create', 'search', 'create']],
      [[{ ...busy('7'), status: 500 }, found], 'there', ['create', 'search']],
    ] as const) {
      const { url, sent } = await openScript(replies)
      const { client, clock } = openClient(url)
      const before = clock.now()
      const run = await client.createRun('1', { name: 'n', startMs: 0, tags: { k: 'this' } }, 'k')
      expect(run.id).toBe(id)
      expect(clock.now() - before).toBe(7000)
      expect(sent.map(({ path }) => path.split('/').at(-1))).toEqual(paths)
      expect(JSON.parse(sent[1]!.body)).toMatchObject({ filter: `tags."k" = 'this'` })
    }
  })

  it.each([
    [{ status: 401, body: '<h1>Unauthorized</h1>' }, /401 Unauthorized/, /MLFLOW_TRACKING_USERNAME/],
    [{ status: 403, body: 'Invalid Host header - possible DNS rebinding attack detected' }, /403/, /--allowed-hosts/],
    [{ status: 400, body: '{"error_code":"INVALID_PARAMETER_VALUE","message":"bad key"}' }, /400 bad key/, /^$/],
  ] satisfies [Reply, RegExp, RegExp][])(
    'says once and in a sentence what a person must mend: %j',
    async (reply, message, hint) => {
      const { url, sent } = await openScript([reply])
      const { client } = openClient(url)
      const error = await client.log('r', { tags: { a: 'b' } }).catch((thrown: unknown) => thrown as MlflowError)
      expect(error).toMatchObject({ passing: false, exitCode: 3 })
      expect((error as MlflowError).message).toMatch(message)
      expect((error as MlflowError).message).not.toMatch(/[<>]/)
      expect((error as MlflowError).hint ?? '').toMatch(hint)
      expect(sent).toHaveLength(1)
    },
  )

  it('tries a proxy’s 404 again a few times, since a server may be starting, and then asks for the address', async () => {
    const page = {
      status: 404,
      headers: { 'content-type': 'text/html' },
      body: '<html><title>404 Not Found</title><body><h1>404 Not Found</h1>nginx</body></html>',
    }
    const starting = await openScript([page, page])
    await openClient(starting.url).client.log('r', { tags: { a: 'b' } })
    expect(starting.sent).toHaveLength(3)

    const { url, sent } = await openScript(Array.from({ length: 20 }, () => page))
    await expect(openClient(url).client.log('r', { tags: { a: 'b' } })).rejects.toMatchObject({
      message: expect.stringMatching(/: 404 Not Found$/) as string,
      hint: 'is this the address of an MLflow server?',
      exitCode: 3,
    })
    expect(sent).toHaveLength(5)
  })

  it('in a hurry ends the pause under way, pauses 5 s at most, and tries until its time is up', async () => {
    const { url, sent } = await openScript(Array.from({ length: 12 }, () => busy('25')))
    const clock = new SimulatedClock()
    const { client } = { client: new MlflowClient(mlflowSettings(url, {}), undefined, clock) }
    const logged = client.log('r', { tags: { a: 'b' } })
    await expect.poll(() => sent.length).toBe(1)
    client.hurry()
    // Without a step of the clock.
    await expect.poll(() => sent.length).toBe(2)
    keepMoving(clock)
    await logged
    expect(sent).toHaveLength(13)
    expect(clock.now()).toBe(11 * 5_000)
  })

  it('takes a page for no answer, also where any bytes would do', async () => {
    const page = { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<h1>Please sign in</h1>' }
    const { url, sent } = await openScript([page, {}, page, { body: 'the bytes' }])
    const { client } = openClient(url)
    const run = { artifactUri: 'mlflow-artifacts:/1/r/artifacts' }
    await client.putArtifact(run, 'log.txt', Buffer.from('log'))
    expect(sent.map(({ method, body }) => `${method} ${body}`)).toEqual(['PUT log', 'PUT log'])
    expect(Buffer.from(await client.getArtifact(run, 'log.txt')).toString()).toBe('the bytes')
    expect(sent).toHaveLength(4)
  })

  it.each([
    ['refuses what became of it', { status: 400, body: '{"error_code":"INVALID_PARAMETER_VALUE"}' }],
    ['has a page to sign in', { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Sign in</h1>' }],
  ])('says at once that it is sent on to another address, which %s', async (_words, reply) => {
    const { url: other } = await openScript([reply])
    const { url, sent } = await openScript([{ status: 302, headers: { location: `${other}/somewhere` } }])
    const { client } = openClient(url)
    await expect(client.updateRun('r', { status: 'KILLED' })).rejects.toThrow(
      `${url} sends requests on to ${other}, where POST came to ${reply.status}`,
    )
    expect(sent).toHaveLength(1)
  })

  it('sends numbers that JSON lacks as the words that MLflow knows', async () => {
    const { url, sent } = await openScript([])
    const { client } = openClient(url)
    const points = [NaN, Infinity, -Infinity, -0, 0.1].map((value, step) => ({ key: 'k', value, timestamp: 1, step }))
    await client.log('r', { points })
    const { metrics } = JSON.parse(sent[0]!.body) as { metrics: { value: unknown }[] }
    expect(metrics.map(({ value }) => value)).toEqual(['NaN', 'Infinity', '-Infinity', 0, 0.1])
  })

  it('cuts whatever is logged into requests that the server takes, losing and doubling nothing', async () => {
    const key = fc.string({ minLength: 1, maxLength: 250 })
    const pairs = (most: number): fc.Arbitrary<Record<string, string>> =>
      fc.dictionary(key, fc.string({ maxLength: 6000, unit: 'grapheme' }), { maxKeys: most, size: 'max' })
    const point = fc.record({ key, value: fc.double(), timestamp: fc.nat(), step: fc.nat() })
    await fc.assert(
      fc.asyncProperty(
        pairs(250),
        pairs(250),
        fc.array(point, { maxLength: 2500, size: 'max' }),
        async (params, tags, points) => {
          const { url, sent } = await openScript([])
          const { client } = openClient(url)
          await client.log('r', { params, tags, points })
          const batches = sent.map(
            ({ body }) => JSON.parse(body) as Record<'params' | 'tags' | 'metrics', { key: string; value: string }[]>,
          )
          for (const [i, batch] of batches.entries()) {
            expect(batch.params.length).toBeLessThanOrEqual(100)
            expect(batch.tags.length).toBeLessThanOrEqual(100)
            expect(batch.params.length + batch.tags.length + batch.metrics.length).toBeLessThanOrEqual(1000)
            expect(Buffer.byteLength(sent[i]!.body)).toBeLessThanOrEqual(1e6)
          }
          const joined = (kind: 'params' | 'tags'): object =>
            Object.fromEntries(batches.flatMap((batch) => batch[kind].map(({ key, value }) => [key, value])))
          expect(joined('params')).toEqual({ ...params })
          expect(joined('tags')).toEqual({ ...tags })
          const told = (value: number | string): number => Number(value)
          expect(
            batches.flatMap((batch) => batch.metrics.map((metric) => ({ ...metric, value: told(metric.value) }))),
          ).toEqual(points.map((each: Point) => ({ ...each, value: each.value + 0 })))
        },
      ),
      { numRuns: 20 },
    )
  })

  it('takes the refusal of points that an old server has already for what it says, and loses none', async () => {
    const held = new Set<string>()
    const tags: string[] = []
    const refused = JSON.stringify({ error_code: 'BAD_REQUEST', message: 'UNIQUE constraint failed: metrics.key' })
    // As 3.6 does: a batch that repeats a point is refused whole when it has NaN or more than a hundred points.
    const { url } = await openServer((body) => {
      const batch = JSON.parse(body) as { metrics?: { step: number; value: unknown }[]; tags?: { key: string }[] }
      const points = (batch.metrics ?? []).map(({ step, value }) => `${step} ${String(value)}`)
      const repeats = points.some((point) => held.has(point))
      if (repeats && (points.length > 100 || points.some((point) => point.endsWith('NaN'))))
        return { status: 400, body: refused }
      points.forEach((point) => held.add(point))
      tags.push(...(batch.tags ?? []).map(({ key }) => key))
      return {}
    })
    const { client } = openClient(url)
    const points = Array.from({ length: 250 }, (_, step) => ({
      ...{ key: 'loss', timestamp: 1, step },
      value: step % 50 === 7 ? NaN : step,
    }))
    await client.log('r', { points: points.slice(0, 180) })
    await client.log('r', { points, tags: { 'mlds.state': 'finished' } })
    expect(held.size).toBe(250)
    expect(tags).toEqual(['mlds.state'])
  })

  it('speaks to a server whose certificate it is told of, and to any other only when it is told to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-tls-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const { ca, server, client: own } = makeCertificates(folder)
    const asked: boolean[] = []
    const listener = createSecureServer(
      {
        cert: readFileSync(server.cert),
        key: readFileSync(server.key),
        ca: readFileSync(ca),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (incoming, outgoing) => {
        asked.push((incoming.socket as TLSSocket).authorized)
        outgoing.end('{"run":{"info":{"run_id":"r","experiment_id":"1","status":"RUNNING","artifact_uri":""}}}')
      },
    )
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      listener.closeAllConnections()
      listener.close()
    })
    const url = `https://127.0.0.1:${(listener.address() as { port: number }).port}`
    const find = async (env: Record<string, string>): Promise<unknown> => openClient(url, env).client.findRun('r')
    await expect(find({})).rejects.toMatchObject({
      message: `no answer from ${url}: SELF_SIGNED_CERT_IN_CHAIN`,
      hint: expect.stringContaining('MLFLOW_TRACKING_SERVER_CERT_PATH') as string,
      passing: false,
    })
    expect(asked).toEqual([])
    const both = join(folder, 'both.pem')
    writeFileSync(both, readFileSync(own.cert, 'utf8') + readFileSync(own.key, 'utf8'))
    for (const env of [
      { MLFLOW_TRACKING_SERVER_CERT_PATH: ca },
      { MLFLOW_TRACKING_INSECURE_TLS: 'true' },
      { MLFLOW_TRACKING_SERVER_CERT_PATH: ca, MLFLOW_TRACKING_CLIENT_CERT_PATH: both },
    ])
      await expect(find(env)).resolves.toMatchObject({ id: 'r' })
    expect(asked).toEqual([false, false, true])
    await expect(find({ MLFLOW_TRACKING_SERVER_CERT_PATH: '/no/such.pem' })).rejects.toThrow(
      "MLFLOW_TRACKING_SERVER_CERT_PATH: /no/such.pem can't be read",
    )
  })

  it.each(['refused', 'silent'])(
    'says after 2 s what it waits for and gives up after 12 s: a server that is %s',
    async (kind) => {
      let connected = (): void => {}
      const isAsked = new Promise<void>((resolve) => (connected = resolve))
      const listener = createTcpServer(() => connected())
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(listener.address() as { port: number }).port}`
      if (kind === 'refused') await new Promise((resolve) => listener.close(resolve))
      else onTestFinished(() => void listener.close())
      const clock = new SimulatedClock()
      const said: [number, string][] = []
      const client = new MlflowClient(mlflowSettings(url, {}), undefined, clock, () => 0.5, {
        say: (sentence) => said.push([clock.now(), sentence]),
      })
      const failure = client.experimentIds().then(
        () => expect.fail('it was answered'),
        (error: unknown) => [clock.now(), error],
      )
      // A clock that jumps: over the pauses between tries, and where nobody answers at all, once the server was asked.
      if (kind === 'silent') await isAsked
      keepMoving(clock)
      expect(await failure).toEqual([
        12_000,
        expect.objectContaining({
          message: `no answer from ${url} within 12 s`,
          exitCode: 3,
          hint: 'is the MLflow server running there? (mlflow server, or mlds ui)',
        }) as unknown,
      ])
      expect(said).toEqual([[2_000, `No answer from ${url} yet; it is given up after 12 s.`]])
    },
  )

  it('is as patient as ever with a server that has answered once, and says within 2 s what it waits for', async () => {
    const failing = { status: 503, body: 'busy' }
    const { url } = await openScript([{}, ...Array.from({ length: 6 }, () => failing)])
    const clock = new SimulatedClock()
    const said: [number, string][] = []
    const say = (sentence: string): void => void said.push([clock.now(), sentence])
    const client = new MlflowClient(mlflowSettings(url, {}), undefined, clock, () => 0.5, { say })
    await client.experimentIds()
    keepMoving(clock)
    await client.experimentIds()
    expect(clock.now()).toBeGreaterThan(12_000)
    expect(said).toEqual([[expect.any(Number), expect.stringMatching(/^Waiting for http.*: .* 503 busy$/)]])
    expect(said[0]![0]).toBeLessThanOrEqual(2_000)
  })
})
