import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstreamManager } from '@nats-io/jetstream'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Assignment } from '../../../src/core/trial.js'
import { connectNats } from '../../../src/worker/remote/wire/connect.js'
import { namesOf } from '../../../src/worker/remote/wire/names.js'
import { toyAssignment } from '../../conformance/backend.js'
import { chaosCustom } from '../../helpers/custom-modules.js'
import { tenant } from '../../chaos/lab.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasNamespaces, withNetwork, type Cut, type Network } from '../../helpers/network.js'
import { withLabOrchestrator, withLabWorker, type LabPlace } from '../../helpers/remote-lab.js'

/** A trial that takes this long, wherever it runs. */
function slowAssignment(ms: number): Assignment {
  const { trial, ...rest } = toyAssignment({})
  return { ...rest, trial: { ...trial, experiment: chaosCustom.name, params: { n: 0, ms, poison: -1 } } }
}

interface FarProcess {
  readonly child: ChildProcess
  readonly output: () => string
}

describe.skipIf(!hasNats || !hasNamespaces)('when the network is cut', () => {
  let networks = 0
  /** A server that both this side and the far side reach, and that gives up dead connections within seconds. */
  const withCable = async (): Promise<{ network: Network; place: LabPlace; farUrl: string }> => {
    const network = withNetwork(++networks)
    const { url } = await withNats('ping_interval: "1s"\nping_max: 2', { host: '0.0.0.0' })
    const { port } = new URL(url)
    return { network, place: { url: `nats://127.0.0.1:${port}`, tenant }, farUrl: `nats://${network.here}:${port}` }
  }
  const startFar = (network: Network, script: string, ...args: string[]): FarProcess => {
    const entry = join(import.meta.dirname, '..', '..', 'chaos', script)
    const [command, rest] = network.inside(process.execPath, '--import', 'tsx', entry, ...args)
    const child = spawn(command, rest, {
      env: { ...process.env, MLDS_CHAOS_PING_MS: '500' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    return { child, output: () => text }
  }
  const withFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'mlds-far-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }
  const untilSaid = (far: FarProcess, words: string): Promise<void> => expect.poll(far.output).toContain(words)
  const cuts: Cut[] = ['silently', 'with a reset']

  it.each(cuts)('%s from a worker that trains, another takes over, and the late result is dropped', async (how) => {
    const { network, place, farUrl } = await withCable()
    const { backend, listener } = await withLabOrchestrator(place)
    const far = startFar(network, 'worker.ts', farUrl, 'far', withFolder(), '2')
    await untilSaid(far, 'is ready')
    const assignment = slowAssignment(3_000)
    await backend.start(assignment)
    await listener.until((event) => event.type === 'started' && event.worker === 'far')
    network.cut(how)
    const near = await withLabWorker(place)
    await listener.until((event) => event.type === 'ended')
    const events = listener.of(assignment.trial.id)
    expect(events.filter((event) => event.type === 'ended')).toMatchObject([{ outcome: { state: 'finished' } }])
    expect(events.flatMap((event) => (event.type === 'started' ? event.worker : []))).toEqual(['far', near.name])
    await near.drain()
    await network.heal()
    await untilSaid(far, 'came first; this one is dropped')
    // It is of use again, without anyone's help.
    const next = slowAssignment(10)
    await backend.start(next)
    await listener.until((event) => event.type === 'ended' && event.trial === next.trial.id)
    expect(listener.of(next.trial.id)[0]).toMatchObject({ type: 'started', worker: 'far' })
  })

  it.each(cuts)('%s from a worker that waits for work, no trial is lost with it', async (how) => {
    const { network, place, farUrl } = await withCable()
    const { backend, listener } = await withLabOrchestrator(place)
    const far = startFar(network, 'worker.ts', farUrl, 'far', withFolder(), '2')
    await untilSaid(far, 'is ready')
    // The server goes on believing in its open requests for trials.
    network.cut(how)
    const near = await withLabWorker(place)
    const assignments = Array.from({ length: 6 }, () => slowAssignment(10))
    for (const assignment of assignments) await backend.start(assignment)
    await listener.untilEnded(assignments.map(({ trial }) => trial.id))
    for (const { trial } of assignments)
      expect(listener.of(trial.id).filter((event) => event.type === 'ended')).toMatchObject([
        { outcome: { state: 'finished' }, attempt: 1 },
      ])
    await near.drain()
    await network.heal()
    const next = slowAssignment(10)
    await backend.start(next)
    await listener.until((event) => event.type === 'ended' && event.trial === next.trial.id)
    expect(listener.of(next.trial.id)[0]).toMatchObject({ type: 'started', worker: 'far' })
  })

  it.each(cuts)('%s from the orchestrator, the workers go on and it learns of everything', async (how) => {
    const { network, place, farUrl } = await withCable()
    const trials = 12
    const far = startFar(network, 'orchestrator.ts', farUrl, withFolder(), String(trials), '50')
    const onlooker = await connectNats(place.url, 'onlooker', { env: {} })
    onTestFinished(() => onlooker.close())
    const jsm = await jetstreamManager(onlooker)
    const held = async (stream: string): Promise<number> =>
      (await jsm.streams.info(stream).catch(() => undefined))?.state.messages ?? 0
    const names = namesOf(tenant)
    // All is queued, the poison too, before anyone takes it.
    await expect.poll(() => held(names.trials)).toBe(trials + 1)
    const near = await withLabWorker(place)
    await expect.poll(() => held(names.results)).toBeGreaterThan(2)
    network.cut(how)
    await expect.poll(() => held(names.results)).toBe(trials + 1)
    await network.heal()
    await untilSaid(far, '"finished"')
    expect(JSON.parse(far.output().trim().split('\n').at(-1)!)).toMatchObject({
      planned: trials + 1,
      finished: trials,
      unique: trials,
      // Here, where no process may end, the poison fails.
      failed: 1,
      missing: 0,
    })
    expect(near.said.filter((line) => line.includes('came first'))).toEqual([])
  })
})
