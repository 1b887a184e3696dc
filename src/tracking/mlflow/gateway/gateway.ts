import { isMapping } from '../../../core/is-mapping.js'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { proofOf, readRunAlias, runAlias } from '../../../core/program-logging.js'
import type { ProgramLogging, TrialId } from '../../../core/trial.js'
import { MlflowError } from '../rest/mlflow-error.js'
import type { MlflowTransport } from '../rest/transport.js'
import { handle, type Handling, type ProgramRequest, type ProgramRun } from './request.js'

export interface GatewayOptions {
  readonly transport: MlflowTransport
  /** What keys are made of: 32 bytes that nobody else knows. */
  readonly secret: Uint8Array
  /** The port to listen on, if it is free. Default: any. */
  readonly port?: number
  /** The run of an attempt, made if need be. @throws MlflowError where there is none yet, or none any more. */
  readonly runOf: (trial: TrialId, attempt: number) => Promise<ProgramRun>
  readonly experiment: Pick<ProgramLogging, 'experimentName' | 'experimentId'>
}

/** Most bytes of a request: a model's file is the largest. */
const maxBytes = 512 << 20

/**
 * Lets programs of trials log to MLflow, each to its own run: an address of this host that adds the login, which no program
 * sees, and knows who asks by the key that the program was given.
 */
export class Gateway {
  /** Models that were found to be of a run, by `run model`. */
  readonly #models = new Set<string>()

  private constructor(
    private readonly server: Server,
    private readonly options: GatewayOptions,
  ) {
    server.on('request', (incoming, outgoing) => void this.#serve(incoming, outgoing))
  }

  /** @throws what listening throws; a port that is taken is no reason, another one is chosen then. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const server = createServer()
    const gateway = new Gateway(server, options)
    await listen(server, options.port ?? 0).catch(() => listen(server, 0))
    return gateway
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** What the program of a trial is told. */
  logging(trial: TrialId): ProgramLogging {
    return { url: `http://127.0.0.1:${this.port}`, key: this.#keyOf(trial), ...this.options.experiment }
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  #keyOf(trial: TrialId): string {
    return createHmac('sha256', this.options.secret).update(trial).digest('hex')
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { url = '/', method = 'GET', headers } = incoming
    const { pathname: path, searchParams: query } = new URL(url, 'http://gateway')
    try {
      if (path === '/mlds') return send(outgoing, 200, this.#prove(query))
      const asker = this.#askerOf(headers.authorization)
      if (asker === undefined)
        return send(outgoing, 401, refusal('UNAUTHENTICATED', 'this address is for programs of trials alone'))
      if (path === '/health' || path === '/api/3.0/mlflow/server-info')
        return send(outgoing, 200, await this.options.transport.send('GET', path))
      const own = await this.options.runOf(asker.trial, asker.attempt)
      const alias = runAlias(asker.trial, asker.attempt)
      const bytes = await readBody(incoming)
      const isJson = headers['content-type']?.startsWith('application/json') === true && bytes.length > 0
      const request: ProgramRequest = {
        method,
        path: path.replaceAll(alias, own.run),
        query: new URLSearchParams(query.toString().replaceAll(alias, own.run)),
        body: isJson ? parse(bytes.toString().replaceAll(alias, own.run)) : undefined,
      }
      const answer = await this.#act(handle(request, own), request, bytes, own)
      const isFile = method === 'GET' && path.startsWith('/api/2.0/mlflow-artifacts/artifacts/')
      send(outgoing, 200, isFile ? answer : Buffer.from(answer.toString().replaceAll(own.run, alias)))
    } catch (error) {
      const { status, code, message } = problemOf(error)
      send(outgoing, status, refusal(code, message))
    }
  }

  /** Shows who asks that this is the address it was told, and no other program's on another host. */
  #prove(query: URLSearchParams): string {
    return proofOf(this.#keyOf(query.get('trial') ?? ''), query.get('nonce') ?? '')
  }

  /** `Bearer ALIAS.KEY`. */
  #askerOf(authorization: string | undefined): { trial: TrialId; attempt: number } | undefined {
    const [, alias = '', key = ''] = /^Bearer ([0-9a-f]{32})\.([0-9a-f]{64})$/.exec(authorization ?? '') ?? []
    const asker = readRunAlias(alias)
    if (asker === undefined) return undefined
    return timingSafeEqual(Buffer.from(key), Buffer.from(this.#keyOf(asker.trial))) ? asker : undefined
  }

  async #act(handling: Handling, request: ProgramRequest, bytes: Buffer, own: ProgramRun): Promise<Buffer> {
    const { transport } = this.options
    switch (handling.kind) {
      case 'refuse':
        throw new MlflowError(handling.message, 403, false, 'PERMISSION_DENIED')
      case 'answer':
        return Buffer.from(JSON.stringify(handling.body))
      case 'run': {
        const { run } = await transport.call<{ run: { info: unknown } }>('GET', `runs/get?run_id=${own.run}`)
        return Buffer.from(JSON.stringify(handling.pick(run)))
      }
      case 'ask':
        return Buffer.from(
          JSON.stringify(
            await (handling.isOnce === true
              ? transport.once(handling.method, handling.path, handling.body)
              : transport.call(handling.method, handling.path, handling.body)),
          ),
        )
      case 'artifact':
        return request.method === 'PUT'
          ? transport.send('PUT', handling.path, bytes, 'application/octet-stream')
          : transport.send('GET', handling.path)
      case 'model':
        await this.#requireModel(handling.model, own)
        return this.#act(handling.then, request, bytes, own)
    }
  }

  /** @throws MlflowError where the model is of another run. */
  async #requireModel(model: string, { run }: ProgramRun): Promise<void> {
    const name = `${run} ${model}`
    if (this.#models.has(name)) return
    const found = await this.options.transport.call<{ model?: { info?: { source_run_id?: string } } }>(
      'GET',
      `logged-models/${model}`,
    )
    if (found.model?.info?.source_run_id !== run)
      throw new MlflowError(`the model is of another run: ${model}`, 403, false, 'PERMISSION_DENIED')
    this.#models.add(name)
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxBytes) throw new MlflowError(`more than ${maxBytes >> 20} MiB at once`, 413, false, 'BAD_REQUEST')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (isMapping(value)) return value
  } catch {
    // Python writes NaN as it is; MLflow's own client sends it as a word.
  }
  throw new MlflowError('the body is not a JSON object', 400, false, 'BAD_REQUEST')
}

/** How MLflow would say it, so that a program's client knows whether to try again. */
function problemOf(error: unknown): { status: number; code: string; message: string } {
  const { message, status, mlflowCode } = error as Partial<MlflowError>
  // The server's refusal of mlds' own login is no matter of the program's.
  const isPassedOn = status !== undefined && status >= 400 && status !== 401
  return {
    status: isPassedOn ? status : 503,
    code: mlflowCode ?? 'TEMPORARILY_UNAVAILABLE',
    message: message ?? String(error),
  }
}

const refusal = (code: string, message: string): string => JSON.stringify({ error_code: code, message })

function send(outgoing: ServerResponse, status: number, body: string | Uint8Array): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(body)
}
