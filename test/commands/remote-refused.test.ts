import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

/** A trial that ends when a file appears. */
const files = {
  'wait.sh': 'echo "{\\"step\\": 1, \\"loss\\": $1}"\nwhile [ ! -e "$DONE" ]; do sleep 0.1; done\n',
  'wait.yaml': (done: string) =>
    `experiment: { command: "sh wait.sh {n}", env: { DONE: ${JSON.stringify(done)} } }\naxes: { n: [1, 2] }\n`,
}

describe.skipIf(!hasNats)('a remote sweep whose server refuses it from one moment on', () => {
  it('ends in order, and is resumed later, when the server knows its user no more', async () => {
    const root = temporaryFolder()
    const done = join(root, 'done')
    const config = join(root, 'server.conf')
    const allow = (...names: string[]): void => {
      const users = names.map((user) => ({ user, password: user.slice(0, 1) }))
      writeFileSync(
        config,
        `host: "127.0.0.1"\njetstream { store_dir: ${JSON.stringify(root)} }\nauthorization { users: ${JSON.stringify(users)} }\n`,
      )
    }
    allow('orchestrator', 'worker')
    const server = await startNatsServer(root, 0, config)
    onTestFinished(() => server.stop('SIGKILL'))
    writeFileSync(join(root, 'wait.sh'), files['wait.sh'])
    writeFileSync(join(root, 'wait.yaml'), files['wait.yaml'](done))
    const as = (name: string) => ({
      cwd: root,
      env: { NATS_URL: server.url, NATS_USER: name, NATS_PASSWORD: name.slice(0, 1) },
    })
    const workerArgs = [
      'worker',
      'start',
      '--nats',
      server.url,
      '--slots',
      '1',
      '--store',
      'w',
      '--experiment',
      'wait.yaml',
    ]
    const worker = startMlds(workerArgs, as('worker'))
    await until(() => worker.output().includes('is ready'))
    const sweep = startMlds(['sweep', 'wait.yaml', '--name', 'cut', '--nats', server.url], as('orchestrator'))
    const journal = join(root, '.mlds', 'sweeps', 'cut', 'journal.jsonl')
    await until(() => linesOf(journal).some((line) => line.includes('"report"')))

    allow('worker')
    server.process.kill('SIGHUP')
    writeFileSync(done, '')
    const { code, stderr, stdout } = await sweep.finished
    const said = stdout + stderr
    expect(said).toMatch(/the NATS server ended the connection for good: '?Authorization Violation/i)
    expect(said).toContain('mlds resume cut')
    expect(said).not.toMatch(/\n\s+at /)
    expect(code, said).toBe(3)

    allow('orchestrator', 'worker')
    server.process.kill('SIGHUP')
    const resumed = await mlds(['resume', 'cut', '--nats', server.url, '--json'], as('orchestrator'))
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(JSON.parse(resumed.stdout)).toMatchObject({ planned: 2, finished: 2, unique: 2 })
    expect(readFileSync(journal, 'utf8')).toContain('"closed"')
  })

  it('is there to be resumed, as it says, when the server takes none of its trials', async () => {
    const root = temporaryFolder()
    const config = join(root, 'server.conf')
    const allow = (permissions: object): void =>
      writeFileSync(
        config,
        `host: "127.0.0.1"\njetstream { store_dir: ${JSON.stringify(root)} }\nauthorization { users: ${JSON.stringify([{ user: 'o', password: 'p', permissions }])} }\n`,
      )
    allow({ publish: { deny: ['mlds.mlds.trial.>'] } })
    const server = await startNatsServer(root, 0, config)
    onTestFinished(() => server.stop('SIGKILL'))
    writeFileSync(join(root, 'two.yaml'), `experiment: { command: ['echo', '{"loss":{n}}'] }\naxes: { n: [1, 2] }\n`)
    const options = { cwd: root, env: { NATS_URL: server.url, NATS_USER: 'o', NATS_PASSWORD: 'p' } }
    const refused = await mlds(['sweep', 'two.yaml', '--name', 'cut', '--nats', server.url], options)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('go on with: mlds resume cut')

    allow({})
    server.process.kill('SIGHUP')
    const resumed = await mlds(['resume', 'cut', '--nats', server.url, '--workers', '1', '--json'], options)
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(JSON.parse(resumed.stdout)).toMatchObject({ planned: 2, finished: 2, unique: 2 })
  })
})
