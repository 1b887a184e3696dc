import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createUser, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { makeFolderSync } from '../../../system/make-folder.js'
import { StoreError } from '../../../core/errors.js'
import { canSyncAlways, natsServerVersion } from './nats-server.js'
import { mappingsOf, workerAccount, type Service } from './worker-account.js'
import { problemOf } from '../../../core/system-error.js'
import { prefixOfAccount } from '../wire/confinement.js'
import { namesOf } from '../wire/names.js'

export interface AccessOptions {
  readonly folder: string
  readonly tenant: string
  /** The address the server listens on. */
  readonly host: string
  readonly port: number
  /** How orchestrators and workers reach it. Default: as the contexts that are there say, else `defaultUrl`. */
  readonly url?: string
  /** Default: where it listens. */
  readonly defaultUrl?: string
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
  /** The server's JetStream domain, for one that leaf nodes reach. Default: as the contexts that are there say. */
  readonly domain?: string
  /** Workers that get keys of their own, beside the one that all others share. Default: none. */
  readonly workers?: readonly string[]
}

export interface WrittenAccess {
  readonly config: string
  /** How the server is reached, and whether its authority's certificate goes to each host too. */
  readonly url: string
  readonly hasAuthority: boolean
  /** Context files, for NATS_CONTEXT; each stands beside the key that it names. */
  readonly contexts: { readonly orchestrator: string; readonly worker: string }
  /** Those of the workers that were named, in their order. */
  readonly workers: readonly string[]
  /** The server's configuration was there already and is as it was. */
  readonly kept: boolean
  /** Workers had no accounts of their own before: each needs the context that was written now. */
  readonly moved: boolean
}

/** Whom each key is for; it names the key's files. */
const [orchestrator, worker] = ['orchestrator', 'worker'] as const
const namedWorker = (name: string): string => `${worker}-${name}`
const workerKey = /^(worker(?:-[a-z0-9-]{1,40})?)\.nk$/

/**
 * Writes a server's configuration with an account per tenant, one for each of its workers' keys, and the keys (nkeys).
 * Keys that are there stay, so it may be called again, for a further tenant or after a key was deleted;
 * `accounts.conf` is written anew each time, `server.conf` only once. Only the owner can read any of it.
 *
 *     server.conf  accounts.conf  <tenant>/orchestrator.nk .json  <tenant>/worker.nk .json  <tenant>/worker-<name>.nk .json
 *
 * @throws StoreError when the folder can't be written or a key in it can't be read.
 */
export function writeAccess(options: AccessOptions): WrittenAccess {
  const folder = resolve(options.folder)
  try {
    const home = join(folder, options.tenant)
    makeFolderSync(home, 0o700)
    const reach = reachOf(options, folder)
    const named = (options.workers ?? []).map(namedWorker)
    for (const holder of new Set([orchestrator, worker, ...named, ...workersIn(home)])) {
      const keyFile = join(home, `${holder}.nk`)
      if (!existsSync(keyFile)) writePrivate(keyFile, `${new TextDecoder().decode(createUser().getSeed())}\n`)
      writePrivate(join(home, `${holder}.json`), contextOf(options.tenant, reach, { holder, key: readKey(keyFile) }))
    }
    if (reach.ca !== undefined && resolve(reach.ca) !== join(home, 'ca.pem'))
      copyFileSync(reach.ca, join(home, 'ca.pem'))
    const accounts = join(folder, 'accounts.conf')
    const moved = existsSync(accounts) && !readFileSync(accounts, 'utf8').includes('imports: [')
    writePrivate(accounts, accountsOf(folder))
    const config = join(folder, 'server.conf')
    const kept = existsSync(config)
    if (!kept) writePrivate(config, serverOf({ ...options, folder }))
    const context = (holder: string): string => join(home, `${holder}.json`)
    const contexts = { orchestrator: context(orchestrator), worker: context(worker) }
    const { url, ca } = reach
    return { config, url, hasAuthority: ca !== undefined, contexts, workers: named.map(context), kept, moved }
  } catch (error) {
    if (error instanceof StoreError) throw error
    throw new StoreError(`access to NATS could not be written: ${problemOf(error)}`, { cause: error })
  }
}

/** How the server is reached: the same for all that is written for it. */
interface Reach {
  readonly url: string
  /** The file of the authority that its certificate is from. */
  readonly ca: string | undefined
  readonly domain: string | undefined
}

/** As is said now; what is not said stays as it was said when the contexts of this tenant, or of another, were written. */
function reachOf({ url, tls, domain, tenant, host, port, ...options }: AccessOptions, folder: string): Reach {
  const homes = [tenant, ...readdirSync(folder)].map((name) => join(folder, name))
  const home = homes.find((candidate) => existsSync(join(candidate, `${orchestrator}.json`)))
  const before = home === undefined ? {} : readContext(join(home, `${orchestrator}.json`))
  return {
    url: url ?? before.url ?? options.defaultUrl ?? `nats://${host}:${port}`,
    ca: tls?.ca ?? (before.ca === undefined ? undefined : resolve(home!, before.ca)),
    domain: domain ?? before.jetstream_domain,
  }
}

/** What of an earlier context is a text; nothing of a file that is none. */
function readContext(file: string): {
  readonly url?: string
  readonly ca?: string
  readonly jetstream_domain?: string
} {
  try {
    const facts = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as object)
    return Object.fromEntries(facts.filter(([, value]) => typeof value === 'string'))
  } catch {
    return {}
  }
}

