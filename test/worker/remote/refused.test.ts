import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream } from '@nats-io/jetstream'
import { PermissionViolationError } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectNats } from '../../../src/worker/remote/wire/connect.js'
import { startNatsServer } from '../../../src/worker/remote/admin/nats-server.js'
import { namesOf } from '../../../src/worker/remote/wire/names.js'
import { toyAssignment } from '../../conformance/backend.js'
import { hasNats } from '../../helpers/nats.js'
import { runKey, withLabOrchestrator } from '../../helpers/remote-lab.js'

describe.skipIf(!hasNats)('an orchestrator whose server lets it queue no more', () => {
  it('ends with a sentence when a trial must be queued anew, and nothing goes unheard', async () => {
    const root = mkdtempSync(join(tmpdir(), 'mlds-refused-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    const config = join(root, 'server.conf')
    const names = namesOf('refused')
    const deny = (...subjects: string[]): void => {
      const permissions = subjects.length === 0 ? {} : { permissions: { publish: { deny: subjects } } }
      const users = [
        { user: 'orchestrator', password: 'o', ...permissions },
        { user: 'onlooker', password: 'l' },
      ]
      const store = `jetstream { store_dir: ${JSON.stringify(root)} }`
      writeFileSync(config, `host: "127.0.0.1"\n${store}\nauthorization { users: ${JSON.stringify(users)} }\n`)
    }
    deny()
    const server = await startNatsServer(root, 0, config)
    onTestFinished(() => server.stop('SIGKILL'))
    const connect = (user: string, password: string) =>
      connectNats(server.url, user, { env: { NATS_USER: user, NATS_PASSWORD: password } })
    const connection = await connect('orchestrator', 'o')
    const onlooker = await connect('onlooker', 'l')
    onTestFinished(() => onlooker.close())
    const { backend, listener } = await withLabOrchestrator({ url: server.url, tenant: 'refused' }, { connection })
    const assignment = toyAssignment({})
    await backend.start(assignment)

    deny(names.trial({}), 'probe')
    server.process.kill('SIGHUP')
    const isDenied = (error: Error): boolean =>
      error instanceof PermissionViolationError || error.cause instanceof PermissionViolationError
    while (!(await connection.request('probe', '', { timeout: 1_000 }).then(() => false, isDenied)));

    await jetstream(onlooker).publish(names.result(runKey(assignment.trial.id)), 'not a result')
    await expect(listener.until((event) => event.type === 'ended')).rejects.toMatchObject({
      message: expect.stringContaining('the NATS server refuses what the sweep needs') as string,
      exitCode: 3,
    })
  })
})
