import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { linesOf, mlds, startMlds, until } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'
import { hasNats } from '../helpers/nats.js'
import { unpack } from './fixtures.js'

/** The server's folder as orchestrator and workers of the version before left it, served again. */
async function serve() {
  const fixture = unpack('remote')
  const { folder } = fixture
  const server = await startNatsServer(join(folder, 'nats'), 0)
  onTestFinished(() => server.stop('SIGKILL'))
  const nats = ['--nats', server.url]
  rmSync(join(folder, 'ran.log'))
  const run = (...args: string[]) => mlds([...args, ...nats], { cwd: folder })
  return {
    ...fixture,
    nats,
    /** What programs ran since, in order: learning rate, width and seed. */
    ran: () => linesOf(join(folder, 'ran.log')),
    resume: async (...args: string[]) => {
      const { code, stdout, stderr } = await run('resume', ...args, '--json')
      expect(code, stderr + stdout).toBe(0)
      return JSON.parse(stdout) as Record<string, unknown>
    },
    expectUndisturbed: async (id: string, store: string) => {
      const of = ['--store', store]
      const [csv, jsonl, verify] = await inOneProcess(
        [
          ['export', id, ...of],
          ['export', id, '--format', 'jsonl', ...of],
          ['verify', id, ...of],
        ],
        folder,
      )
      expect({ csv: csv!.stdout, jsonl: jsonl!.stdout }).toEqual(fixture.expected.undisturbed[id])
      expect(verify!.code, verify!.stdout).toBe(0)
    },
  }
}

describe.skipIf(!hasNats)('a NATS server that c44b4e1 used', () => {
  it('knows of each sweep what it knew, and lets finished results be collected where nothing of the sweep is', async () => {
    const { folder, expected, nats, ran, resume, expectUndisturbed } = await serve()
    const ids = Object.keys(expected.standing)
    const told = await inOneProcess(
      ids.map((id) => ['status', id, ...nats, '--store', 'elsewhere', '--json']),
      folder,
    )
    ids.forEach((id, i) =>
      expect(JSON.parse(told[i]!.stdout), id).toMatchObject({ sweep: id, remote: expected.standing[id] }),
    )
    const collected = await resume('waiting', '--store', 'elsewhere', '--experiment', 'hold.yaml')
    expect(collected).toMatchObject({ planned: 8, finished: 8, unique: 8 })
    await expectUndisturbed('waiting', 'elsewhere')
    expect(ran()).toEqual([])
  })

  it('has its half-finished, paused and cancelled sweeps finished by resume and worker of today, and nothing run twice', async () => {
    const { folder, nats, ran, resume, expectUndisturbed } = await serve()
    const worker = startMlds(
      ['worker', 'start', ...nats, '--slots', '3', '--store', 'worker', '--experiment', 'hold.yaml'],
      { cwd: folder },
    )
    await until(() => worker.output().includes('is ready'))
    // Results of 2 were written down and 2 more waited, 3 trials ran when their worker was killed, 9 were queued.
    expect(await resume('half', '--store', 'a')).toMatchObject({ planned: 16, finished: 16, unique: 16 })
    expect(ran()).toHaveLength(12)
    await expectUndisturbed('half', 'a')
    // Another host begins with nothing.
    expect(await resume('half', '--store', 'elsewhere', '--experiment', 'hold.yaml')).toMatchObject({ finished: 16 })
    await expectUndisturbed('half', 'elsewhere')
    expect(ran()).toHaveLength(12)
    expect(await resume('paused', '--store', 'a')).toMatchObject({ planned: 16, finished: 16, unique: 16 })
    await expectUndisturbed('paused', 'a')
    expect(ran()).toHaveLength(12 + 13)
    expect(await resume('cancelled', '--store', 'a')).toMatchObject({ planned: 8, finished: 8, unique: 8 })
    await expectUndisturbed('cancelled', 'a')
    expect(ran()).toHaveLength(12 + 13 + 8)
    expect(new Set(ran()).size).toBe(12 + 13 + 8)
    for (const id of ['done', 'shuffle']) expect(await resume(id, '--store', 'a')).toMatchObject({ missing: 0 })
    expect(ran()).toHaveLength(12 + 13 + 8)
  })
})
