import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { trustCodeFlag } from '../terminal/flags/flags.js'
import { integerFlag } from '../terminal/flags/integer-flag.js'

export default class Dashboard extends BaseCommand {
  static override storeUse = 'reads' as const
  static override description =
    'Serves a live page of every sweep in the store to browsers of this host, for reading only unless --allow-actions; Ctrl-C ends it'
  static override examples = [
    '<%= config.bin %> dashboard',
    '<%= config.bin %> dashboard params-1a2b3c4d --port 8080 --no-open',
  ]
  static override args = {
    sweep: Args.string({ description: 'the sweep to open the page at: an id, the beginning of one, or "latest"' }),
  }
  static override flags = {
    port: integerFlag({ description: 'where it listens; 0 for a free port', default: 0, min: 0, max: 65_535 }),
    'allow-actions': Flags.boolean({
      description: 'let the page pause, resume and cancel sweeps, drain workers, and change notes and tags',
    }),
    'no-open': Flags.boolean({ description: 'print the address, and open no browser' }),
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Dashboard)
    const store = await this.openStore(flags.store, flags['allow-actions'] ? 'changes' : 'reads')
    const sweep = args.sweep === undefined ? undefined : await this.sweepId(store, args.sweep)
    const { startDashboard } = await import('../dashboard/server/dashboard-server.js')
    const { systemClock } = await import('../core/clock.js')
    const dashboard = await startDashboard({
      ...{ store, clock: systemClock, port: flags.port, trustCode: flags['trust-code'] },
      allowsActions: flags['allow-actions'],
      token: process.env['MLDS_DASHBOARD_TOKEN'],
    })
    const interruption = new AbortController()
    const interrupt = (): void => interruption.abort()
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, interrupt)
    try {
      const url = sweep === undefined ? dashboard.url : `${dashboard.url}#/sweep/${sweep}`
      const isRemote = process.env['SSH_CONNECTION'] !== undefined
      this.log(`Dashboard of ${store.folder}; Ctrl-C ends it`)
      this.log(`  ${url}`)
      if (isRemote) {
        const { hostname } = await import('node:os')
        this.log(`  from the host you came from: ssh -L ${dashboard.port}:127.0.0.1:${dashboard.port} ${hostname()}`)
      } else if (!flags['no-open']) {
        const { openInBrowser } = await import('../terminal/open-in-browser.js')
        openInBrowser(url, process.env)
      }
      const { signal } = interruption
      const told = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      await Promise.race([told, dashboard.ended])
      return { url, store: store.folder }
    } finally {
      await dashboard.close()
      for (const signal of signals) process.off(signal, interrupt)
    }
  }
}
