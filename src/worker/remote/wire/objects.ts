import type { ObjectStore } from '@nats-io/obj'
import { z } from 'zod'
import { DataError } from '../../../core/errors.js'
import type { ArtifactRef } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'
import type { RunKey } from './names.js'
import { isHeldAlready } from './nats-errors.js'
import { decode } from './protocol.js'
import type { Broker } from './streams.js'

/** The bytes of what has this SHA-256; `undefined` where they are not. */
export type ReadObject = (ref: ArtifactRef) => Promise<Uint8Array | undefined>

/** Brings an object from the local store to the broker, unless it is there. @returns whether it was brought now. */
export async function sendObject(
  objects: ObjectStore,
  store: Pick<Store, 'readObject'>,
  ref: ArtifactRef,
): Promise<boolean> {
  if (await hasRemoteObject(objects, ref)) return false
  await objects.putBlob({ name: ref.sha256 }, await store.readObject(ref))
  return true
}

export async function hasRemoteObject(objects: ObjectStore, ref: ArtifactRef): Promise<boolean> {
  // A deleted object leaves its name behind.
  return (await objects.info(ref.sha256))?.deleted === false
}

/** Brings an object from where it is read to the local store, unless it is there. @throws DataError when neither has it. */
export async function fetchObject(read: ReadObject, store: Store, ref: ArtifactRef): Promise<void> {
  // Read, not only looked for: an altered copy is replaced.
  const here = await store.readObject(ref).then(
    () => true,
    () => false,
  )
  if (here) return
  const bytes = await read(ref)
  if (bytes === undefined) throw new DataError(`an artifact is missing from the object store: ${ref.sha256}`)
  const kept = await store.putObject(bytes)
  if (kept.sha256 !== ref.sha256)
    throw new DataError(`an artifact was altered on its way: ${ref.sha256} came as ${kept.sha256}`)
}

/** Requests that are open at once while an object crosses the wire. */
const windowPieces = 16

/** What the bucket says of an object (nats-io ADR-20). */
const objectInfo = z.object({
  nuid: z.string().regex(/^[A-Za-z0-9]{1,64}$/),
  size: z.int().min(0),
  deleted: z.boolean().optional(),
})

/** Reads from the bucket of objects. */
export function bucketOf({ reads, names }: Pick<Broker, 'reads' | 'names'>): ReadObject {
  const stream = `OBJ_${names.objects}`
  return async ({ sha256, sizeBytes }) => {
    const name = Buffer.from(sha256).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
    const meta = await reads.last(stream, `$O.${names.objects}.M.${name}`)
    const info = meta === undefined ? undefined : decode(objectInfo, meta.text)
    if (info === undefined || info.deleted === true) return undefined
    const pieces: Uint8Array[] = []
    let gathered = 0
    // Pieces mostly lie side by side, so the places after one are asked at once; each tells the first at or after it.
    for (let place = 1; gathered < sizeBytes;) {
      const places = pieces.length === 0 ? [place] : Array.from({ length: windowPieces }, (_, i) => place + i)
      const found = await Promise.all(places.map((at) => reads.next(stream, `$O.${names.objects}.C.${info.nuid}`, at)))
      let last: number | undefined
      for (const piece of found) {
        if (piece === undefined || (last !== undefined && piece.sequence <= last)) continue
        last = piece.sequence
        pieces.push(piece.bytes)
        gathered += piece.bytes.length
      }
      if (last === undefined) break
      place = last + 1
    }
    return Buffer.concat(pieces)
  }
}

/** Well below what a server takes as one message. */
const pieceBytes = 128 * 1024

/** Keeps what a run saved under subjects of the run's own: each piece once, for as long as its sweep is kept. */
export async function upload({ publisher, names }: Broker, run: RunKey, { sha256 }: ArtifactRef, bytes: Uint8Array) {
  const pieces = Math.ceil(bytes.length / pieceBytes)
  await inWindows(pieces, async (piece) => {
    const part = bytes.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)
    await publisher.publish(names.upload(run, sha256, piece), part).catch((error: unknown) => {
      // It came, and the answer was lost.
      if (!isHeldAlready(error)) throw error
    })
  })
}

/** Reads what a run uploaded. */
export function uploadsOf({ reads, names }: Pick<Broker, 'reads' | 'names'>, run: RunKey): ReadObject {
  return async ({ sha256, sizeBytes }) => {
    const pieces = Math.ceil(sizeBytes / pieceBytes)
    const found: Uint8Array[] = []
    // What says it is larger than it is ends at the first piece that is not there.
    for (let at = 0; at < pieces; at += windowPieces) {
      const window = Array.from({ length: Math.min(windowPieces, pieces - at) }, (_, i) => at + i)
      const read = await Promise.all(window.map((piece) => reads.last(names.uploads, names.upload(run, sha256, piece))))
      for (const piece of read) if (piece !== undefined) found.push(piece.bytes)
      if (found.length < at + window.length) return undefined
    }
    return Buffer.concat(found)
  }
}

async function inWindows<T>(count: number, act: (index: number) => Promise<T>): Promise<T[]> {
  const windows: T[][] = []
  for (let at = 0; at < count; at += windowPieces)
    windows.push(await Promise.all(Array.from({ length: Math.min(windowPieces, count - at) }, (_, i) => act(at + i))))
  return windows.flat()
}
