import { existsSync, readdirSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { StoreError, UnknownNameError, type MldsError } from '../core/errors.js'
import { refuseNewer } from '../core/newer-format.js'
import { problemOf } from '../core/system-error.js'
import { makeFolder } from '../system/make-folder.js'
import { livenessOf, thisProcess, type ProcessIdentity } from '../system/process-identity.js'
import { readRegularFile } from '../system/read-regular-file.js'
import { replaceFile } from '../system/replace-file.js'
import { fleetNamePattern } from './scripts.js'

/** Raised when what a fleet's file says changes meaning. */
const stateFormat = 1

const text = z.string().max(1_000)
const worker = z.string().regex(/^[A-Za-z0-9-]{1,60}$/)
const identity = z.object({
  pid: z.int().min(2),
  host: text,
  started: text,
  boot: text,
  pidNamespace: text.exactOptional(),
})
const tunnel = z.object({
  /** The process of `ssh` that holds it. */
  identity,
  /** Where the queue is found on the host. */
  port: z.int().min(1).max(65_535),
})
const member = z.object({
  /** As a person named it. */
  host: text,
  worker,
  /** Of its files on the host; absent where an earlier version put them under the fleet's name. */
  place: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,29}\.[A-Za-z0-9-]{1,60}$/)
    .exactOptional(),
  /** What was copied; absent where nothing was. */
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
  /** What it is known to have come to. */
  step: z.enum(['planned', 'copied', 'started', 'joined']),
  tunnel: tunnel.exactOptional(),
})
const slurm = z.object({
  job: z
    .string()
    .regex(/^\d{1,15}$/)
    .exactOptional(),
  count: z.int().min(1),
  /** Where `sbatch` is, if not here. */
  on: text.exactOptional(),
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
})
const state = z.object({
  format: z.literal(stateFormat),
  name: z.string().regex(fleetNamePattern),
  createdAtMs: z.int().min(0),
  nats: text,
  tenant: text,
  /** Seconds that a worker's trials have to end or keep a checkpoint. */
  graceSeconds: z.int().min(0).max(86_400),
  hosts: z.array(member).max(10_000),
  slurm: slurm.exactOptional(),
  /** The process whose sweep brought it along, and which was to end it. */
  owner: identity.exactOptional(),
})

/** One started fleet: what was started where, so that it can be ended from here. No secret is in it. */
export type FleetState = z.infer<typeof state>
export type Member = z.infer<typeof member>

/** Where the worker's files are on its host. */
export const placeOf = (fleet: string, { place }: { readonly place?: string | undefined }): string => place ?? fleet

/** `$XDG_STATE_HOME/mlds/fleets`, by default in `~/.local/state`. */
export function fleetsFolder(env: NodeJS.ProcessEnv): string {
  const named = env['XDG_STATE_HOME'] ?? ''
  return join(isAbsolute(named) ? named : join(env['HOME'] ?? homedir(), '.local', 'state'), 'mlds', 'fleets')
}

const fileOf = (folder: string, name: string): string => join(folder, `${name}.json`)

/** @throws StoreError when there is a fleet of that name: two processes never start one name. */
export async function createFleet(folder: string, made: FleetState): Promise<void> {
  const file = fileOf(folder, made.name)
  try {
    await makeFolder(folder, 0o700)
    await (await open(file, 'wx')).close()
    await writeFleet(folder, made)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new StoreError(`there is a fleet of this name: ${made.name}`, {
        hint: `end it with: mlds fleet stop ${made.name}`,
      })
    throw new StoreError(`the fleet can't be written down: ${file}: ${problemOf(error)}`, { cause: error })
  }
}

export const writeFleet = (folder: string, written: FleetState): Promise<void> =>
  replaceFile(fileOf(folder, written.name), `${JSON.stringify(written, null, 2)}\n`)

export const removeFleet = (folder: string, name: string): Promise<void> => rm(fileOf(folder, name), { force: true })

/** Fleets of sweeps whose process ended without ending them. */
export const orphanFleets = (folder: string): string[] =>
  readFleets(folder, () => {}).flatMap(({ name, owner }) => (owner !== undefined && hasEnded(owner) ? name : []))

/** After a reboot too, of which a lock could not be sure: this only decides what is told. */
const hasEnded = (owner: ProcessIdentity): boolean =>
  livenessOf(owner) === 'dead' || (owner.host === hostname() && owner.boot !== thisProcess().boot)

/** Names of all fleets, sorted. */
export const fleetNames = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .flatMap((file) => (file.endsWith('.json') ? file.slice(0, -5) : []))
        .filter((name) => fleetNamePattern.test(name))
        .sort()
    : []

/** Every fleet whose file can be read; of each other one is told why not, and it holds none up. */
export function readFleets(folder: string, say: (line: string) => void): FleetState[] {
  return fleetNames(folder).flatMap((name) => {
    try {
      return readFleet(folder, name)
    } catch (error) {
      const { message, hint } = error as MldsError
      say(hint === undefined ? message : `${message} (${hint})`)
      return []
    }
  })
}

/** @throws UnknownNameError when there is none; StoreError when its file is none of mlds. */
export function readFleet(folder: string, name: string): FleetState {
  const file = fileOf(folder, name)
  if (!fleetNamePattern.test(name) || !existsSync(file)) throw new UnknownNameError('fleet', name, fleetNames(folder))
  let found: unknown
  try {
    found = JSON.parse(readRegularFile(file, 'utf8'))
  } catch {
    found = undefined
  }
  const format: unknown = typeof found === 'object' && found !== null && 'format' in found ? found.format : undefined
  if (typeof format === 'number') refuseNewer(`the fleet ${file}`, 'format', { format, known: stateFormat })
  const { data } = state.safeParse(found)
  if (data === undefined)
    throw new StoreError(`not a fleet's file: ${file}`, {
      hint: 'what it started is on the hosts, in ~/.cache/mlds/fleet; remove the file once that has ended',
    })
  return data
}
