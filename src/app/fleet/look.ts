import PQueue from 'p-queue'
import type { UnavailableError } from '../../core/errors.js'
import { UnknownNameError } from '../../core/errors.js'
import { hasNode, misfit, here, unready, type Checked } from '../../fleet/check.js'
import { parseHost, thisHost, type Host } from '../../fleet/host.js'
import { askHost, checkHost, describeChecked, lookAtWorker, tooSmall } from '../../fleet/launch.js'
import { packMlds } from '../../fleet/pack.js'
import { stateScript, tailScript } from '../../fleet/scripts.js'
import { placeOf, readFleet, readFleets, writeFleet, type FleetState, type Member } from '../../fleet/state.js'
import { isOfArray, taskOf } from '../../fleet/slurm.js'
import { isOpen, openTunnel } from '../../fleet/tunnel.js'
import type { WorkerMessage } from '../../worker/remote/wire/protocol.js'
import { presentWorkers } from './presence.js'
import type { FleetSurroundings } from './surroundings.js'
import { firstServer } from './worker-access.js'

/** A worker of a fleet, with what the server says of it. */
export interface Seen {
  readonly fleet: string
  readonly member: Member
  /** `undefined` where the server has not heard of it lately, or can't be asked. */
  readonly present: WorkerMessage | undefined
  /** Why the server could not be asked. */
  readonly away?: string
}

/** Every worker of these fleets. */
export async function seeFleets(states: readonly FleetState[]): Promise<Seen[]> {
  const seen = states.map(async ({ name, nats, tenant, hosts, slurm }): Promise<Seen[]> => {
    const asked = await presentWorkers({ nats, tenant }).catch((error: Error) => error)
    const present = (worker: string): WorkerMessage | undefined =>
      asked instanceof Error ? undefined : asked.find((message) => message.worker === worker)
    const away = asked instanceof Error ? { away: asked.message } : {}
    const tasks =
      slurm === undefined || asked instanceof Error ? [] : asked.filter(({ worker }) => isOfArray(name, worker))
    const ofArray = tasks.map((message): Seen => {
      const member: Member = { host: message.host, worker: message.worker, step: 'joined' }
      return { fleet: name, member, present: message }
    })
    return [...hosts.map((member) => ({ fleet: name, member, present: present(member.worker), ...away })), ...ofArray]
  })
  return (await Promise.all(seen)).flat()
}

/** An array of Slurm in a sentence, since tasks that wait are no workers yet; `undefined` for a fleet without one. */
export function describeArray({ name, slurm }: FleetState, seen: readonly Seen[]): string | undefined {
  if (slurm === undefined) return undefined
  const come = seen.filter(({ fleet, member }) => fleet === name && isOfArray(name, member.worker)).length
  const where = slurm.on === undefined ? '' : ` on ${slurm.on}`
  const job = slurm.job === undefined ? 'no job was submitted yet' : `job ${slurm.job} of Slurm${where}`
  return `${name}: ${job}; of ${slurm.count} workers the server knows ${come}. For the others see squeue, and mlds fleet logs ${name}-TASK`
}

/** Where the log of a worker is. */
export interface LogPlace {
  readonly fleet: string
  readonly worker: string
  /** Of its files on the host. */
  readonly place: string
  readonly host: Host
  /** In an array of Slurm. */
  readonly task?: number
}

/**
 * The workers that a host, a worker's name, a task of Slurm (`lab-3`) or a node of it may mean. For a node the server is asked.
 * @throws UnknownNameError when there is none.
 */
export async function logsOf(
  { folder, say }: FleetSurroundings,
  wanted: string,
  fleet: string | undefined,
): Promise<LogPlace[]> {
  const states = fleet === undefined ? readFleets(folder, say) : [readFleet(folder, fleet)]
  const byName = states.flatMap((state) => [...membersCalled(state, wanted), ...tasksCalled(state, wanted)])
  if (byName.length > 0) return byName
  const arrays = states.filter(({ slurm }) => slurm !== undefined)
  const seen = arrays.length === 0 ? [] : await seeFleets(states)
  const onNode = seen.flatMap(({ fleet: name, member, present }) =>
    present?.host === wanted
      ? arrays.filter((state) => state.name === name).flatMap((state) => tasksCalled(state, member.worker))
      : [],
  )
  if (onNode.length > 0) return onNode
  throw new UnknownNameError('host or worker of a fleet', wanted, [
    ...states.flatMap(({ hosts }) => hosts.map((member) => member.host)),
    ...arrays.map(({ name, slurm }) => (slurm!.count === 1 ? `${name}-1` : `${name}-1 to ${name}-${slurm!.count}`)),
  ])
}

const membersCalled = ({ name, hosts }: FleetState, wanted: string): LogPlace[] =>
  hosts.flatMap(({ host, worker, place }) =>
    host === wanted || worker === wanted
      ? { fleet: name, worker, place: placeOf(name, { place }), host: parseHost(host) }
      : [],
  )

