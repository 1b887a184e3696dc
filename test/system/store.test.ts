import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore, readStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

const bytes = Buffer.from('weights')

describe('a store', () => {
  it('keeps bytes under their hash, once, and gives them back', async () => {
    const store = openStore(join(temporaryFolder(), 'store'))
    const ref = await store.putObject(bytes)
    expect(await store.putObject(Buffer.from('weights'))).toEqual(ref)
    expect(ref.sizeBytes).toBe(7)
    expect(readFileSync(join(store.folder, 'objects', ref.sha256.slice(0, 2), ref.sha256))).toEqual(bytes)
    expect(await store.hasObject(ref)).toBe(true)
    expect(Buffer.from(await store.readObject(ref))).toEqual(bytes)
  })

  it('gives out no bytes that are not those of the hash', async () => {
    const store = openStore(join(temporaryFolder(), 'store'))
    const ref = await store.putObject(bytes)
    writeFileSync(join(store.folder, 'objects', ref.sha256.slice(0, 2), ref.sha256), 'altered')
    await expect(store.readObject(ref)).rejects.toThrow('an artifact was altered')
    const absent = { sha256: '0'.repeat(64) }
    expect(await store.hasObject(absent)).toBe(false)
    await expect(store.readObject(absent)).rejects.toThrow('an artifact is missing')
  })

  it.each(['../above', '/etc', 'a/b', '.hidden', '', 'x'.repeat(101), 'two words'])(
    'takes %j for no name of a sweep, so that no text from outside becomes a path',
    (id) => {
      expect(() => readStore(temporaryFolder()).sweepFolder(id)).toThrow("not a sweep's name")
    },
  )

  it.each(['../../../etc/passwd', 'ABC', 'f'.repeat(63)])('takes %j for no hash', async (sha256) => {
    await expect(readStore(temporaryFolder()).readObject({ sha256 })).rejects.toThrow('not a SHA-256')
  })

  it('lists the folders that may be sweeps, sorted, and nothing else', async () => {
    const store = openStore(join(temporaryFolder(), 'store'))
    for (const name of ['b', 'a', '.trash', 'no sweep']) mkdirSync(join(store.folder, 'sweeps', name))
    writeFileSync(join(store.folder, 'sweeps', 'file'), '')
    expect(await store.sweepIds()).toEqual(['a', 'b'])
  })

  it('that is not there holds nothing, and is not made by reading it', async () => {
    const folder = join(temporaryFolder(), 'absent')
    expect(await readStore(folder).sweepIds()).toEqual([])
    expect(() => readFileSync(folder)).toThrow('ENOENT')
  })

  it('of a newer layout is refused, to be read or written', () => {
    const folder = join(temporaryFolder(), 'store')
    openStore(folder)
    writeFileSync(join(folder, 'format'), '2')
    expect(() => readStore(folder)).toThrow('store format 2')
    expect(() => openStore(folder)).toThrow('store format 2')
  })
})
