import { hostname } from 'node:os'
import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.js'
import { shellWord } from '../../core/shell-word.js'
import { tenantFlag } from '../../terminal/flags/flags.js'
import { MldsError } from '../../core/errors.js'
import { integerFlag } from '../../terminal/flags/integer-flag.js'

const loopback = ['127.0.0.1', 'localhost', '::1']

export default class NatsInit extends BaseCommand {
  static override storeUse = 'makes' as const
  static override description =
    'Writes the configuration of a NATS server: accounts, and keys for orchestrators and for workers; again for a further tenant or worker'
  static override examples = [
    '<%= config.bin %> nats init',
    '<%= config.bin %> nats init --worker gpu-17 --worker gpu-18',
    '<%= config.bin %> nats init --host 0.0.0.0 --url tls://lab.example.org:4222 --tls-cert server.pem --tls-key server.key',
  ]
  static override args = {
    folder: Args.string({ description: 'where to write it (default: nats/ in the store, where `nats up` looks)' }),
  }
  static override flags = {
    tenant: tenantFlag(),
    worker: Flags.string({
      description: 'a key of its own for a worker, which can be taken back alone (may be given again)',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
      default: [],
      defaultHelp: async () => '',
    }),
    domain: Flags.string({
      description: "the server's JetStream domain, where leaf nodes are to reach it",
      helpValue: 'NAME',
    }),
    host: Flags.string({ description: 'the address to listen on; 0.0.0.0 for every one', default: '127.0.0.1' }),
    port: integerFlag({
      description: 'where it listens',
      defaultHelp: async () => 'that of --url, else 4222',
      min: 1,
      max: 65_535,
    }),
    url: Flags.string({ description: 'how orchestrators and workers reach it (default: this host)', helpValue: 'URL' }),
    'tls-cert': Flags.string({ description: "the server's certificate", helpValue: 'FILE', dependsOn: ['tls-key'] }),
    'tls-key': Flags.string({ description: "the certificate's key", helpValue: 'FILE', dependsOn: ['tls-cert'] }),
    'tls-ca': Flags.string({
      description: 'the authority that signed it, when it is not a public one',
      helpValue: 'FILE',
      dependsOn: ['tls-cert'],
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(NatsInit)
    const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca, host } = flags
    const port = flags.port ?? portOf(flags.url) ?? 4222
    if (flags.url?.includes('@') === true)
      throw new MldsError('USAGE', '--url: an address without user and password is wanted: keys take their place')
    for (const name of flags.worker)
      if (!/^[a-z0-9-]{1,40}$/.test(name))
        throw new MldsError(
          'USAGE',
          `--worker: not a name of a key: ${name} (small letters, digits and dashes, at most 40)`,
        )
    if (flags.domain !== undefined && !/^[A-Za-z0-9_-]{1,40}$/.test(flags.domain))
      throw new MldsError(
        'USAGE',
        `--domain: not a name of a domain: ${flags.domain} (letters, digits, dashes, at most 40)`,
      )
    const local = loopback.includes(host)
    const scheme = cert === undefined ? 'nats' : 'tls'
    const { writeAccess } = await import('../../worker/remote/admin/access.js')
    const { existsSync } = await import('node:fs')
    for (const file of [cert, key, ca])
      if (file !== undefined && !existsSync(file)) throw new MldsError('USAGE', `there is no such file: ${file}`)
    const written = writeAccess({
      folder: args.folder ?? join((await this.openStore(flags.store)).folder, 'nats'),
      tenant: flags.tenant,
      workers: flags.worker,
      ...(flags.domain === undefined ? {} : { domain: flags.domain }),
      host,
      port,
      ...(flags.url === undefined ? {} : { url: flags.url }),
      defaultUrl: `${scheme}://${local ? 'localhost' : hostname()}:${port}`,
      ...(cert === undefined || key === undefined ? {} : { tls: { cert, key, ...(ca === undefined ? {} : { ca }) } }),
    })
    const { orchestrator, worker } = written.contexts
    this.log(`${written.kept ? 'Kept' : 'Wrote'} ${written.config}, wrote keys and accounts beside it.`)
    if (written.kept)
      this.log(`A server that runs refuses deleted keys after: nats-server --signal reload
New keys for workers count once it is started again; nothing that it holds is lost.`)
    if (written.moved)
      this
        .log(`Workers now have accounts of their own. Once the server was started again, whoever has the ${worker.split('/').at(-1)} of before
is refused: copy the new one to each worker's host and start the worker again, with this version of mlds.`)
    if (!local && cert === undefined)
      this.warn('without --tls-cert and --tls-key everything but the keys crosses the network in the clear')
    const start = args.folder === undefined ? 'mlds nats up' : `mlds nats up --config ${shellWord(written.config)}`
    this.advise(`
The server:        ${start}
Orchestrators:     export NATS_CONTEXT=${shellWord(orchestrator)}
                   mlds sweep params --nats ${written.url}
Workers elsewhere: copy ${(written.workers[0] ?? worker).replace(/json$/, '{json,nk}')}${written.hasAuthority ? ' and ca.pem' : ''} to the host, then
                   NATS_CONTEXT=${(written.workers[0] ?? worker).split('/').at(-1)} mlds worker start --slots 4`)
    return written
  }
}

/** The port that an address names; `undefined` for one that names none, or several servers. */
function portOf(url = ''): number | undefined {
  const [, port] = /^[^,]*:(\d{1,5})\/?$/.exec(url) ?? []
  const number = Number(port)
  return number >= 1 && number <= 65_535 ? number : undefined
}