function tasksCalled({ name, slurm }: FleetState, wanted: string): LogPlace[] {
  const task = taskOf(name, wanted)
  if (slurm === undefined || task === undefined || task < 1 || task > slurm.count) return []
  return [
    { fleet: name, worker: wanted, place: name, host: slurm.on === undefined ? thisHost : parseHost(slurm.on), task },
  ]
}

/** The last lines of a worker's log on its host. @throws UnavailableError when the host can't be reached, or has no log yet. */
export async function workerLog(
  { place, host, task }: LogPlace,
  lines: number,
  { signal }: FleetSurroundings,
): Promise<string> {
  return (await askHost(host, tailScript(place, lines, task), { timeoutMs: 60_000, signal })).stdout
}

/** What is right and wrong with one host. */
export interface Diagnosis {
  readonly host: string
  readonly fleet?: string
  /** Sentences, of what was found. */
  readonly found: readonly string[]
  /** Sentences, of what is wrong. */
  readonly wrong: readonly string[]
}

const hostsAtOnce = 8

/** Looks at hosts: those named, else those of all fleets. A tunnel that has ended is opened again. */
export async function diagnose(
  hosts: readonly string[],
  fleet: string | undefined,
  around: FleetSurroundings,
): Promise<Diagnosis[]> {
  const { folder, say } = around
  const states = fleet === undefined ? readFleets(folder, say) : [readFleet(folder, fleet)]
  const seen = (await seeFleets(states)).filter(({ fleet: name, member }) => !isOfArray(name, member.worker))
  const wanted = hosts.length === 0 ? seen.map(({ member }) => member.host) : hosts
  const queue = new PQueue({ concurrency: hostsAtOnce })
  const looks = [...new Set(wanted)].flatMap((host): (() => Promise<Diagnosis>)[] => {
    const here = seen.filter(({ member }) => member.host === host)
    return here.length === 0
      ? [() => lookAt(host, undefined, around)]
      : here.map((one) => () => lookAt(host, one, around))
  })
  return Promise.all(looks.map((look) => queue.add(look)))
}

async function lookAt(named: string, seen: Seen | undefined, around: FleetSurroundings): Promise<Diagnosis> {
  const [found, wrong]: [string[], string[]] = [[], []]
  const told = { host: named, ...(seen === undefined ? {} : { fleet: seen.fleet }), found, wrong }
  try {
    const host = parseHost(named)
    const checked = await checkHost(host, { setup: undefined, signal: around.signal, own: true })
    found.push(describeChecked(checked))
    if (seen === undefined) {
      const unfit = unready(checked) ?? misfit(checked, here()) ?? noRoom(checked)
      if (unfit !== undefined) wrong.push(unfit)
      return told
    }
    await lookAtMember(seen, { found, wrong }, around)
  } catch (error) {
    const { message, hint } = error as UnavailableError
    wrong.push(hint === undefined ? message : `${message} (${hint})`)
  }
  return told
}

/** What mlds takes is only found out where the room is short. */
const noRoom = (checked: Checked): string | undefined =>
  (checked.freeBytes ?? Infinity) < 1e9 ? tooSmall(checked, packMlds(!hasNode(checked))) : undefined

async function lookAtMember(
  { fleet, member, present, away }: Seen,
  { found, wrong }: { found: string[]; wrong: string[] },
  around: FleetSurroundings,
): Promise<void> {
  const { worker: state, said } = await lookAtWorker(
    parseHost(member.host),
    stateScript(placeOf(fleet, member), member.worker),
    around.signal,
  )
  const last = said === '' ? '' : `; it last said: ${said}`
  if (state === 'runs') found.push(`${member.worker} runs${last}`)
  else wrong.push(state === 'gone' ? `nothing of ${member.worker} is there` : `${member.worker} has ended${last}`)
  if (present !== undefined) found.push('the server hears of it')
  else wrong.push(away ?? 'the server has not heard of it for half a minute')
  if (member.tunnel !== undefined) await mendTunnel(fleet, member, { found, wrong }, around)
}

async function mendTunnel(
  fleet: string,
  member: Member,
  { found, wrong }: { found: string[]; wrong: string[] },
  { folder, clock }: FleetSurroundings,
): Promise<void> {
  if (member.tunnel === undefined) return
  if (isOpen(member.tunnel)) return void found.push('its tunnel is open')
  const { nats } = readFleet(folder, fleet)
  const where = { folder, label: member.worker, wanted: member.tunnel.port, clock }
  const tunnel = await openTunnel(parseHost(member.host), firstServer(nats), where)
  const state = readFleet(folder, fleet)
  const hosts = state.hosts.map((one) => (one.worker === member.worker ? { ...one, tunnel } : one))
  await writeFleet(folder, { ...state, hosts })
  wrong.push('its tunnel had ended, and was opened again')
}
