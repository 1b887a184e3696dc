import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openData } from '../../src/data/catalog.js'

let cacheFolder: string
beforeAll(() => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'mlds-data-'))
})
afterAll(() => rmSync(cacheFolder, { recursive: true }))

describe('mnist-10k', () => {
  it('is the first 10,000 training images: class counts, levels and values', async () => {
    const digits = await openData({ cacheFolder, dataFolder: cacheFolder }).load('mnist-10k')
    expect(digits).toMatchObject({ rows: 10_000, shape: [28, 28, 1], classes: 10 })
    const counts = Array.from({ length: 10 }, (_, digit) => digits.labels.filter((label) => label === digit).length)
    expect(counts).toEqual([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978])
    expect(new Set(digits.features).size).toBe(256)
    expect(Math.max(...digits.features.subarray(0, 78_400))).toBe(1)
    // Mean pixel of MNIST's training set is 0.1307 (as torchvision's examples normalise it); the first 10,000 are close.
    expect(digits.features.reduce((sum, v) => sum + v, 0) / digits.features.length).toBeCloseTo(0.1307, 2)
  })

  it('lies in shared memory, so that threads need no copies', async () => {
    const digits = await openData({ cacheFolder, dataFolder: cacheFolder }).load('mnist-10k')
    expect(digits.features.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(digits.labels.buffer).toBeInstanceOf(SharedArrayBuffer)
  })

  it('is decoded anew when its cache was damaged', async () => {
    const file = join(cacheFolder, 'mnist-10k.u8')
    const good = readFileSync(file)
    const bad = Buffer.from(good)
    bad[4_000_000]! ^= 1
    writeFileSync(file, bad)
    const digits = await openData({ cacheFolder, dataFolder: cacheFolder }).load('mnist-10k')
    expect(digits.features[4_000_000]).toBe(Math.fround(good[4_000_000]! / 255))
    expect(readFileSync(file).equals(good)).toBe(true)
  })

  it('works without a cache that can be written', async () => {
    const digits = await openData({ cacheFolder: '/dev/null/nowhere', dataFolder: '' }).load('mnist-10k')
    expect(digits.rows).toBe(10_000)
  })
})

describe('the catalog', () => {
  it('knows fingerprints without reading data, and none are alike', () => {
    const data = openData({ cacheFolder: '/nonexistent', dataFolder: '' })
    const prints = ['mnist-10k', 'glyphs-100', 'glyphs-2000'].map((name) => data.resolve(name).fingerprint)
    expect(new Set(prints).size).toBe(3)
    expect(prints.every((print) => /^[0-9a-f]{64}$/.test(print))).toBe(true)
  })

  it('names what it knows when asked for something else', () => {
    expect(() => openData({ cacheFolder: '', dataFolder: '' }).resolve('mnist-11k')).toThrow(
      /unknown data set: mnist-11k/,
    )
  })
})
