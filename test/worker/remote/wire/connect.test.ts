import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createUser } from '@nats-io/nkeys'
import type { NatsConnection } from '@nats-io/transport-node'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { MldsError } from '../../../../src/core/errors.js'
import { connectionOptions, connectNats } from '../../../../src/worker/remote/wire/connect.js'
import { resolveNatsSettings } from '../../../../src/worker/remote/wire/nats-settings.js'
import { startNatsServer, type NatsServer } from '../../../../src/worker/remote/admin/nats-server.js'
import { makeCertificates, type Certificates } from '../../../helpers/certificates.js'
import { hasNats, withNats } from '../../../helpers/nats.js'

const folder = mkdtempSync(join(tmpdir(), 'mlds-connect-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

let files = 0
/** A folder for settings, and the environment that names it and nothing else. */
function home(contents: Record<string, string> = {}): { path: string; env: NodeJS.ProcessEnv } {
  const path = join(folder, `home-${++files}`)
  for (const [name, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  return { path, env: { HOME: path } }
}
const context = (settings: object): string => JSON.stringify({ description: 'a test', url: '', user: '', ...settings })

describe('the settings of a connection', () => {
  it('come from the flag, then the environment, then the context, then the default', () => {
    const { env } = home({ '.config/nats/context/lab.json': context({ url: 'nats://context:1' }) })
    const all = { ...env, NATS_CONTEXT: 'lab', NATS_URL: 'nats://environment:1' }
    expect(resolveNatsSettings('nats://flag:1', all).url).toBe('nats://flag:1')
    expect(resolveNatsSettings(undefined, all).url).toBe('nats://environment:1')
    expect(resolveNatsSettings(undefined, { ...env, NATS_CONTEXT: 'lab' }).url).toBe('nats://context:1')
    expect(resolveNatsSettings(undefined, env).url).toBe('nats://127.0.0.1:4222')
  })

  it('come from the selected context when none is named, and from XDG_CONFIG_HOME when that is set', () => {
    const { path } = home({
      'nats/context.txt': 'lab\n',
      'nats/context/lab.json': context({ url: 'nats://selected:1', inbox_prefix: '_INBOX_me' }),
    })
    const settings = resolveNatsSettings(undefined, { XDG_CONFIG_HOME: path })
    expect(settings).toEqual({ url: 'nats://selected:1', inbox_prefix: '_INBOX_me' })
  })

  it('come from a context file beside its key, wherever both were copied', () => {
    const { path, env } = home({ 'worker.json': context({ url: 'nats://far:1', nkey: 'worker.nk' }), 'worker.nk': 'S' })
    const settings = resolveNatsSettings(undefined, { ...env, NATS_CONTEXT: join(path, 'worker.json') })
    expect(settings.nkey).toBe(join(path, 'worker.nk'))
  })

  it('take one identity whole: credentials of the environment replace the user of the context', () => {
    const { env } = home({ '.config/nats/context/lab.json': context({ user: 'ann', password: 'old', ca: '~/ca.pem' }) })
    const settings = resolveNatsSettings(undefined, { ...env, NATS_CONTEXT: 'lab', NATS_CREDS: '~/me.creds' })
    expect(settings).toEqual({
      url: 'nats://127.0.0.1:4222',
      creds: join(env['HOME']!, 'me.creds'),
      ca: join(env['HOME']!, 'ca.pem'),
    })
  })

  it('take a user without a password for a token, as the nats command does', () => {
    expect(resolveNatsSettings(undefined, { ...home().env, NATS_USER: 's3cret' })).toMatchObject({ token: 's3cret' })
  })

  it.each([
    ['nats://host:4222', 'nats://ann:s3cret@host:4222', { url: 'nats://ann:s3cret@host:4222' }],
    ['host', 'nats://t0ken@host:4222', { url: 'nats://t0ken@host:4222' }],
    ['nats://host:4222', 'nats://ann:s3cret@other:4222', { url: 'nats://host:4222' }],
  ])('take for --nats %s what NATS_URL says of who one is on the same server: %s', (flag, url, expected) => {
    expect(resolveNatsSettings(flag, { ...home().env, NATS_URL: url })).toEqual(expected)
  })

  it('refuse a secret in the flag without repeating it', () => {
    for (const url of ['nats://ann:s3cret@host:4222', 's3cret@host', 'nats://a:1,nats://ann:s3cret@b:1'])
      expect(() => resolveNatsSettings(url, home().env)).toThrow(
        expect.objectContaining({
          message: expect.not.stringContaining('s3cret') as string,
          hint: expect.not.stringContaining('s3cret') as string,
        }) as Error,
      )
  })

  it('refuse a context with an identity they do not know, or that is missing, is not JSON, or is a path in disguise', () => {
    const { env } = home({
      '.config/nats/context/nsc.json': context({ nsc: 'nsc://op/account/user' }),
      '.config/nats/context/torn.json': '{"password":"s3cret',
    })
    const open = (name: string) => () => resolveNatsSettings(undefined, { ...env, NATS_CONTEXT: name })
    expect(open('nsc')).toThrow('sets nsc, which mlds does not know')
    expect(open('none')).toThrow("context none can't be read")
    expect(open('torn')).toThrow(/torn.json: it is not JSON$/)
    expect(open('../../etc/passwd')).toThrow('not a NATS context')
  })

  it('refuse addresses that are none, without repeating what may hold a password', () => {
    for (const url of ['nats://ann:s3cret@', 'nats://ann:s3cret@host:port'])
      expect(() => connectionOptions({ url })).toThrow(/^not the address of a NATS server/)
    expect(() => connectionOptions({ url: 'wss://host' })).toThrow('not an address that mlds can use for NATS')
  })

  it('reconnect for ever and notice a cut within half a minute', () => {
    const options = connectionOptions({ url: 'a:1, tls://b:2' })
    expect(options).toMatchObject({ servers: ['a:1', 'b:2'], maxReconnectAttempts: -1, pingInterval: 15_000, tls: {} })
  })
})

describe.skipIf(!hasNats)('a connection to a real server', () => {
  const open = async (url: string | undefined, env: NodeJS.ProcessEnv = {}): Promise<NatsConnection> => {
    const connection = await connectNats(url, 'test', { env: { ...home().env, ...env } })
    onTestFinished(() => connection.close())
    return connection
  }
  const works = async (connection: NatsConnection): Promise<void> => {
    const inbox = connection.subscribe('there', { callback: (_error, message) => void message.respond('and back') })
    expect((await connection.request('there')).string()).toBe('and back')
    inbox.unsubscribe()
  }
  const withUser = (url: string, user: string): string => url.replace('//', `//${user}@`)

  describe('that wants a user and a password', () => {
    const serve = (): Promise<NatsServer> => withNats('authorization { user: "ann", password: "s3cret/1" }')

    it('takes them from the environment, or out of NATS_URL', async () => {
      const { url } = await serve()
      await works(await open(url, { NATS_USER: 'ann', NATS_PASSWORD: 's3cret/1' }))
      await works(await open(undefined, { NATS_URL: withUser(url, 'ann:s3cret%2F1') }))
    })

    it('refuses others, and the refusal names the server and what to set, but no password', async () => {
      const { url } = await serve()
      const refused = open(undefined, { NATS_URL: withUser(url, 'ann:wr0ng') })
      await expect(refused).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/no connection to NATS at 127.0.0.1:\d+: .*Authorization/i) as string,
        hint: expect.stringContaining('NATS_NKEY') as string,
      })
      await expect(refused).rejects.not.toThrow(/wr0ng/)
      await expect(open(url)).rejects.toThrow('no connection to NATS')
    })
  })

  it('takes a token from NATS_URL', async () => {
    const { url } = await withNats('authorization { token: "t0ken" }')
    await works(await open(undefined, { NATS_URL: withUser(url, 't0ken') }))
  })

  it('signs with the nkey of a file, and says which file it cannot use', async () => {
    const user = createUser()
    const { url } = await withNats(`authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`)
    const { path } = home({ 'user.nk': new TextDecoder().decode(user.getSeed()) + '\n' })
    await works(await open(url, { NATS_NKEY: join(path, 'user.nk') }))
    await expect(open(url, { NATS_NKEY: join(path, 'none.nk') })).rejects.toThrow("nkey file can't be read")
    writeFileSync(join(path, 'empty.nk'), 'nothing')
    await expect(open(url, { NATS_NKEY: join(path, 'empty.nk') })).rejects.toThrow(
      'no NATS credentials are in this file',
    )
    const stranger = join(path, 'stranger.nk')
    writeFileSync(stranger, createUser().getSeed())
    const refused = await open(url, { NATS_NKEY: stranger }).catch((error: unknown) => error as MldsError)
    expect((refused as MldsError).hint).toContain(`the server does not know the key in ${stranger}`)
  })

  it('waits for a server that is not there yet when it may, and says so once', async () => {
    const store = join(folder, 'late')
    const first = await startNatsServer(store, 0)
    await first.stop()
    const said: string[] = []
    const waitUntil = new AbortController().signal
    const connecting = connectNats(first.url, 'test', { env: home().env, say: (line) => said.push(line), waitUntil })
    await expect.poll(() => said.length).toBe(1)
    const server = await startNatsServer(store, Number(new URL(first.url).port))
    onTestFinished(() => server.stop('SIGKILL'))
    const connection = await connecting
    onTestFinished(() => connection.close())
    await works(connection)
    expect(said).toEqual([expect.stringContaining('does not answer yet')])
  })

  describe('over TLS', () => {
    let certificates: Certificates
    beforeAll(() => {
      mkdirSync(join(folder, 'tls'))
      certificates = makeCertificates(join(folder, 'tls'))
    })
    const serveTls = (more = ''): Promise<NatsServer> =>
      withNats(`tls { cert_file: "${certificates.server.cert}", key_file: "${certificates.server.key}" ${more} }`)

    it.each(['localhost', '127.0.0.1'])('believes the authority that NATS_CA names, for %s', async (host) => {
      const { url } = await serveTls()
      const secured = url.replace(/^\w+:/, 'tls:').replace('127.0.0.1', host)
      const connection = await open(secured, { NATS_CA: certificates.ca })
      await works(connection)
      expect(connection.info?.tls_required).toBe(true)
    })

    it('believes nobody else', async () => {
      const { url } = await serveTls()
      await expect(open(url)).rejects.toMatchObject({ hint: expect.stringContaining('NATS_CA') as string })
    })

    it('shows its own certificate to a server that asks for one', async () => {
      const { url } = await serveTls(`, ca_file: "${certificates.ca}", verify: true`)
      const { cert, key } = certificates.client
      await works(await open(url, { NATS_CA: certificates.ca, NATS_CERT: cert, NATS_KEY: key }))
    })

    it('never speaks in the clear to a tls:// address, whoever answers there', async () => {
      let heard = ''
      const impostor = createServer((socket) => {
        socket.on('data', (bytes) => (heard += bytes.toString()))
        socket.write('INFO {"server_id":"x","version":"2.9.10","proto":1,"max_payload":1048576,"headers":true}\r\n')
      })
      await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => new Promise((resolve) => impostor.close(() => resolve())))
      const { port } = impostor.address() as { port: number }
      const env = { NATS_USER: 'ann', NATS_PASSWORD: 's3cret' }
      await expect(open(`tls://127.0.0.1:${port}`, env)).rejects.toMatchObject({
        hint: expect.stringContaining('without TLS') as string,
      })
      expect(heard).toBe('')
    })
  })
})
