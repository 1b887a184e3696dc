import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { proofOf, readRunAlias, runAlias } from '../../../../src/core/program-logging.js'
import { Gateway } from '../../../../src/tracking/mlflow/gateway/gateway.js'
import { MlflowError } from '../../../../src/tracking/mlflow/rest/mlflow-error.js'
import { mlflowSettings } from '../../../../src/tracking/mlflow/rest/settings.js'
import { MlflowTransport } from '../../../../src/tracking/mlflow/rest/transport.js'

const trial = 'fedcba9876543210'
const run = '1'.repeat(32)
const alias = runAlias(trial, 2)

/** A gateway before a server that keeps what it is sent, and answers with its own id of the run. */
async function openLab() {
  const sent: { url: string; authorization: string | undefined; body: string }[] = []
  const server = createServer((incoming, outgoing) => {
    let body = ''
    incoming.on('data', (part: Buffer) => (body += part.toString()))
    incoming.on('end', () => {
      sent.push({ url: incoming.url!, authorization: incoming.headers.authorization, body })
      const of = incoming.url!.includes('logged-models') ? '2'.repeat(32) : run
      const model = { info: { source_run_id: of } }
      outgoing.writeHead(200, { 'content-type': 'application/json' })
      outgoing.end(JSON.stringify({ run: { info: { run_id: run, status: 'RUNNING' } }, model }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://ada:secret-word@127.0.0.1:${(server.address() as AddressInfo).port}`
  const gateway = await Gateway.open({
    transport: new MlflowTransport(mlflowSettings(url, {})),
    secret: Buffer.alloc(32, 7),
    runOf: async (_, attempt) => {
      if (attempt !== 2) throw new MlflowError('it is over', 403, false, 'PERMISSION_DENIED')
      return { run, experiment: '1', artifactUri: `mlflow-artifacts:/1/${run}/artifacts`, params: new Set() }
    },
    experiment: { experimentName: 'toy' },
  })
  onTestFinished(() => gateway.close())
  const { url: address, key } = gateway.logging(trial)
  const ask = async (path: string, bearer = `${alias}.${key}`, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' }
    const answer = await fetch(address + path, { ...init, headers })
    return { status: answer.status, text: await answer.text() }
  }
  return { sent, gateway, address, key, ask }
}

describe('the address by which programs log', () => {
  it("adds mlds' login, and knows the run by the name that the program knows", async () => {
    const { sent, ask } = await openLab()
    const { status, text } = await ask(`/api/2.0/mlflow/runs/get?run_id=${alias}`)
    expect(status).toBe(200)
    expect(text).toContain(alias)
    expect(text).not.toContain(run)
    expect(text).not.toContain('secret-word')
    const metric = { run_id: alias, key: 'loss', value: 1, timestamp: 1, step: 1 }
    await ask('/api/2.0/mlflow/runs/log-metric', undefined, { method: 'POST', body: JSON.stringify(metric) })
    const basic = `Basic ${Buffer.from('ada:secret-word').toString('base64')}`
    expect(sent.map(({ authorization }) => authorization)).toEqual([basic, basic])
    expect(sent[0]!.url).toBe(`/api/2.0/mlflow/runs/get?run_id=${run}`)
    expect(JSON.parse(sent[1]!.body)).toEqual({ ...metric, run_id: run })
  })

  it('lets nobody in without the key of that trial, and no attempt that is over', async () => {
    const { sent, gateway, key, ask } = await openLab()
    const path = `/api/2.0/mlflow/runs/get?run_id=${alias}`
    const other = gateway.logging('0'.repeat(16)).key
    for (const bearer of [
      '',
      alias,
      `${alias}.${other}`,
      `${alias}.${'0'.repeat(64)}`,
      `${runAlias('0'.repeat(16), 2)}.${key}`,
    ])
      expect((await ask(path, bearer)).status, bearer).toBe(401)
    expect(await ask(path, `${runAlias(trial, 1)}.${key}`)).toMatchObject({
      status: 403,
      text: expect.stringContaining('it is over') as string,
    })
    expect(sent).toEqual([])
  })

  it('refuses a model of another run, a body that is none, and says so in MLflow’s words', async () => {
    const { ask } = await openLab()
    const model = await ask(`/api/2.0/mlflow/logged-models/m-${'c'.repeat(32)}`)
    expect(model.status).toBe(403)
    expect(JSON.parse(model.text)).toMatchObject({ error_code: 'PERMISSION_DENIED' })
    for (const body of ['[]', '"x"', '{', 'null'])
      expect((await ask('/api/2.0/mlflow/runs/log-batch', undefined, { method: 'POST', body })).status).toBe(400)
  })

  it('shows that it knows the key without being shown it', async () => {
    const { address, key } = await openLab()
    const answer = await fetch(`${address}/mlds?trial=${trial}&nonce=abc`)
    expect(await answer.text()).toBe(proofOf(key, 'abc'))
    expect(await (await fetch(`${address}/mlds?trial=${trial}&nonce=abd`)).text()).not.toBe(proofOf(key, 'abc'))
  })

  it('names each attempt differently, and reads no other text as one', () => {
    expect(readRunAlias(alias)).toEqual({ trial, attempt: 2 })
    expect(new Set([1, 2, 16, 255].map((attempt) => runAlias(trial, attempt))).size).toBe(4)
    for (const text of ['', trial, `${alias}0`, alias.toUpperCase(), 'x'.repeat(32)])
      expect(readRunAlias(text)).toBeUndefined()
  })
})
