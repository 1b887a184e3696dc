import {
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream'
import { Objm, type ObjectStore } from '@nats-io/obj'
import { Kvm, type KV } from '@nats-io/kv'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { DataError } from '../../errors.js'
import type { Store } from '../../store.js'
import type { ArtifactRef } from '../../trial.js'
import type { Names } from './protocol.js'

export const defaultLeaseMs = 30_000
const maxMessageBytes = 256 * 1024
/** Pulls and unacknowledged trials a server allows at once: more than the slots of any fleet on one server. */
const fleetSlots = 8_192
/** Deliveries after which a server gives up by itself; workers declare a trial dead long before. */
const maxDeliveries = 100

export interface Broker {
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly objects: ObjectStore
  readonly workers: KV
  /** How long a delivered trial stays with a silent worker. */
  readonly leaseMs: number
}

/** Opens the streams of a tenant, making what is not there yet; what is there keeps its settings. */
export async function openBroker(nc: NatsConnection, names: Names, leaseMs: number): Promise<Broker> {
  const js = jetstream(nc)
  const jsm = await jetstreamManager(nc)
  const shared = {
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msg_size: maxMessageBytes,
  }
  const pool = names.trial()
  await orMake(
    () => jsm.streams.info(names.trials),
    () =>
      jsm.streams.add({
        ...shared,
        name: names.trials,
        subjects: [pool.split('.').slice(0, 3).join('.') + '.>'],
        retention: RetentionPolicy.Workqueue,
      }),
  )
  await orMake(
    () => jsm.streams.info(names.results),
    () => jsm.streams.add({ ...shared, name: names.results, subjects: [names.result({})], allow_direct: true }),
  )
  const consumer = await orMake(
    () => jsm.consumers.info(names.trials, names.durable),
    () =>
      jsm.consumers.add(names.trials, {
        durable_name: names.durable,
        filter_subject: pool,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(leaseMs),
        max_deliver: maxDeliveries,
        max_ack_pending: fleetSlots,
        max_waiting: fleetSlots,
      }),
  )
  return {
    js,
    jsm,
    objects: await new Objm(js).create(names.objects, { storage: StorageType.File }),
    workers: await new Kvm(js).create(names.workers, { history: 1, ttl: 30_000 }),
    leaseMs: (consumer.config.ack_wait ?? nanos(defaultLeaseMs)) / 1e6,
  }
}

async function orMake<T>(find: () => Promise<T>, make: () => Promise<T>): Promise<T> {
  try {
    return await find()
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error
  }
  try {
    return await make()
  } catch (error) {
    // Someone else was faster.
    return find().catch(() => {
      throw error
    })
  }
}

/** Brings an object from the local store to the broker, once. */
export async function sendObject(objects: ObjectStore, store: Store, ref: ArtifactRef): Promise<void> {
  if ((await objects.info(ref.sha256)) !== null) return
  await objects.putBlob({ name: ref.sha256 }, await store.readObject(ref))
}

/** Brings an object from the broker to the local store, unless it is there. @throws DataError when neither has it. */
export async function fetchObject(objects: ObjectStore, store: Store, ref: ArtifactRef): Promise<void> {
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

/** The result exists already: someone else committed it, or this very writer whose answer got lost. */
export function isTaken(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === 10071
}

/** The same trial is queued already. The code alone would not tell: it is that of any storage error. */
export function isQueuedAlready(error: unknown): boolean {
  return error instanceof Error && error.message.includes('maximum messages per subject exceeded')
}
