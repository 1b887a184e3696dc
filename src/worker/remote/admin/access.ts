import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createUser, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { makeFolderSync } from '../../../system/make-folder.js'
import { StoreError } from '../../../core/errors.js'
import { canSyncAlways, natsServerVersion } from './nats-server.js'
import { workerPermissions, type Permissions } from './permissions.js'
import { problemOf } from '../../../core/system-error.js'
import { namesOf } from '../wire/names.js'

export interface AccessOptions {
  readonly folder: string
  readonly tenant: string
  /** The address the server listens on. */
  readonly host: string
  readonly port: number
  /** How orchestrators and workers reach it. */
  readonly url: string
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
}

export interface WrittenAccess {
  readonly config: string
  /** Context files, for NATS_CONTEXT, by role; each stands beside the key that it names. */
  readonly contexts: Readonly<Record<Role, string>>
  /** The server's configuration was there already and is as it was. */
  readonly kept: boolean
}

const roles = ['orchestrator', 'worker'] as const
type Role = (typeof roles)[number]

/**
 * Writes a server's configuration with an account per tenant, and an nkey each for its orchestrators and its workers.
 * Keys that are there stay, so it may be called again, for a further tenant or after a key was deleted;
 * `accounts.conf` is written anew each time, `server.conf` only once. Only the owner can read any of it.
 *
 *     server.conf  accounts.conf  <tenant>/orchestrator.nk .json  <tenant>/worker.nk .json
 *
 * @throws StoreError when the folder can't be written or a key in it can't be read.
 */
export function writeAccess(options: AccessOptions): WrittenAccess {
  const folder = resolve(options.folder)
  try {
    const home = join(folder, options.tenant)
    makeFolderSync(home, 0o700)
    for (const role of roles) {
      const keyFile = join(home, `${role}.nk`)
      if (!existsSync(keyFile)) writePrivate(keyFile, `${new TextDecoder().decode(createUser().getSeed())}\n`)
      writePrivate(contextFile(folder, options.tenant, role), contextOf(options, role, readKey(keyFile)))
    }
    if (options.tls?.ca !== undefined) copyFileSync(options.tls.ca, join(home, 'ca.pem'))
    writePrivate(join(folder, 'accounts.conf'), accountsOf(folder))
    const config = join(folder, 'server.conf')
    const kept = existsSync(config)
    if (!kept) writePrivate(config, serverOf({ ...options, folder }))
    const contexts = Object.fromEntries(roles.map((role) => [role, contextFile(folder, options.tenant, role)]))
    return { config, contexts: contexts as Record<Role, string>, kept }
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw new StoreError(`access to NATS could not be written: ${problemOf(error)}`, { cause: error })
  }
}

const contextFile = (folder: string, tenant: string, role: Role): string => join(folder, tenant, `${role}.json`)

function writePrivate(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 })
}

function readKey(file: string): KeyPair {
  try {
    return fromSeed(new TextEncoder().encode(readFileSync(file, 'utf8').trim()))
  } catch (error) {
    throw new StoreError(`no nkey is in this file: ${file}`, {
      hint: 'delete it to have a new one made; whoever uses the old one is then refused',
      cause: error,
    })
  }
}

/** Replies come to subjects that no other key may listen to. */
const inboxOf = (key: KeyPair): string => `_INBOX_${key.getPublicKey().slice(-12)}`

/** A context of the `nats` command (ADR-21): its files are named as beside it, so that they can be copied together. */
function contextOf({ tenant, url, tls }: AccessOptions, role: Role, key: KeyPair): string {
  const context = {
    description: `mlds, tenant ${tenant}: ${role}`,
    url,
    nkey: `${role}.nk`,
    inbox_prefix: inboxOf(key),
    ...(tls?.ca === undefined ? {} : { ca: 'ca.pem' }),
  }
  return `${JSON.stringify(context, null, 2)}\n`
}

function serverOf({ folder, host, port, tls }: AccessOptions): string {
  const version = natsServerVersion()
  const sync = version === undefined || canSyncAlways(version)
  return `# Written once by \`mlds nats init\`: yours to change. Start it with \`mlds nats up\` or \`nats-server -c server.conf\`.
host: ${JSON.stringify(host)}
port: ${port}

# A dead connection is noticed within a minute instead of four.
ping_interval: "20s"
ping_max: 2

jetstream {
  store_dir: ${JSON.stringify(folder)}
  # Nothing that was acknowledged is lost with the power. nats-server 2.10 or later.
  ${sync ? '' : '# '}sync_interval: always
}

${tlsOf(tls)}
include "accounts.conf"
`
}

function tlsOf(tls: AccessOptions['tls']): string {
  if (tls === undefined)
    return `# Without TLS, parameters and results cross the network in the clear (keys never do).
# tls { cert_file: "server.pem", key_file: "server.key" }
`
  return `tls {
  cert_file: ${JSON.stringify(resolve(tls.cert))}
  key_file: ${JSON.stringify(resolve(tls.key))}
}
`
}

function accountsOf(folder: string): string {
  const tenants = readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (roles.every((role) => existsSync(join(folder, entry.name, `${role}.nk`))) ? [entry.name] : []))
    .sort()
  const accounts = tenants.map((tenant) => {
    const [orchestrator, worker] = roles.map((role) => readKey(join(folder, tenant, `${role}.nk`)))
    const permissions = workerPermissions(namesOf(tenant), inboxOf(worker!))
    return `  # What is in one account, no other can see.
  MLDS_${tenant} {
    jetstream: enabled
    users: [
      # Orchestrators may do everything in their account.
      { nkey: ${orchestrator!.getPublicKey()} }
      # Workers
      {
        nkey: ${worker!.getPublicKey()}
        permissions: {
${permissionList(permissions)}
        }
      }
    ]
  }`
  })
  return `# Written by \`mlds nats init\` from the keys beside it: changes here are lost at the next.
accounts {
${accounts.join('\n')}
}
`
}

function permissionList(permissions: Permissions): string {
  return (['publish', 'subscribe'] as const)
    .map((kind) => {
      const subjects = permissions[kind].map((subject) => `            ${JSON.stringify(subject)}`)
      return `          ${kind}: [\n${subjects.join('\n')}\n          ]`
    })
    .join('\n')
}
