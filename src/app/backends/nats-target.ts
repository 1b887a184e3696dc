import { statSync } from 'node:fs'
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

/** So that later commands find the server without being told; never with a password. */
export async function rememberTarget(sweep: SweepFolder, { nats, tenant }: NatsTarget): Promise<void> {
  const url = nats?.replace(/\/\/[^@/,]*@/g, '//')
  await replaceFile(
    targetFile(sweep),
    Buffer.from(`${JSON.stringify({ ...(url === undefined ? {} : { url }), tenant })}\n`),
  )
}

/** Where the flags say, or where the sweep last ran; `undefined` for one that ran on threads only. */
export function targetOf(flags: NatsFlags, sweep: SweepFolder | undefined): NatsTarget | undefined {
  if (flags.nats !== undefined) return { nats: flags.nats, tenant: flags.tenant }
  if (sweep === undefined) return undefined
  try {
    // A server that another user wrote down is not to be given this one's secrets.
    if (!isMine(statSync(targetFile(sweep)))) return undefined
    const { url, tenant } = JSON.parse(readRegularFile(targetFile(sweep), 'utf8')) as { url?: string; tenant: string }
    return { nats: url, tenant }
  } catch {
    return undefined
  }
}
