import { TimeoutError, type NatsConnection } from '@nats-io/transport-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectNats } from '../../../../src/worker/remote/wire/connect.js'
import { toyAssignment } from '../../../conformance/backend.js'
import { RemoteLab } from '../../../helpers/remote-lab.js'

const lab = RemoteLab.open()

/** A connection on which the server answers one request, and the answer is lost. */
async function losingAnswer(which: number): Promise<{ connection: NatsConnection; requests: () => number }> {
  const connection = await connectNats(lab.server.url, 'orchestrator')
  let requests = 0
  const request: NatsConnection['request'] = async (...asked) => {
    const isLost = requests++ === which
    const answer = await connection.request(...asked)
    if (isLost) throw new TimeoutError()
    return answer
  }
  const losing = new Proxy(connection, {
    get(target, key) {
      if (key === 'request') return request
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { connection: losing, requests: () => requests }
}

describe('an orchestrator whose server answers late', () => {
  it('opens and runs a trial, whichever answer is lost', async () => {
    await lab.worker('late')
    for (let which = 0; ; which++) {
      const { connection, requests } = await losingAnswer(which)
      const backend = await lab.openBackend('late', { connection, sweep: `late-${which}` })
      onTestFinished(() => backend.close())
      const opened = requests()
      const assignment = toyAssignment({})
      await backend.start(assignment)
      for await (const event of backend.events())
        if (event.type === 'ended') {
          expect(event).toMatchObject({ trial: assignment.trial.id, outcome: { state: 'finished' } })
          break
        }
      await backend.close()
      if (opened <= which) return expect(which).toBeGreaterThan(15)
    }
  })
})
