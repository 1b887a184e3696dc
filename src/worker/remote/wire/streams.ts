import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream'
import { Objm, type ObjectStore } from '@nats-io/obj'
import { Kvm, type KV } from '@nats-io/kv'
import { nanos, TimeoutError, type NatsConnection } from '@nats-io/transport-node'
import { systemClock } from '../../../core/clock.js'
import { writeDuration } from '../../../core/duration.js'
import { UnavailableError } from '../../../core/errors.js'
import { retry } from '../../../system/retry.js'
import { accountKeyOf } from './confinement.js'
import { apiPrefixOf } from './connect.js'
import { DirectReads } from './direct-reads.js'
import { runOf, type Names, type RunKey } from './names.js'
import { defaultLane } from './needs.js'
import { isMissing, isDenied } from './nats-errors.js'
import { Publisher } from './publisher.js'

export const defaultLeaseMs = 30_000
/** How long a worker, or an orchestrator's claim to a sweep, is remembered after its last word. */
export const presenceMs = 30_000
/** Larger messages go through the object store. */
export const maxInlineBytes = 200_000
const maxMessageBytes = 256 * 1024
/** Pulls and unacknowledged trials a server allows at once: more than the slots of any fleet on one server. */
const fleetSlots = 8_192
/** Copies of every stream on a cluster: the least that goes on when a server is lost. */
const clusterReplicas = 3
/** Deliveries after which the server gives up by itself; attempts are counted apart and end long before. */
const maxDeliveries = 100

/** What a tenant's streams are made with; streams that exist keep theirs. */
export interface BrokerSettings {
  /** How long a delivered trial stays with a silent worker. */
  readonly leaseMs: number
}

/** What a worker uses as well: it publishes, and reads message by message. */
export interface Broker {
  readonly nc: NatsConnection
  readonly names: Names
  readonly publisher: Publisher
  readonly reads: DirectReads
  /** How long a delivered trial stays with a silent worker. */
  readonly leaseMs: number
}

/** What only orchestrators and people's commands use. */
export interface OrchestratorBroker extends Broker {
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly objects: ObjectStore
  readonly workers: KV
  readonly controls: KV
  readonly sweeps: KV
  readonly leases: KV
}

/**
 * Opens the streams of a tenant, making what is not there yet; what is there keeps its settings.
 * @throws UnavailableError when the server has no JetStream or does not allow it.
 */
export function openBroker(nc: NatsConnection, names: Names, settings: BrokerSettings): Promise<OrchestratorBroker> {
  return explained(nc, () => patiently(() => makeBroker(nc, names, settings)))
}

async function makeBroker(nc: NatsConnection, names: Names, settings: BrokerSettings): Promise<OrchestratorBroker> {
  const apiPrefix = apiPrefixOf(nc)
  const js = jetstream(nc, { apiPrefix })
  const jsm = await jetstreamManager(nc, { apiPrefix })
  // A server of a cluster says so when it is connected to.
  const replicas = nc.info?.cluster === undefined ? 1 : clusterReplicas
  for (const config of streamConfigs(names))
    await orMake(
      () => jsm.streams.info(config.name),
      () => jsm.streams.add({ ...config, num_replicas: replicas }),
    )
  const consumer = await orMake(
    () => jsm.consumers.info(names.trials, names.consumer()),
    () => jsm.consumers.add(names.trials, consumerConfig(names, settings.leaseMs)),
  )
  const shared = { storage: StorageType.File, replicas }
  const kvm = new Kvm(js)
  // Orchestrators write there; a worker that comes before any of them would wait in vain for a bucket that is missing.
  await kvm.create(names.lanes, shared)
  return {
    nc,
    names,
    js,
    publisher: new Publisher(nc),
    reads: new DirectReads(nc),
    jsm,
    objects: await new Objm(js).create(names.objects, shared),
    workers: await withoutRollUp(jsm, names.workers, await kvm.create(names.workers, { ...shared, ttl: presenceMs })),
    controls: await kvm.create(names.controls, shared),
    sweeps: await kvm.create(names.sweeps, shared),
    leases: await kvm.create(names.leases, { ...shared, ttl: presenceMs }),
    leaseMs: leaseOf(consumer.config),
  }
}

