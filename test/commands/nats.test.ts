import { existsSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

describe.skipIf(!hasNats)('mlds nats init', () => {
  it('gives a server, a worker and a sweep that find each other and nobody else', async () => {
    const cwd = temporaryFolder()
    const init = await mlds(['nats', 'init'], { cwd })
    expect(init).toMatchObject({ code: 0, stderr: '' })
    expect(init.stdout).toContain('mlds nats up')
    const server = startMlds(['nats', 'up', '--port', '0'], { cwd })
    await until(() => server.output().includes('listens on'))
    const url = /nats:\/\/\S+:\d+/.exec(server.output())![0]
    expect(server.output()).toContain(`as ${join(cwd, '.mlds/nats/server.conf')} says`)

    const as = (role: string): Record<string, string> => ({
      NATS_CONTEXT: join(cwd, '.mlds/nats/mlds', `${role}.json`),
    })
    const anonymous = await mlds(['sweep', 'min-ratio', '--profile', 'smoke', '--nats', url], { cwd })
    expect(anonymous.code).toBe(3)
    expect(anonymous.stderr).toContain('no connection to NATS')

    const place = ['--store', join(cwd, 'elsewhere')]
    const worker = startMlds(['worker', 'start', '--nats', url, '--slots', '2', ...place], { cwd, env: as('worker') })
    const sweep = await mlds(['sweep', 'min-ratio', '--profile', 'smoke', '--nats', url, '--name', 'kept'], {
      cwd,
      env: as('orchestrator'),
    })
    expect(sweep).toMatchObject({ code: 0 })
    const journal = readFileSync(join(cwd, '.mlds/sweeps/kept/journal.jsonl'), 'utf8')
    expect(journal).toContain('"ended"')
    // Keys sign and are never sent, nor written down.
    const seed = readFileSync(join(cwd, '.mlds/nats/mlds/orchestrator.nk'), 'utf8').trim()
    for (const text of [journal, sweep.stdout, sweep.stderr, worker.output(), server.output()])
      expect(text).not.toContain(seed)
    expect(existsSync(join(cwd, 'elsewhere'))).toBe(true)
    worker.child.kill('SIGTERM')
    expect((await worker.finished).code).toBe(0)
    server.child.kill('SIGINT')
    expect((await server.finished).code).toBe(0)
  })

  it('refuses an address with a password, and certificates that are not there', async () => {
    const cwd = temporaryFolder()
    const secret = await mlds(['nats', 'init', '--url', 'nats://ann:s3cret@host'], { cwd })
    expect(secret).toMatchObject({ code: 2 })
    expect(secret.stderr).not.toContain('s3cret')
    const files = await mlds(['nats', 'init', '--tls-cert', 'none.pem', '--tls-key', 'none.key'], { cwd })
    expect(files).toMatchObject({ code: 2 })
    expect(files.stderr).toContain('there is no such file: none.pem')
  })

  it('has the server listen where its contexts look for it, unless told otherwise', async () => {
    const cwd = temporaryFolder()
    const portOf = async (folder: string, ...args: string[]): Promise<string | undefined> => {
      expect(await mlds(['nats', 'init', folder, ...args], { cwd })).toMatchObject({ code: 0 })
      return /^port: (\d+)$/m.exec(readFileSync(join(cwd, folder, 'server.conf'), 'utf8'))?.[1]
    }
    expect(await portOf('a', '--url', 'nats://lab:5333')).toBe('5333')
    expect(await portOf('b', '--url', 'nats://lab:5333', '--port', '5444')).toBe('5444')
    expect(await portOf('c', '--url', 'nats://lab')).toBe('4222')
  })
})

describe.skipIf(!hasNats)('mlds nats up', () => {
  it('names each address that it listens on, those of the network too where it was told so', async () => {
    const cwd = temporaryFolder()
    const url = ['--host', '0.0.0.0', '--url', 'nats://lab.example.org:4222']
    expect(await mlds(['nats', 'init', ...url], { cwd })).toMatchObject({ code: 0 })
    const server = startMlds(['nats', 'up', '--port', '0'], { cwd })
    await until(() => server.output().includes('listens on'))
    const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all)
    for (const { address } of addresses.filter(({ family }) => family === 'IPv4'))
      expect(server.output()).toContain(`nats://${address}:`)
  })

  it('says what to do where something listens on its port', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await mlds(['nats', 'up', '--port', String(port)], { cwd: temporaryFolder() })
    expect(code).toBe(3)
    expect(stderr).toContain('address already in use')
    expect(stderr).toContain('use it with --nats URL; else choose another port with --port, 0 for a free one')
    expect(stderr).not.toContain('install')
  })
})

describe('a warning beside --json', () => {
  it('is told on standard error, and standard output stays JSON', async () => {
    const { code, stdout, stderr } = await mlds(['nats', 'init', 'deployment', '--host', '0.0.0.0', '--json'], {
      cwd: temporaryFolder(),
    })
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Warning: without --tls-cert/) as string,
    })
    expect(JSON.parse(stdout)).toBeTypeOf('object')
  })
})
