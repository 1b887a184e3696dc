import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Assignment } from '../../../src/core/trial.js'
import { codeVersion } from '../../../src/core/version.js'
import type { WorkerOptions } from '../../../src/worker/remote/host/worker-process.js'
import type { ShippedCode } from '../../../src/worker/remote/orchestrator/remote-backend.js'
import { sha256Of } from '../../../src/worker/remote/wire/code-pack.js'
import { signed } from '../../../src/worker/remote/wire/code-signature.js'
import { sweepToken, type RunKey } from '../../../src/worker/remote/wire/names.js'
import { defaultLane } from '../../../src/worker/remote/wire/needs.js'
import { codeSince, encode } from '../../../src/worker/remote/wire/protocol.js'
import type { OrchestratorBroker } from '../../../src/worker/remote/wire/streams.js'
import { temporaryFolder, until } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { recorded, RemoteLab, runKey, type LabOrchestrator } from '../../helpers/remote-lab.js'
import { modulePack, newSigner, programPack, shipped, shippedAssignment } from '../../helpers/shipped.js'

const me = newSigner()
const mallory = newSigner()
/** Says where it runs, and what a file beside it says. */
const runSh = `echo "{\\"loss\\": $1, \\"word\\": $(cat word)}"\npwd\n`
const metricsOf = async ({ listener }: LabOrchestrator, { trial }: Assignment) => {
  await listener.untilEnded([trial.id])
  return listener.of(trial.id).at(-1)
}
const finished = (metrics: object) => ({ type: 'ended', outcome: { state: 'finished', metrics } })

