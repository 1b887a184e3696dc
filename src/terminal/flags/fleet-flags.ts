import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Flags, type Interfaces } from '@oclif/core'
import type { FleetChoice } from '../../app/fleet/fleet-choice.js'
import { fileProblem, MldsError } from '../../core/errors.js'
import { natsFlag, tenantFlag } from './flags.js'

const namePattern = /^[a-z0-9][a-z0-9-]{0,29}$/

/** No word of a command line holds it. */
const notAFlag = '\0'

const access = {
  context: {
    description: 'the context of NATS that workers are given (default: worker.json beside yours)',
    helpValue: 'FILE',
  },
  setup: { description: 'a file that the worker’s shell reads first: module load, PATH', helpValue: 'FILE' },
  tunnel: {
    description: 'bring the server to hosts that can’t reach it, by ssh from here; lasts while this host is on',
  },
  'worker-arg': {
    description: 'a word for mlds worker start; may be given again (--worker-arg=--slots=4)',
    helpValue: 'WORD',
    multiple: true,
    multipleNonGreedy: true,
    parse: async (word: string) => word.replace(notAFlag, ''),
  },
} as const

/**
 * A word with its value attached is meant, also where it is called as a flag of the command itself, for which oclif would take it.
 * @returns what was typed, with such words marked for the flag to read.
 */
export const guardWorkerArgs = (argv: readonly string[]): string[] =>
  argv.map((word) => word.replace(/^--worker-arg=(?=-)/, `--worker-arg=${notAFlag}`))

export const tunnelFlag = Flags.boolean(access.tunnel)

/** For whoever starts workers elsewhere. */
const acceptCodeFlag = Flags.boolean({
  description: 'workers run what your sweeps send with --ship, signed with your key (mlds fleet key)',
})

/** Words for workers that are to take this user's code; the key is made where there is none. */
export async function wordsToAccept(isWanted: boolean): Promise<string[]> {
  if (!isWanted) return []
  const { openCodeKey } = await import('../../app/backends/code-key.js')
  return ['--accept-code', openCodeKey(process.env).written]
}

/** What every way to start a fleet needs to know. */
export const fleetFlags = {
  name: Flags.custom<string>({
    description: 'what the fleet is called',
    helpValue: 'NAME',
    default: async () => `fleet-${randomBytes(3).toString('hex')}`,
    defaultHelp: async () => 'fleet- and six digits',
    parse: async (raw) => {
      if (namePattern.test(raw)) return raw
      throw new MldsError('USAGE', `--name: ${raw} is not a name (small letters, digits and dashes, at most 30)`)
    },
  })(),
  nats: natsFlag(),
  tenant: tenantFlag(),
  context: Flags.string(access.context),
  setup: Flags.string(access.setup),
  'accept-code': acceptCodeFlag,
  'worker-arg': Flags.string({
    ...access['worker-arg'],
    multiple: true,
    default: [],
    defaultHelp: async () => '',
  }),
}

const withFleet = { dependsOn: ['fleet'], helpGroup: 'FLEET' }

/** For a sweep that brings its workers along. */
export const sweepFleetFlags = {
  fleet: Flags.custom<FleetChoice>({
    description: 'start workers for this sweep and end them with it: ssh:HOST,HOST or slurm:COUNT,TIME (docs/fleet.md)',
    helpValue: 'WHERE',
    helpGroup: 'FLEET',
    parse: async (raw) => (await import('../../app/fleet/fleet-choice.js')).parseFleet(raw),
  })(),
  context: Flags.string({ ...access.context, ...withFleet }),
  setup: Flags.string({ ...access.setup, ...withFleet }),
  tunnel: Flags.boolean({ ...access.tunnel, ...withFleet }),
  'worker-arg': Flags.string({ ...access['worker-arg'], ...withFleet, multiple: true }),
}

/** @throws MldsError when there is no such file. */
export function readSetup(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new MldsError('USAGE', `--setup: ${file} can't be read: ${fileProblem(error)}`)
  }
}

/** What was typed, parted at the first `--`. */
export function partedArgv(argv: readonly string[]): { before: string[]; after: string[] } {
  const at = argv.indexOf('--')
  return at < 0 ? { before: [...argv], after: [] } : { before: argv.slice(0, at), after: argv.slice(at + 1) }
}

/** Words that a job of Slurm says itself. */
export const saidBySlurm = ['time-limit', 'idle-timeout', 'grace']

/** Said by the fleet itself. */
const own = ['nats', 'tenant', 'name', 'store', 'json']

/**
 * Reads words for `mlds worker start` as each host will, so that a mistake is told once and at once.
 * @param flags those of that command.
 * @param said what the fleet says itself, beside where and whose.
 * @returns the seconds of grace that they give, and the lease that they ask for.
 * @throws MldsError for what only the fleet may say, and as that command does for the rest.
 */
export async function checkWorkerArgs(
  words: readonly string[],
  flags: Interfaces.FlagInput,
  said: readonly string[] = [],
): Promise<{ graceSeconds: number; leaseMs: number | undefined }> {
  const mine = words.find((word) =>
    [...own, ...said].some((name) => word === `--${name}` || word.startsWith(`--${name}=`)),
  )
  if (mine !== undefined)
    throw new MldsError('USAGE', `${mine} is not for the workers of a fleet: the fleet says it (give it before --)`)
  const { Parser } = await import('@oclif/core')
  const parsed = await Parser.parse([...words], { flags, strict: true })
  return { graceSeconds: parsed.flags['grace'] as number, leaseMs: parsed.flags['lease'] as number | undefined }
}
