import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AcceptedCode, type KeptCodeBounds } from '../../../../src/worker/remote/host/accepted-code.js'
import { sha256Of } from '../../../../src/worker/remote/wire/code-pack.js'
import type { TrialMessage } from '../../../../src/worker/remote/wire/protocol.js'
import { bytesInFolder } from '../../../../src/system/read-folder.js'
import { temporaryFolder } from '../../../helpers/cli.js'
import { modulePack, newSigner, programPack, shippedAssignment } from '../../../helpers/shipped.js'

const { written: key } = newSigner()

/** A worker's kept code, of versions that are numbers. */
function withCode(bounds?: KeptCodeBounds, user?: { name: string; uid: number; gid: number; home: string }) {
  const [parent, packs] = [temporaryFolder(), new Map<string, Uint8Array>()]
  const read = async ({ sha256 }: { sha256: string }) => packs.get(sha256)
  const choice = { keys: [key], ...(user === undefined ? {} : { user }) }
  const code = new AcceptedCode(parent, read, choice, () => {}, bounds)
  const takePack = (pack: Uint8Array) => {
    const sha256 = sha256Of(pack)
    packs.set(sha256, pack)
    const message = { assignment: shippedAssignment(1), code: { object: { sha256, sizeBytes: pack.length }, key } }
    return code.take(message as unknown as TrialMessage)
  }
  const take = async (version: number) => {
    const used = await takePack(programPack({ 'run.sh': 'true', version: `${version}` }))
    const { copy } = (used.custom.source as { command: { copy: { folder: string } } }).command
    return { folder: copy.folder, release: () => used.release() }
  }
  /** A trial of that version, from its beginning to its end. */
  const run = async (version: number, leaves = '') => {
    const { folder, release } = await take(version)
    writeFileSync(join(folder, 'left-by-a-trial'), leaves)
    release()
    return folder
  }
  return { parent, take, takePack, run, count: () => readdirSync(parent).length }
}

describe('the code that a worker keeps', () => {
  it('is what was used last: the seventeenth version drives the first one out, and none that a trial uses', async () => {
    const { take, run, count } = withCode()
    const held = await take(0)
    const first = await run(1)
    const second = await run(2)
    for (let version = 3; version <= 16; version++) await run(version)
    // What was used again is not the oldest.
    expect(await run(1)).toBe(first)
    expect(count()).toBe(17)
    await run(17)
    await expect.poll(count).toBe(17)
    expect([first, second, held.folder].map((folder) => existsSync(folder))).toEqual([true, false, true])
    expect(await run(2)).not.toBe(second)
    await expect.poll(count).toBe(17)
    held.release()
    await expect.poll(count).toBe(16)
    expect(existsSync(held.folder)).toBe(false)
  })

  it('is bounded by its bytes too, with what trials have left beside it', async () => {
    const bounds = { bytes: 100_000, copies: 16 }
    const { parent, take, run, count } = withCode(bounds)
    const big = await take(0)
    writeFileSync(join(big.folder, 'checkpoint'), Buffer.alloc(200_000))
    const old = await run(1, 'x'.repeat(60_000))
    const young = await run(2, 'x'.repeat(60_000))
    await expect.poll(() => existsSync(old)).toBe(false)
    expect([existsSync(young), existsSync(big.folder)]).toEqual([true, true])
    big.release()
    // A folder's files go before it does.
    await expect.poll(count).toBe(1)
    expect(existsSync(young)).toBe(true)
    expect(bytesInFolder(parent)).toBeLessThan(bounds.bytes)
  })

  it('does not grow by what this worker can’t run', async () => {
    const user = { name: 'nobody', uid: 65_534, gid: 65_534, home: '/' }
    const { takePack, count } = withCode({ bytes: 0, copies: 0 }, user)
    for (const version of [1, 2, 3])
      await expect(takePack(modulePack('mine.ts', { 'mine.ts': `export default ${version}` }))).rejects.toThrow(
        'takes no modules',
      )
    await expect.poll(count).toBe(0)
  })
})