/** A worker may write its own entry, and could empty the whole bucket by a header of it. */
async function withoutRollUp(jsm: JetStreamManager, name: string, bucket: KV): Promise<KV> {
  const { config } = await jsm.streams.info(`KV_${name}`)
  if (config.allow_rollup_hdrs) await jsm.streams.update(config.name, { allow_rollup_hdrs: false })
  return bucket
}

/**
 * What a worker needs of a tenant whose streams exist; it asks for no more than a worker's permissions allow.
 * @returns `undefined` while the streams are not there.
 * @throws UnavailableError when the server has no JetStream or does not allow it.
 */
export function joinBroker(nc: NatsConnection, names: Names): Promise<Broker | undefined> {
  return explained(nc, () => patiently(() => findStreams(nc, names)))
}

async function findStreams(nc: NatsConnection, names: Names): Promise<Broker | undefined> {
  const jsm = await jetstreamManager(nc, { apiPrefix: apiPrefixOf(nc), checkAPI: false })
  try {
    const consumer = await jsm.consumers.info(names.trials, names.consumer())
    return {
      nc,
      names,
      publisher: new Publisher(nc),
      reads: new DirectReads(nc),
      leaseMs: leaseOf(consumer.config),
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * What exists of a tenant, for commands that look and make nothing. @returns `undefined` when nothing does.
 * @throws UnavailableError when the server has no JetStream or does not allow it, as with a worker's key.
 */
export function findBroker(nc: NatsConnection, names: Names): Promise<OrchestratorBroker | undefined> {
  return explained(nc, () => lookForBroker(nc, names))
}

async function lookForBroker(nc: NatsConnection, names: Names): Promise<OrchestratorBroker | undefined> {
  const broker = await patiently(() => findStreams(nc, names))
  if (broker === undefined) return undefined
  const apiPrefix = apiPrefixOf(nc)
  const js = jetstream(nc, { apiPrefix })
  const kvm = new Kvm(js)
  const [jsm, objects, workers, controls, sweeps, leases] = await Promise.all([
    jetstreamManager(nc, { apiPrefix, checkAPI: false }),
    new Objm(js).open(names.objects),
    ...[names.workers, names.controls, names.sweeps, names.leases].map((name) => kvm.open(name)),
  ] as const)
  return { ...broker, js, jsm, objects, workers: workers!, controls: controls!, sweeps: sweeps!, leases: leases! }
}

/** The bucket of objects as a client of JetStream has it, which a worker's account has no right to. */
export const openObjects = ({ nc, names }: Broker): Promise<ObjectStore> =>
  new Objm(jetstream(nc, { apiPrefix: apiPrefixOf(nc) })).open(names.objects)

function streamConfigs(names: Names): (Partial<StreamConfig> & { name: string })[] {
  // The first that comes is kept; a second of the same subject is refused.
  const once = {
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msg_size: maxMessageBytes,
  }
  const lanes = names.trial().split('.').slice(0, 3).join('.')
  const givenUp = ['MAX_DELIVERIES', 'MSG_TERMINATED'].map(
    (kind) => `$JS.EVENT.ADVISORY.CONSUMER.${kind}.${names.trials}.*`,
  )
  return [
    { ...once, name: names.trials, subjects: [`${lanes}.>`], retention: RetentionPolicy.Workqueue },
    { ...once, name: names.results, subjects: [names.result({})], allow_direct: true },
    // The latest of each run replaces the one before.
    {
      name: names.attempts,
      subjects: [names.attempt({})],
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      max_msg_size: maxMessageBytes,
      allow_direct: true,
    },
    { ...once, name: names.uploads, subjects: [names.upload({})], allow_direct: true },
    { ...once, name: names.suggestions, subjects: [names.suggestion('*')], allow_direct: true },
    // The latest piece of each place replaces the one before.
    {
      name: names.checkpoints,
      subjects: [names.checkpoint({})],
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      max_msg_size: maxMessageBytes,
      allow_direct: true,
    },
    {
      name: names.advisories,
      subjects: givenUp,
      storage: StorageType.File,
      max_msgs: 100_000,
      max_age: nanos(7 * 86_400_000),
    },
  ]
}

export function consumerConfig(names: Names, leaseMs: number, lane = defaultLane): Partial<ConsumerConfig> {
  return {
    durable_name: names.consumer(lane),
    filter_subject: names.trial({}, lane),
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(leaseMs),
    max_deliver: maxDeliveries,
    max_ack_pending: fleetSlots,
    max_waiting: fleetSlots,
  }
}

/** nats-server's error codes. */
const [nameInUse, subjectsOverlap] = [10058, 10065]

/**
 * Asks a slow server again, six times: retries timeouts, and the two error codes by which the server says that someone else is creating the same stream: the
 * next try finds it.
 */
export function patiently<T>(act: () => Promise<T>): Promise<T> {
  return retry(act, {
    clock: systemClock,
    mayPass: (error) =>
      error instanceof TimeoutError ||
      (error instanceof JetStreamApiError && [nameInUse, subjectsOverlap].includes(error.code)),
    pauseMs: (failures) => 100 * failures,
    maxFailures: 6,
  })
}

/** What a person can do about a server that refuses. */
async function explained<T>(nc: NatsConnection, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const { message } = error as Error
    if (isDenied(error))
      throw new UnavailableError(`the NATS server does not allow this: ${message}`, {
        hint: "a worker's key only runs trials; everything else needs an orchestrator's context (mlds nats init writes both: docs/remote.md#access)",
        cause: error,
      })
    const isAbsent = /jetstream.*(not enabled|not available)/i.test(message)
    if (isAbsent && accountKeyOf(nc) !== undefined)
      throw new UnavailableError("the NATS server gives this worker's account nothing of what it imports", {
        hint: 'a key that was made while the server ran counts once it is started again; to reload its configuration is not enough',
        cause: error,
      })
    if (isAbsent)
      throw new UnavailableError('this NATS server has no JetStream, which holds the queue and the results', {
        hint: 'start it with -js, or use: mlds nats up',
        cause: error,
      })
    if (/no suitable peers|insufficient resources/i.test(message))
      throw new UnavailableError(
        `this NATS cluster has no room for ${clusterReplicas} copies of a stream: ${message}`,
        {
          hint: 'all of its servers must be there, and have JetStream, when the streams are made',
          cause: error,
        },
      )
    throw error
  }
}

/** Says so where a person asked for a lease that the queue was not made with. */
export function tellLease(
  { leaseMs, names }: Pick<Broker, 'leaseMs' | 'names'>,
  askedMs: number | undefined,
  say: (message: string) => void,
): void {
  if (askedMs === undefined || askedMs === leaseMs) return
  say(
    `the queue ${names.trials} has a lease of ${writeDuration(leaseMs)}, and keeps it: --lease ${writeDuration(askedMs)} counts only where a queue is made (for a new --tenant, or on a new server)`,
  )
}

const leaseOf = (config: ConsumerConfig): number => (config.ack_wait ?? nanos(defaultLeaseMs)) / 1e6

async function orMake<T>(find: () => Promise<T>, make: () => Promise<T>): Promise<T> {
  try {
    return await find()
  } catch (error) {
    if (!isMissing(error)) throw error
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

/** Subjects of a stream that match a filter. */
export async function subjectsOf(jsm: JetStreamManager, stream: string, filter: string): Promise<string[]> {
  const { state } = await jsm.streams.info(stream, { subjects_filter: filter })
  return Object.keys(state.subjects ?? {})
}

/** The runs behind the subjects of a stream; subjects that mlds did not write are passed over. */
export async function runsOf(jsm: JetStreamManager, stream: string, filter: string): Promise<RunKey[]> {
  return (await subjectsOf(jsm, stream, filter)).flatMap((subject) => runOf(subject) ?? [])
}
