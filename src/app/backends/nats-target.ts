import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isMine } from '../../system/ownership.js'
import { readRegularFile } from '../../system/read-regular-file.js'
import { replaceFile } from '../../system/replace-file.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'

/** Which NATS server, and whose queue on it. */
export interface NatsTarget {
  /** As given by a flag; `undefined` finds it as the `nats` command does. */
  readonly nats: string | undefined
  readonly tenant: string
}

/** What a person says of the server. */
export interface NatsFlags {
  readonly nats?: string | undefined
  readonly tenant: string
}

const targetFile = (sweep: SweepFolder): string => join(sweep.folder, 'nats.json')

interface Remembered {
  readonly url?: string
  readonly tenant: string
  readonly ship?: true
}

/** So that later commands find the server without being told; never with a password. `ship`: the experiment's files go along. */
export async function rememberTarget(sweep: SweepFolder, { nats, tenant }: NatsTarget, ship: boolean): Promise<void> {
  const url = nats?.replace(/\/\/[^@/,]*@/g, '//')
  await replaceFile(
    targetFile(sweep),
    Buffer.from(
      `${JSON.stringify({ ...(url === undefined ? {} : { url }), tenant, ...(ship && { ship }) } satisfies Remembered)}\n`,
    ),
  )
}

/** Where the flags say, or where the sweep last ran; `undefined` for one that ran on threads only. */
export function targetOf(flags: NatsFlags, sweep: SweepFolder | undefined): NatsTarget | undefined {
  if (flags.nats !== undefined) return { nats: flags.nats, tenant: flags.tenant }
  const remembered = sweep === undefined ? undefined : readRemembered(sweep)
  return remembered === undefined ? undefined : { nats: remembered.url, tenant: remembered.tenant }
}

/** Whether trials of it may lie in a server's queue, or run on workers: their results come under the name that it had then. */
export const mayBeQueued = (sweep: SweepFolder): boolean =>
  (sweep.closedAs === 'detached' || existsSync(targetFile(sweep))) && sweep.restore().counts().missing > 0

/** Whether the files of the sweep's experiment travelled with its trials where it last ran. */
export const hasShipped = (sweep: SweepFolder): boolean => readRemembered(sweep)?.ship === true

function readRemembered(sweep: SweepFolder): Remembered | undefined {
  try {
    // A server that another user wrote down is not to be given this one's secrets.
    if (!isMine(statSync(targetFile(sweep)))) return undefined
    return JSON.parse(readRegularFile(targetFile(sweep), 'utf8')) as Remembered
  } catch {
    return undefined
  }
}
