import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeAccess } from '../../../src/worker/remote/admin/access.js'
import { startNatsServer } from '../../../src/worker/remote/admin/nats-server.js'
import { toyAssignment } from '../../conformance/backend.js'
import { freePort } from '../../helpers/services.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { recorded, withLabOrchestrator, withLabWorker } from '../../helpers/remote-lab.js'

describe.skipIf(!hasNats)('a server without JetStream beside one that has it', () => {
  const open = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-domain-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const port = await freePort()
    await withNats(`leafnodes { listen: "127.0.0.1:${port}" }`, { domain: 'hub' })
    const config = join(folder, 'leaf.conf')
    writeFileSync(config, `host: "127.0.0.1"\nleafnodes { remotes = [{ url: "nats-leaf://127.0.0.1:${port}" }] }\n`)
    const leaf = await startNatsServer(folder, 0, config)
    onTestFinished(() => leaf.stop('SIGKILL'))
    return (context: object) => {
      const file = join(folder, `${Object.keys(context).join()}.json`)
      writeFileSync(file, JSON.stringify(context))
      return { url: leaf.url, tenant: 'far', env: { NATS_CONTEXT: file } }
    }
  }

  it('runs sweeps on the JetStream that a context names, by its domain or its prefix', async () => {
    const place = await open()
    await withLabWorker(place({ jetstream_api_prefix: '$JS.hub.API' }))
    const { backend, listener } = await withLabOrchestrator(place({ jetstream_domain: 'hub' }))
    const saver = toyAssignment({ behaviour: 'save' })
    // More than a message holds: the result goes by the object store.
    const talker = toyAssignment({ steps: 3_000 })
    const endless = toyAssignment({ behaviour: 'wait' }, { interactive: true })
    for (const assignment of [saver, talker]) await backend.start(assignment)
    await listener.untilEnded([saver.trial.id, talker.trial.id])
    for (const { trial } of [saver, talker])
      expect(listener.of(trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
    await backend.start(endless)
    await listener.until((event) => event.type === 'report' && event.trial === endless.trial.id)
    await backend.stop(endless.trial.id, 'seen enough')
    await listener.untilEnded([endless.trial.id])
    expect(listener.of(endless.trial.id).at(-1)).toMatchObject({ outcome: { state: 'stopped' } })
  })

  it('says that it has none where no context names it', async () => {
    const place = await open()
    await expect(withLabOrchestrator(place({}))).rejects.toThrow('this NATS server has no JetStream')
  })

  it('takes a worker there in the account of its own, from the server that has it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-domain-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const options = { folder, tenant: 'far', host: '127.0.0.1', port: 4222, url: 'nats://lab:4222', domain: 'hub' }
    const { config, contexts } = writeAccess(options)
    const { jetstream_api_prefix } = JSON.parse(readFileSync(contexts.worker, 'utf8')) as {
      jetstream_api_prefix: string
    }
    const [, key] = jetstream_api_prefix.split('.')
    const port = await freePort()
    const user = `{ user: leaf, password: secret, account: MLDS_far_WORKER_${key} }`
    const leafnodes = `leafnodes { listen: "127.0.0.1:${port}", authorization { users: [ ${user} ] } }`
    writeFileSync(config, `${readFileSync(config, 'utf8')}\n${leafnodes}\n`)
    const hub = await startNatsServer(join(folder, 'hub'), 0, config)
    onTestFinished(() => hub.stop('SIGKILL'))
    const remote = `leafnodes { remotes = [{ url: "nats-leaf://leaf:secret@127.0.0.1:${port}" }] }`
    writeFileSync(join(folder, 'leaf.conf'), `host: "127.0.0.1"\n${remote}\n`)
    const leaf = await startNatsServer(join(folder, 'leaf'), 0, join(folder, 'leaf.conf'))
    onTestFinished(() => leaf.stop('SIGKILL'))
    const context = join(folder, 'behind-leaf.json')
    writeFileSync(context, JSON.stringify({ jetstream_api_prefix }))
    const orchestrator = { url: hub.url, tenant: 'far', env: { NATS_CONTEXT: contexts.orchestrator } }
    const { backend, listener } = await withLabOrchestrator(orchestrator, recorded())
    await withLabWorker({ url: leaf.url, tenant: 'far', env: { NATS_CONTEXT: context } })
    const saver = toyAssignment({ behaviour: 'save' })
    const talker = toyAssignment({ steps: 3_000 })
    for (const assignment of [saver, talker]) await backend.start(assignment)
    await listener.untilEnded([saver.trial.id, talker.trial.id])
    for (const { trial } of [saver, talker])
      expect(listener.of(trial.id).at(-1)).toMatchObject({ attempt: 1, outcome: { state: 'finished' } })
  })
})
