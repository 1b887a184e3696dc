import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { addPieces, addedFacts, loadAdded } from '../../src/data/added.js'
import { openData } from '../../src/data/catalog.js'
import { download } from '../../src/data/download.js'
import { readPieces } from '../../src/data/formats.js'
import { stratifiedSplit } from '../../src/data/split.js'
import { mlds } from '../helpers/cli.js'
import { cifarBatch, idxImages, idxLabels, mnistFiles, tar } from '../helpers/image-files.js'

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-added-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
const piecesOf = (files: Readonly<Record<string, Buffer>>) =>
  Object.entries(files).flatMap(([name, bytes]) => readPieces(name, bytes))

describe('added data sets', () => {
  it('are MNIST from IDX files, gzipped or not, in shared memory with their own test part', async () => {
    const folder = temporary()
    const facts = await addPieces(folder, piecesOf(mnistFiles(60, 20)))
    expect(facts).toMatchObject({ name: 'mnist', rows: 80, trainRows: 60 })
    const set = await loadAdded(folder, addedFacts(folder, 'mnist')!)
    expect(set).toMatchObject({ rows: 80, testFrom: 60, shape: [28, 28, 1], fingerprint: facts.sha256 })
    expect(set.features.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(set.features[250]).toBe(Math.fround(250 / 255))
    expect([...set.labels.subarray(58, 62)]).toEqual([8, 9, 0, 1])
    const { train, test } = stratifiedSplit(set, { train: 50, test: 10, seed: 1 })
    expect(Math.max(...train)).toBeLessThan(60)
    expect(Math.min(...test)).toBeGreaterThanOrEqual(60)
    expect([train.length, test.length]).toEqual([50, 10])
  })

  it('are CIFAR-10 from its archive, planes turned into channels', async () => {
    const folder = temporary()
    const archive = gzipSync(
      tar({
        'batches.meta.txt': Buffer.from('x'),
        'data_batch_2.bin': cifarBatch(3),
        'data_batch_1.bin': cifarBatch(10),
        'test_batch.bin': cifarBatch(4),
      }),
    )
    const facts = await addPieces(folder, readPieces('cifar-10-binary.tar.gz', archive))
    const set = await loadAdded(folder, facts)
    expect(set).toMatchObject({ name: 'cifar10', rows: 17, testFrom: 13, shape: [32, 32, 3] })
    expect(Array.from(set.features.subarray(0, 6), (v) => Math.round(v * 255))).toEqual([10, 20, 30, 10, 20, 30])
    // Batches in the order of their names: the eleventh row is the second batch's first.
    expect([...set.labels.subarray(9, 12)]).toEqual([9, 0, 1])
  })

  it.each<[string, Record<string, Buffer>, RegExp]>([
    [
      'a file cut short',
      { 'train-images-idx3-ubyte': idxImages(9).subarray(0, 900) },
      /train-images-idx3-ubyte: 900 bytes, where its header promises 7072/,
    ],
    [
      'gzip cut short',
      { 'train-labels-idx1-ubyte.gz': gzipSync(idxLabels(90)).subarray(0, 20) },
      /compressed file is cut short or damaged/,
    ],
    [
      'another kind of file',
      { 'train.png': Buffer.from('\x89PNG') },
      /train\.png: neither an IDX file.*begins with 89504e47|c2895/,
    ],
    ['a name that tells no part', { 'images.idx': idxImages(1) }, /images\.idx: its name does not tell training rows/],
    ['a label of 11', { 'train-labels': idxLabels(3, () => 11) }, /train-labels: row 0 has the label 11/],
    [
      'half a CIFAR row',
      { 'data_batch_1.bin': cifarBatch(2).subarray(0, 4000) },
      /not a whole number of CIFAR-10 rows/,
    ],
    [
      'an archive cut short',
      { 'c.tar': tar({ 'data_batch_1.bin': cifarBatch(5) }).subarray(0, 4000) },
      /the archive is cut short at/,
    ],
    ['a missing part', { 'train-images': idxImages(2), 'train-labels': idxLabels(2) }, /no images of the test part/],
    [
      'unequal counts',
      { ...mnistFiles(5, 5), 'train-labels-idx1-ubyte.gz': idxLabels(4) },
      /the train part has 5 images and 4 labels/,
    ],
    [
      'images of another size',
      { 'train-i': idxImages(2, 20), 'train-l': idxLabels(2), 'test-i': idxImages(2, 20), 'test-l': idxLabels(2) },
      /20,20,1 pixels|20×20×1 pixels are of no known set/,
    ],
  ])('refuse %s by name and change nothing', async (_, files, message) => {
    const folder = temporary()
    await expect((async () => addPieces(folder, piecesOf(files)))()).rejects.toThrow(message)
    expect(existsSync(join(folder, 'mnist.json'))).toBe(false)
  })

  it('are refused when their bytes were altered, and asked for when they are not here', async () => {
    const folder = temporary()
    const facts = await addPieces(folder, piecesOf(mnistFiles(20, 10)))
    const file = join(folder, 'mnist.u8')
    const bytes = readFileSync(file)
    bytes[5000]! ^= 1
    writeFileSync(file, bytes)
    await expect(loadAdded(folder, facts)).rejects.toThrow(/mnist\.u8 was altered: SHA-256/)
    expect(() => openData({ cacheFolder: folder, dataFolder: folder }).resolve('cifar10')).toThrow(
      'the data set cifar10 is not here',
    )
  })

  it('are trained on by the experiments that name them', async () => {
    const cwd = temporary()
    const names = Object.entries(mnistFiles(300, 100)).map(
      ([name, bytes]) => (writeFileSync(join(cwd, name), bytes), name),
    )
    const refused = await mlds(['sweep', 'shuffle', '--set', 'dataset=mnist'], { cwd })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/the data set mnist is not here\n.*mlds data fetch mnist/)
    expect((await mlds(['data', 'add', ...names], { cwd })).stdout).toMatch(/mnist: 300 rows to train on, 100 to test/)
    writeFileSync(
      join(cwd, 'cifar.tar'),
      tar({ 'data_batch_1.bin': cifarBatch(200), 'test_batch.bin': cifarBatch(50) }),
    )
    expect((await mlds(['data', 'add', 'cifar.tar'], { cwd })).code).toBe(0)
    const listed = JSON.parse((await mlds(['data', 'list', '--json'], { cwd })).stdout) as {
      name: string
      here: boolean
      rows?: number
    }[]
    expect(listed.filter(({ here }) => here).map(({ name, rows }) => [name, rows])).toEqual(
      expect.arrayContaining([
        ['mnist', 400],
        ['cifar10', 250],
      ]),
    )
    const small = [
      '--set',
      'trainRows=200',
      '--set',
      'testRows=50',
      '--set',
      'epochs=1',
      '--set',
      'seed=0',
      '--profile',
      'smoke',
      '--json',
    ]
    for (const [experiment, dataset] of [
      ['sensitivity', 'mnist'],
      ['cnn', 'cifar10'],
    ] as const) {
      const { stdout, code } = await mlds(['sweep', experiment, '--set', `dataset=${dataset}`, ...small], { cwd })
      expect({ experiment, code, failed: (JSON.parse(stdout) as { failed: number }).failed }).toEqual({
        experiment,
        code: 0,
        failed: 0,
      })
    }
  })
})

