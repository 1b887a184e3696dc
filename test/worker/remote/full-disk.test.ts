import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../../src/worker/remote/admin/nats-server.js'
import { toyAssignment } from '../../conformance/backend.js'
import { hasNats } from '../../helpers/nats.js'
import { requireService } from '../../helpers/services.js'
import { withLabOrchestrator, withLabWorker } from '../../helpers/remote-lab.js'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('Tests of a full disk are skipped: mounting a small one needs root.')
const canMount = isRoot && requireService('tmpfs', spawnSync('mount', ['--version']).status === 0, 'it needs mount')

/** A disk of this size that goes with the test. */
function withDisk(sizeMb: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-disk-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', folder], { encoding: 'utf8' })
  if (mounted.status !== 0) throw new Error(mounted.stderr)
  onTestFinished(() => {
    spawnSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

describe.skipIf(!hasNats || !canMount)('when the disk of the server is full', () => {
  it('nothing is lost: workers keep their results until there is room again', async () => {
    const disk = withDisk(24)
    const server = await startNatsServer(disk, 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const place = { url: server.url, tenant: 'full' }
    const { backend, listener } = await withLabOrchestrator(place)
    const worker = await withLabWorker(place)
    const first = toyAssignment({})
    await backend.start(first)
    await listener.untilEnded([first.trial.id])
    // Each of these leaves some 400 kB of reports; the trials are queued while there is still room.
    const others = Array.from({ length: 6 }, () => toyAssignment({ steps: 6_000 }))
    for (const assignment of others) await backend.start(assignment)
    const filler = join(disk, 'filler')
    fill(filler)
    await expect.poll(() => worker.said.join('\n')).toMatch(/could not be stored yet/)
    rmSync(filler)
    const open = new Set(others.map(({ trial }) => trial.id))
    for (const { type, trial } of listener.seen) if (type === 'ended') open.delete(trial)
    while (open.size > 0) open.delete((await listener.until((event) => event.type === 'ended')).trial)
    for (const { trial } of [first, ...others])
      expect(listener.of(trial.id).filter((event) => event.type === 'ended')).toMatchObject([
        { outcome: { state: 'finished' } },
      ])
  })
})

function fill(file: string): void {
  const block = Buffer.alloc(1 << 20)
  try {
    for (;;) writeFileSync(file, block, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