describe.skipIf(!hasNats)('code that comes with trials', () => {
  const lab = RemoteLab.open()
  const accepting = (tenant: string, options: Partial<WorkerOptions> = {}) =>
    lab.worker(tenant, { custom: [], acceptCode: { keys: [me.written] }, ...options })
  const ship = (tenant: string, pack: Uint8Array, kind: ShippedCode['kind'] = 'program', sweep?: string) =>
    lab.backend(tenant, { ...recorded(sweep), code: shipped(pack, kind, me, tenant) })

  it('runs on a worker that never had it, and the next version needs no restart there', async () => {
    await accepting('edited')
    for (const word of [1, 2]) {
      const there = await ship('edited', programPack({ 'run.sh': runSh, word: `${word}` }), 'program', `sweep-${word}`)
      const assignment = shippedAssignment(word, { sweep: `sweep-${word}` })
      await there.backend.start(assignment)
      expect(await metricsOf(there, assignment)).toMatchObject(finished({ loss: word, word }))
      await there.backend.close()
    }
  })

  it('runs side by side with another version of itself', async () => {
    await accepting('beside', { slots: 2 })
    const folder = temporaryFolder()
    const versions = ['a', 'b'].map((name, i) => {
      const [mine, other] = [join(folder, name), join(folder, name === 'a' ? 'b' : 'a')]
      // Neither ends before the other runs.
      const meet = `touch ${mine}; while [ ! -e ${other} ]; do sleep 0.05; done\n`
      return programPack({ 'run.sh': `${meet}${runSh}`, word: `${i}` })
    })
    const sweeps = await Promise.all(versions.map((pack, i) => ship('beside', pack, 'program', `beside-${i}`)))
    const assignments = sweeps.map((_, i) => shippedAssignment(i, { sweep: `beside-${i}` }))
    for (const [i, { backend }] of sweeps.entries()) await backend.start(assignments[i]!)
    for (const [i, there] of sweeps.entries())
      expect(await metricsOf(there, assignments[i]!)).toMatchObject(finished({ word: i }))
  })

  it.each([false, true])('may be a module with what it imports, isolated: %s', async (isolate) => {
    const tenant = isolate ? 'isolated' : 'module'
    await accepting(tenant)
    const there = await ship(
      tenant,
      modulePack('study/mine.ts', {
        'study/mine.ts': `import { defineExperiment, number } from 'mlds'
import { factor } from '../shared/factor.js'
export default defineExperiment({ space: { x: number({ default: 0 }) }, run: async ({ x }) => ({ loss: factor * x }) })
`,
        'shared/factor.ts': 'export const factor: number = 3\n',
      }),
      'module',
    )
    const assignment = shippedAssignment(2, isolate ? { isolate } : {})
    await there.backend.start(assignment)
    expect(await metricsOf(there, assignment)).toMatchObject(finished({ loss: 6 }))
  })

  it('is in a folder of its own that goes with the worker; what was changed there is put back before the next trial', async () => {
    const store = lab.store('of-the-worker')
    const worker = await accepting('kept', { store, slots: 1 })
    const there = await ship('kept', programPack({ 'run.sh': runSh, word: '1', 'sub/other': 'x' }))
    const run = async (x: number) => {
      const assignment = shippedAssignment(x)
      await there.backend.start(assignment)
      return metricsOf(there, assignment)
    }
    await run(1)
    const [own] = readdirSync(join(store.folder, 'worker-code'))
    const inOwn = readdirSync(join(store.folder, 'worker-code', own!)).filter((name) => name !== 'owner.json')
    expect(inOwn).toHaveLength(1)
    const folder = join(store.folder, 'worker-code', own!, inOwn[0]!)
    writeFileSync(join(folder, 'word'), '9')
    rmSync(join(folder, 'sub'), { recursive: true })
    chmodSync(join(folder, 'run.sh'), 0o600)
    expect(await run(2)).toMatchObject(finished({ word: 1 }))
    expect(readFileSync(join(folder, 'sub/other'), 'utf8')).toBe('x')
    expect(worker.said.join('\n')).toContain("files of a trial's code had been changed on this host")

    const victim = join(temporaryFolder(), 'victim')
    writeFileSync(victim, 'mine')
    rmSync(join(folder, 'word'))
    symlinkSync(victim, join(folder, 'word'))
    expect(await run(3)).toMatchObject(finished({ word: 1 }))
    expect(readFileSync(victim, 'utf8')).toBe('mine')
    await worker.end()
    expect(existsSync(join(store.folder, 'worker-code', own!))).toBe(false)
  })

  it.skipIf(process.getuid?.() !== 0)('runs as another user, who can read it and change nothing of it', async () => {
    const before = process.umask(0o077)
    onTestFinished(() => void process.umask(before))
    const user = { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' }
    await accepting('as-another', { acceptCode: { keys: [me.written], user } })
    const writable = '$(if [ -w run.sh -o -w . ]; then echo 1; else echo 0; fi)'
    const text = `echo "{\\"loss\\": $(cat deep/er/word), \\"uid\\": $(id -u), \\"writable\\": ${writable}}"\n./deep/own.sh\n`
    const own = `#!/bin/sh\necho '{"ran": 1}'\n`
    const there = await ship('as-another', programPack({ 'run.sh': text, 'deep/er/word': '5', 'deep/own.sh': own }))
    const assignment = shippedAssignment(1)
    await there.backend.start(assignment)
    expect(await metricsOf(there, assignment)).toMatchObject(finished({ loss: 5, uid: user.uid, ran: 1, writable: 0 }))
  })

  it.each([
    ['takes no code', {}, 'program'],
    ['takes no code of ed25519:', { acceptCode: { keys: [mallory.written] } }, 'program'],
    [
      'takes no modules',
      { acceptCode: { keys: [me.written], user: { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' } } },
      'module',
    ],
  ] as const)('is not given to a worker that %s: the sweep says so, and what to type', async (why, options, kind) => {
    const tenant = why
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .slice(0, 40)
    const worker = await lab.worker(tenant, { custom: [], ...options })
    const { backend, said } = await ship(tenant, programPack({ 'run.sh': runSh, word: '1' }), kind)
    await backend.start(shippedAssignment(1))
    await until(() => said.some((line) => line.includes(why)))
    expect(said.join('\n')).toContain(`mlds worker start --accept-code ${me.written}`)
    expect(worker.said.filter((line) => line.includes('left to other workers'))).toEqual([])
  })

  /** A trial as somebody queues it who may write to the queue, and what it would leave where it ran. */
  const queueing = async (tenant: string) => {
    const broker = await lab.broker(tenant)
    // Whoever is first makes the lanes, without which a worker that looks for them waits.
    await lab.backend(tenant)
    const worker = await accepting(tenant)
    const trace = join(temporaryFolder(), 'trace')
    const pack = Buffer.from(programPack({ 'run.sh': `touch ${trace}\necho '{"loss": 1}'\n` }))
    const put = async (bytes: Uint8Array, name = sha256Of(bytes)) => {
      await broker.objects.putBlob({ name }, bytes)
      return { sha256: name, sizeBytes: bytes.length }
    }
    const assignment = shippedAssignment(1)
    const run = { ...runKey(assignment.trial.id), sweep: sweepToken(assignment.sweep) }
    const message = (object: object, change: object = {}): string =>
      encode({
        ...{ v: codeSince, token: 'a'.repeat(32), codeVersion, maxAttempts: 3, datasets: [] },
        ...{ code: { object, key: me.written }, assignment, ...change },
      })
    const queue = (text: string, at: RunKey = run) => publish(broker, at, text)
    /** The worker has said what it makes of the trial, and nothing of it has run. */
    const expectNothing = async (said: string) => {
      await until(() => worker.said.some((line) => line.includes(said)))
      expect(existsSync(trace)).toBe(false)
    }
    return { broker, trace, pack, put, assignment, run, message, queue, expectNothing }
  }
  const publish = (broker: OrchestratorBroker, run: RunKey, text: string) =>
    broker.publisher.publish(broker.names.trial(run, defaultLane), text)
  const sign = (text: string, tenant: string, run: RunKey, by = me): string =>
    signed(text, by.privateKey, { tenant, run })

  it('runs when it is signed for just this run, whoever queued it', async () => {
    const { trace, pack, put, run, message, queue } = await queueing('honest')
    await queue(sign(message(await put(pack)), 'honest', run))
    await until(() => existsSync(trace))
  })

  const notSigned = `not signed by ${me.written} was thrown away`
  it.each<[string, string, (text: string, tenant: string, run: RunKey) => string]>([
    ['not signed at all', notSigned, (text) => text],
    ['signed by somebody else', notSigned, (text, tenant, run) => sign(text, tenant, run, mallory)],
    ['signed for the queue of others', notSigned, (text, _, run) => sign(text, 'others', run)],
    [
      'signed for another sweep',
      notSigned,
      (text, tenant, run) => sign(text, tenant, { ...run, sweep: 'e'.repeat(16) }),
    ],
    ['signed for another run of it', notSigned, (text, tenant, run) => sign(text, tenant, { ...run, generation: 1 })],
    [
      'altered after it was signed',
      notSigned,
      (text, tenant, run) => sign(text, tenant, run).replace('"x":1', '"x":2'),
    ],
    [
      'given another signature with it',
      notSigned,
      (text, tenant, run) => sign(sign(text, tenant, run), tenant, run, mallory),
    ],
    [
      'signed with half a signature',
      notSigned,
      (text, tenant, run) => sign(text, tenant, run).replace(/.{4}"\}$/, '"}'),
    ],
  ])('never runs where it is %s', async (how, said, forge) => {
    const tenant = how.replaceAll(/[^a-z]+/g, '-')
    const { pack, put, run, message, queue, expectNothing } = await queueing(tenant)
    await queue(forge(message(await put(pack)), tenant, run))
    await expectNothing(said)
  })

  it('never runs as what was signed once for another sweep, or with other code under its hash', async () => {
    const { broker, pack, put, run, message, queue, expectNothing } = await queueing('replayed')
    const text = sign(message(await put(pack)), 'replayed', run)
    await publish(broker, { ...run, sweep: sweepToken('another') }, text)
    await expectNothing(notSigned)
    const evil = Buffer.from(Buffer.from(pack).toString().replace('loss', 'evil'))
    await put(evil, sha256Of(pack))
    await queue(text)
    await expectNothing("the trial's code was altered on its way")
  })

  it.each([
    ['a way out', (path: string) => ({ path: `../../../${path}` }), 'can’t be read'],
    ['an absolute path', (path: string) => ({ path: `/tmp/${path}` }), 'can’t be read'],
    ['a link', (path: string) => ({ path, link: '/etc/passwd' }), 'can’t be read'],
    ['more bytes than it has', (path: string) => ({ path, sizeBytes: 2 ** 27 }), 'fewer bytes than its list says'],
    ['fewer bytes than it has', (path: string) => ({ path, sizeBytes: 1 }), 'was altered'],
  ])('is refused with %s, even where it is signed', async (what, change, why) => {
    const tenant = what.replaceAll(' ', '-')
    const { put, pack, run, message, queue, expectNothing } = await queueing(tenant)
    const end = pack.indexOf(10)
    const list = JSON.parse(pack.subarray(0, end).toString()) as { files: object[] }
    const altered = { ...list, files: list.files.map((file) => ({ ...file, ...change('run.sh') })) }
    const bytes = Buffer.concat([Buffer.from(JSON.stringify(altered)), pack.subarray(end)])
    await queue(sign(message(await put(bytes)), tenant, run))
    await expectNothing(why)
    expect(existsSync(join(dirname(lab.folder), 'run.sh'))).toBe(false)
  })

  it('is refused where it has more bytes than its message says, or says more than any may have', async () => {
    const { put, pack, run, message, queue, expectNothing } = await queueing('bombs')
    const object = await put(Buffer.concat([pack, Buffer.alloc(1 << 20)]))
    await queue(sign(message({ ...object, sizeBytes: pack.length }), 'bombs', run))
    await expectNothing("the trial's code was altered on its way")
    const next = { ...run, generation: 1 }
    await queue(sign(message({ ...object, sizeBytes: 2 ** 29 }), 'bombs', next), next)
    await expectNothing('a malformed message was thrown away')
  })
})