describe('a download', () => {
  const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256))
  const file = { name: 'rows.bin', md5: createHash('md5').update(content).digest('hex') }

  /** `arrived` resolves when the client has got some of what it is sent. */
  type Answer = (request: IncomingMessage, response: ServerResponse, arrived: Promise<void>) => void

  /** A server that does with each request what the list says, the last for all further ones. */
  async function serve(...answers: Answer[]) {
    const ranges: (string | undefined)[] = []
    let arrive = (): void => {}
    const server = createServer((request, response) => {
      ranges.push(request.headers.range)
      const arrived = new Promise<void>((resolve) => (arrive = resolve))
      answers[Math.min(ranges.length, answers.length) - 1]!(request, response, arrived)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const folder = temporary()
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const progress: number[] = []
    const get = () =>
      download(file, {
        base,
        folder,
        signal: new AbortController().signal,
        onProgress: (_, bytes) => {
          progress.push(bytes)
          arrive()
        },
      })
    return { get, folder, ranges, progress }
  }
  const whole = (_: IncomingMessage, response: ServerResponse): void =>
    void response.writeHead(200, { 'content-length': content.length }).end(content)
  const cut: Answer = (_, response, arrived) => {
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100_000))
    void arrived.then(() => response.destroy())
  }
  const ranged = (request: IncomingMessage, response: ServerResponse): void => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? 'bytes=0-')![1])
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from }).end(content.subarray(from))
  }

  it('brings the file, checked, and not a second time', async () => {
    const { get, ranges, progress } = await serve(whole)
    expect(readFileSync(await get()).equals(content)).toBe(true)
    expect(progress.at(-1)).toBe(content.length)
    await get()
    expect(ranges).toHaveLength(1)
  })

  it('goes on where a connection broke off', async () => {
    const { get, ranges } = await serve(cut, ranged)
    expect(readFileSync(await get()).equals(content)).toBe(true)
    expect(ranges[0]).toBeUndefined()
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/)
  })

  it('begins anew with a server that knows no ranges', async () => {
    const { get } = await serve(cut, whole)
    expect(readFileSync(await get()).equals(content)).toBe(true)
  })

  it('refuses another file by name, and leaves none of it', async () => {
    const { get, folder } = await serve((_, response) => void response.end('not the rows'))
    await expect(get()).rejects.toThrow(/rows\.bin from .* is not the file expected: MD5 [0-9a-f]{32}, expected/)
    expect(existsSync(join(folder, 'rows.bin.part'))).toBe(false)
    expect(existsSync(join(folder, 'rows.bin'))).toBe(false)
  })

  it('gives up after four broken connections and keeps what came', async () => {
    const { get, ranges, folder } = await serve(cut)
    await expect(get()).rejects.toThrow(/rows\.bin broke off 4 times/)
    expect(ranges).toHaveLength(4)
    expect(existsSync(join(folder, 'rows.bin.part'))).toBe(true)
  })

  it.each([
    [404, /answered 404/],
    [500, /answered 500/],
  ])('says what a server answered: %i', async (status, message) => {
    const { get } = await serve((_, response) => void response.writeHead(status).end())
    await expect(get()).rejects.toThrow(message)
  })
})
