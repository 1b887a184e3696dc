import type { ObjectStore } from '@nats-io/obj'
import { DataError } from '../../../core/errors.js'
import type { ArtifactRef } from '../../../core/trial.js'
import type { Store } from '../../../system/store.js'

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

/** Brings an object from the broker to the local store, unless it is there. @throws DataError when neither has it. */
export async function fetchObject(objects: ObjectStore, store: Store, ref: ArtifactRef): Promise<void> {
  // Read, not only looked for: an altered copy is replaced.
  const here = await store.readObject(ref).then(
    () => true,
    () => false,
  )
  if (here) return
  const bytes = await objects.getBlob(ref.sha256)
  if (bytes === null) throw new DataError(`an artifact is missing from the object store: ${ref.sha256}`)
  const kept = await store.putObject(bytes)
  if (kept.sha256 !== ref.sha256)
    throw new DataError(`an artifact was altered on its way: ${ref.sha256} came as ${kept.sha256}`)
}
