import { homedir } from 'node:os'
import { UnavailableError } from '../../core/errors.js'
import { builtRun } from '../../fleet/pack.js'
import { parseHost, thisHost, type Host } from '../../fleet/host.js'
import { askHost, checkHost, copyToHost, describeChecked, type Program } from '../../fleet/launch.js'
import { PackShelf } from '../../fleet/pack-shelf.js'
import { receiveScript } from '../../fleet/scripts.js'
import { graceOf, jobScript, submitFile, submitScript, trialScript } from '../../fleet/slurm.js'
import { lastLine, toldBy } from '../../fleet/ssh.js'
import { createFleet, removeFleet, writeFleet, type FleetState } from '../../fleet/state.js'
import { tarOf, type TarFile } from '../../fleet/tar.js'
import type { ProcessIdentity } from '../../system/process-identity.js'
import type { NatsTarget } from '../backends/nats-target.js'
import { withoutSecret } from './start-by-ssh.js'
import { stopFleet } from './stop.js'
import type { FleetSurroundings } from './surroundings.js'
import { workerAccess } from './worker-access.js'

export interface SlurmFleet {
  readonly name: string
  readonly count: number
  readonly timeMs: number
  readonly idleMs: number
  /** A host whose `sbatch` is called, by ssh; this one's otherwise. */
  readonly on: string | undefined
  readonly target: NatsTarget
  readonly context: string | undefined
  readonly setup: string | undefined
  readonly workerArgs: readonly string[]
  /** For `sbatch`, as they are. */
  readonly sbatchWords: readonly string[]
  /** The process that ends it, where it is one sweep's. */
  readonly owner?: ProcessIdentity
}

const answerMs = 120_000
const hostOf = ({ on }: Pick<SlurmFleet, 'on'>): Host => (on === undefined ? thisHost : parseHost(on))

/** The job's script as it would be submitted from here; `--on` hosts have a home folder of their own. */
export function slurmScript(fleet: SlurmFleet, home = homedir(), program = hereProgram()): string {
  const { name, count, timeMs, idleMs, setup, workerArgs } = fleet
  return jobScript({
    fleet: name,
    count,
    timeMs,
    idleMs,
    home,
    setup: setup !== undefined,
    program: program.call,
    workerArgs,
  })
}

/** This very mlds, which the nodes find where they see this host's disk. */
const hereProgram = (): Program => ({ digest: undefined, call: [process.execPath, builtRun()] })

/** Asks `sbatch --test-only`; submits and leaves nothing. @returns what it said. @throws UnavailableError when it refuses. */
export async function trySlurm(fleet: SlurmFleet, { signal }: FleetSurroundings): Promise<string> {
  const files = [{ path: 'job', content: Buffer.from(slurmScript(fleet)) }, submit(fleet, true)]
  const input = { when: 'at once', open: () => tarOf(files) } as const
  const { stdout, stderr } = await askHost(hostOf(fleet), trialScript, { timeoutMs: answerMs, signal, input })
  return lastLine(stderr) || lastLine(stdout)
}

const submit = ({ sbatchWords }: SlurmFleet, isTest: boolean): TarFile => ({
  path: 'submit',
  executable: true,
  content: Buffer.from(submitFile(sbatchWords, isTest)),
})

/**
 * Submits an array of workers. It is written down before anything is done, so that it can be ended whatever happens here.
 * @returns the number of the job.
 * @throws UnavailableError with the last line of why not; nothing is left then, if the host can be reached.
 */
export async function startBySlurm(fleet: SlurmFleet, around: FleetSurroundings): Promise<string> {
  const { name, target, context, on, count, timeMs, owner } = fleet
  const access = workerAccess({ nats: target.nats, context, fleet: name, env: around.env })
  const state: FleetState = {
    ...{ format: 1, name, createdAtMs: around.clock.now(), graceSeconds: graceOf(timeMs), hosts: [] },
    ...{ nats: withoutSecret(target.nats ?? access.url), tenant: target.tenant },
    ...(owner === undefined ? {} : { owner }),
    slurm: { count, ...(on === undefined ? {} : { on }) },
  }
  await createFleet(around.folder, state)
  try {
    const { home, program } = await bring(fleet, around)
    const digest = program.digest === undefined ? {} : { digest: program.digest }
    const noted = { ...state, slurm: { ...state.slurm!, ...digest } }
    await writeFleet(around.folder, noted)
    const setup = fleet.setup === undefined ? [] : [{ path: 'setup', content: Buffer.from(fleet.setup) }]
    const job: TarFile = { path: 'job', content: Buffer.from(slurmScript(fleet, home, program)) }
    const input = {
      when: 'at once',
      open: () => tarOf([job, submit(fleet, false), ...setup, ...access.files()]),
    } as const
    const answer = await askHost(hostOf(fleet), submitScript(name), {
      timeoutMs: answerMs,
      signal: around.signal,
      input,
    })
    const id = toldBy(answer).get('job') ?? ''
    if (!/^\d{1,15}$/.test(id)) throw new UnavailableError(`sbatch names no job: ${lastLine(answer.stdout)}`)
    await writeFleet(around.folder, { ...noted, slurm: { ...noted.slurm, job: id } })
    return id
  } catch (error) {
    const [left] = await stopFleet({ name, now: true, keep: false }, around)
    if (left?.why === undefined) await removeFleet(around.folder, name)
    throw error
  }
}

/** Makes the fleet's folder where `sbatch` is, with mlds if that is another host. */
async function bring(
  fleet: SlurmFleet,
  { signal, say }: FleetSurroundings,
): Promise<{ home: string; program: Program }> {
  const { name, setup, workerArgs } = fleet
  const host = hostOf(fleet)
  if (host === thisHost) {
    await askHost(host, receiveScript(name, undefined), { timeoutMs: answerMs, signal })
    return { home: homedir(), program: hereProgram() }
  }
  const shelf = new PackShelf()
  try {
    const checked = await checkHost(host, { setup, signal, own: false })
    say(`${host.name}: connected: ${describeChecked(checked)}`)
    const launch = { place: name, install: 'copy', setup, workerArgs, shelf, signal } as const
    const program = await copyToHost(host, checked, launch, (step, detail) => say(`${host.name}: ${step}: ${detail}`))
    return { home: checked.home, program }
  } finally {
    await shelf.close()
  }
}
