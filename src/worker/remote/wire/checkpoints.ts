import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { DataError, MldsError } from '../../../core/errors.js'
import { makeFolder } from '../../../system/make-folder.js'
import type { Store } from '../../../system/store.js'
import type { CheckpointFolder, StoredCheckpoint } from '../../checkpoints/checkpoint-folder.js'
import { encodeManifest, maxCheckpointBytes } from '../../checkpoints/manifest.js'
import { decodeManifest } from '../../checkpoints/read-manifest.js'
import type { RunKey } from './names.js'
import { decode, encode, oldestProtocol } from './protocol.js'
import { sealed, tagged, unsealed } from './run-tokens.js'
import type { Broker } from './streams.js'

/**
 * A run's last checkpoint on the server. Its bytes (the manifest, the files of the state, what had been saved) are cut into
 * pieces, in one of two places that take turns; a head says in which, and is stored last, so that it always names a whole one.
 * Each subject keeps its latest message alone: a run takes the room of two checkpoints, however many it brings.
 */
const places = ['a', 'b'] as const
type Place = (typeof places)[number]

/** Well below what a server takes as one message. */
const pieceBytes = 128 * 1024
/** Requests that are open at once. */
const windowPieces = 16
const maxManifestBytes = 2 ** 26

const headMessage = z.object({
  v: z.int(),
  place: z.enum(places),
  /** The attempt at the run that brought it. */
  attempt: z.int().min(1),
  manifest: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), sizeBytes: z.int().min(1).max(maxManifestBytes) }),
})
export type CheckpointHead = z.infer<typeof headMessage>

/** What is said of a run's last checkpoint; `undefined` where there is none, or what stands there was not written by one who was given the run. */
export async function readHead({ reads, names }: Broker, run: RunKey): Promise<CheckpointHead | undefined> {
  if (run.token === undefined) return undefined
  const stored = await reads.last(names.checkpoints, names.checkpoint(tagged(run, 'checkpoint'), 'head', 0))
  const text = stored === undefined ? undefined : unsealed(stored.text, run.token)
  return text === undefined ? undefined : decode(headMessage, text)
}

/**
 * Brings a checkpoint to the server, in the place that `before` is not in.
 * @throws MldsError for a run that an earlier version queued; what the server says when it does not take it.
 */
export async function sendCheckpoint(
  { publisher, names }: Broker,
  run: RunKey,
  {
    checkpoint,
    attempt,
    store,
  }: { readonly checkpoint: StoredCheckpoint; readonly attempt: number; readonly store: Store },
  before: CheckpointHead | undefined,
): Promise<CheckpointHead> {
  if (run.token === undefined) throw new MldsError('VERSION', 'trials that were queued before protocol 6 bring none')
  const place: Place = before?.place === 'a' ? 'b' : 'a'
  const { place: folder, ...facts } = checkpoint
  const manifest = Buffer.from(encodeManifest(facts))
  if (manifest.length > maxManifestBytes)
    throw new MldsError(
      'CHECKPOINT',
      `its reports are too large: ${manifest.length} bytes (at most ${maxManifestBytes})`,
    )
  const key = tagged(run, 'checkpoint')
  const parts = async function* (): AsyncGenerator<Buffer> {
    yield manifest
    for (const { path } of facts.files) yield* chunksOf(join(folder, path))
    for (const ref of facts.saved) yield Buffer.from(await store.readObject(ref))
  }
  let open: Promise<unknown>[] = []
  let count = 0
  for await (const piece of pieces(parts())) {
    open.push(publisher.publish(names.checkpoint(key, place, count++), piece))
    if (open.length < windowPieces) continue
    await Promise.all(open)
    open = []
  }
  await Promise.all(open)
  const sha256 = createHash('sha256').update(manifest).digest('hex')
  const head: CheckpointHead = { v: oldestProtocol, place, attempt, manifest: { sha256, sizeBytes: manifest.length } }
  await publisher.publish(names.checkpoint(key, 'head', 0), sealed(encode(head), run.token))
  return head
}

/**
 * Brings a checkpoint from the server into a folder, to be gone on from there. Whoever was given the run wrote it, and may be
 * hostile: its size is bounded, and nothing of it leads out of the folder.
 * @throws DataError when a part of it is missing, altered, or says what no checkpoint does.
 */
export async function fetchCheckpoint(
  broker: Broker,
  run: RunKey,
  head: CheckpointHead,
  { folder, store }: { readonly folder: CheckpointFolder; readonly store: Store },
): Promise<void> {
  const bytes = new ByteReader(readPieces(broker, run, head))
  const text = Buffer.concat(await collect(bytes.take(head.manifest.sizeBytes)))
  if (createHash('sha256').update(text).digest('hex') !== head.manifest.sha256)
    throw new DataError('its manifest was altered')
  const manifest = decodeManifest(text.toString())
  if (manifest === undefined) throw new DataError('its manifest is none')
  await folder.receive(manifest, async (place) => {
    for (const { path, sizeBytes } of manifest.files) {
      await makeFolder(dirname(join(place, path)))
      await pipeline(Readable.from(bytes.take(sizeBytes)), createWriteStream(join(place, path), { flags: 'wx' }))
    }
    for (const { sha256, sizeBytes } of manifest.saved) {
      const kept = await store.putObject(Buffer.concat(await collect(bytes.take(sizeBytes))))
      if (kept.sha256 !== sha256) throw new DataError('a result that had been saved was altered')
    }
  })
}

async function* readPieces(
  { reads, names }: Broker,
  run: RunKey,
  { place }: CheckpointHead,
): AsyncGenerator<Uint8Array> {
  const key = tagged(run, 'checkpoint')
  const most = Math.ceil((maxCheckpointBytes + maxManifestBytes) / pieceBytes)
  for (let at = 0; at < most; at += windowPieces) {
    const window = Array.from({ length: windowPieces }, (_, i) => names.checkpoint(key, place, at + i))
    for (const piece of await Promise.all(window.map((subject) => reads.last(names.checkpoints, subject)))) {
      if (piece === undefined) return
      yield piece.bytes
    }
  }
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file)
  yield* handle.createReadStream({ highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
}

/** The same bytes in pieces of one size; the last may be shorter. */
async function* pieces(parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const part of parts) {
    let bytes = rest.length === 0 ? part : Buffer.concat([rest, part])
    for (; bytes.length >= pieceBytes; bytes = bytes.subarray(pieceBytes)) yield bytes.subarray(0, pieceBytes)
    rest = bytes
  }
  if (rest.length > 0) yield rest
}

/** Takes bytes from pieces of any size. */
class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** @throws DataError when they end before. */
  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#pieces.next()
        if (next.done === true) throw new DataError('a part of it is missing')
        this.#rest = next.value
      }
      const part = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(part.length)
      left -= part.length
      yield part
    }
  }
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return all
}
