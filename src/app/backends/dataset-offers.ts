import type { Assignment } from '../../core/trial.js'
import { openData } from '../../data/catalog.js'
import type { Store } from '../../system/store.js'
import type { DatasetOffer } from '../../worker/remote/orchestrator/remote-backend.js'

/** What a trial reads, by fingerprint; sets that a person added go along for workers that have not got them. */
export function datasetOffers(store: Store): (assignment: Assignment) => DatasetOffer[] {
  const catalog = openData(store)
  const offers = new Map<string, DatasetOffer>()
  const offer = (name: string): DatasetOffer => {
    const { fingerprint } = catalog.resolve(name)
    const stored = catalog.stored(name)
    if (stored === undefined) return { message: { name, fingerprint } }
    const { rows, trainRows, shape } = stored.facts
    const object = { sha256: fingerprint, sizeBytes: rows * (1 + shape.reduce((a, b) => a * b, 1)) }
    return { message: { name, fingerprint, object, images: { rows, trainRows, shape: [...shape] } }, read: stored.read }
  }
  return ({ reads }) =>
    reads.map((name) => {
      const known = offers.get(name) ?? offer(name)
      offers.set(name, known)
      return known
    })
}