/** The workers that have keys here. */
const workersIn = (home: string): string[] =>
  readdirSync(home)
    .flatMap((file) => workerKey.exec(file)?.[1] ?? [])
    .sort()

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

/** What stands for a key in subjects and in the name of its account. */
const tokenOf = (key: KeyPair): string => key.getPublicKey().slice(-12)

/** Replies come to subjects that no other key may listen to. */
const inboxOf = (key: KeyPair): string => `_INBOX_${tokenOf(key)}`

/** A context of the `nats` command (ADR-21): its files are named as beside it, so that they can be copied together. */
function contextOf(
  tenant: string,
  { url, ca, domain }: Reach,
  { holder, key }: { readonly holder: string; readonly key: KeyPair },
): string {
  const api = holder === orchestrator ? {} : { jetstream_api_prefix: prefixOfAccount(tokenOf(key)) }
  const context = {
    description: `mlds, tenant ${tenant}: ${holder}`,
    url,
    nkey: `${holder}.nk`,
    inbox_prefix: inboxOf(key),
    ...api,
    ...(domain === undefined || holder !== orchestrator ? {} : { jetstream_domain: domain }),
    ...(ca === undefined ? {} : { ca: 'ca.pem' }),
  }
  return `${JSON.stringify(context, null, 2)}\n`
}

function serverOf({ folder, host, port, tls, domain }: AccessOptions): string {
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
${domain === undefined ? '' : `  domain: ${JSON.stringify(domain)}\n`}  # Nothing that was acknowledged is lost with the power. nats-server 2.10 or later.
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
    .flatMap((entry) => {
      const isOne = [orchestrator, worker].every((holder) => existsSync(join(folder, entry.name, `${holder}.nk`)))
      return isOne ? [entry.name] : []
    })
    .sort()
  return `# Written by \`mlds nats init\` from the keys beside it: changes here are lost at the next.
accounts {
${tenants.map((tenant) => tenantAccounts(tenant, join(folder, tenant))).join('\n')}
}
`
}

/** The account where a tenant's orchestrators are, and one for each worker's key. */
function tenantAccounts(tenant: string, home: string): string {
  const names = namesOf(tenant)
  const own = `MLDS_${tenant}`
  const workers = workersIn(home).map((holder) => {
    const key = readKey(join(home, `${holder}.nk`))
    const { services, streams } = workerAccount(names, tokenOf(key))
    return { holder, key, account: `${own}_WORKER_${tokenOf(key)}`, services, streams }
  })
  const exports = new Map<string, { service: Service; accounts: string[] }>()
  for (const { account, services } of workers)
    for (const service of services) {
      const known = exports.get(service.subject)
      if (known === undefined) exports.set(service.subject, { service, accounts: [account] })
      else known.accounts.push(account)
    }
  const all = workers.map(({ account }) => account)
  const exported = [
    ...[...exports.values()].map(({ service: { subject, streamed }, accounts }) => {
      const answers = streamed === true ? ', response_type: stream' : ''
      return `{ service: ${JSON.stringify(subject)}${answers}, accounts: [${accounts.join(', ')}] }`
    }),
    ...workers[0]!.streams.map((subject) => `{ stream: ${JSON.stringify(subject)}, accounts: [${all.join(', ')}] }`),
  ]
  return `  # What is in one account, no other can see but for what is exported to it.
  ${own} {
    jetstream: enabled
    mappings: {
${lines(
  mappingsOf(names).map(([from, to]) => `${JSON.stringify(from)}: ${JSON.stringify(to)}`),
  6,
)}
    }
    users: [
      # Orchestrators may do everything in their account.
      { nkey: ${readKey(join(home, `${orchestrator}.nk`)).getPublicKey()} }
    ]
    exports: [
${lines(exported, 6)}
    ]
  }
${workers.map((one) => importingAccount(one, own)).join('\n')}`
}

interface ImportingAccount {
  readonly holder: string
  readonly key: KeyPair
  readonly account: string
  readonly services: readonly Service[]
  readonly streams: readonly string[]
}

function importingAccount({ holder, key, account, services, streams }: ImportingAccount, from: string): string {
  const imported = [
    ...services.map(({ subject, as }) => {
      const to = as === undefined ? '' : `, to: ${JSON.stringify(as)}`
      return `{ service: { account: ${from}, subject: ${JSON.stringify(subject)} }${to} }`
    }),
    ...streams.map((subject) => `{ stream: { account: ${from}, subject: ${JSON.stringify(subject)} } }`),
  ]
  const publish = services.map(({ subject, as }) => JSON.stringify(as ?? subject))
  const subscribe = [`${inboxOf(key)}.>`, ...streams].map((subject) => JSON.stringify(subject))
  return `  # ${holder}
  ${account} {
    users: [
      {
        nkey: ${key.getPublicKey()}
        permissions: {
          publish: [
${lines(publish, 12)}
          ]
          subscribe: [
${lines(subscribe, 12)}
          ]
        }
      }
    ]
    imports: [
${lines(imported, 6)}
    ]
  }`
}

const lines = (entries: readonly string[], indent: number): string =>
  entries.map((entry) => `${' '.repeat(indent)}${entry}`).join('\n')
