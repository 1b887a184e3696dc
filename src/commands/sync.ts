import { formatCount } from '../core/format.js'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { sweepArg, trackCheckpointsFlag, trackFlag, trustCodeFlag } from '../terminal/flags/flags.js'
import type { Clock } from '../core/clock.js'
import { MldsError } from '../core/errors.js'

export default class Sync extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description =
    'Brings a sweep from its journal to MLflow, with its original times; what is there already is not sent again'
  static override examples = ['<%= config.bin %> sync latest --track http://127.0.0.1:5000']
  static override args = { sweep: sweepArg }
  static override flags = {
    track: trackFlag,
    'track-checkpoints': trackCheckpointsFlag,
    deep: Flags.boolean({ description: 'compare every point and file with what the server has, too (slower)' }),
    'trust-code': trustCodeFlag,
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Sync)
    const { syncSweep } = await import('../app/sync.js')
    const { systemClock } = await import('../core/clock.js')
    const { trackingUrl } = await import('../tracking/mlflow/rest/settings.js')
    const url = trackingUrl(flags.track)
    if (url === undefined) {
      throw new MldsError('USAGE', 'no MLflow server was named', {
        hint: 'give one with --track http://HOST:5000 or MLFLOW_TRACKING_URI',
      })
    }
    const store = await this.openStore(flags.store)
    const sweep = await this.sweepId(store, args.sweep)
    const told = await syncSweep(store, sweep, {
      url,
      checkpoints: flags['track-checkpoints'],
      deep: flags.deep,
      trustCode: flags['trust-code'],
      warn: (message) => this.warn(message),
      onProgress: seldom(systemClock, (brought, of) => {
        const then = brought === of ? '; its figures are drawn next' : ''
        process.stderr.write(`${brought} of ${formatCount(of, 'run')} brought${then}\n`)
      }),
      firstAnswer: { say: (sentence) => void process.stderr.write(`${sentence}\n`) },
    })
    this.log(
      `${formatCount(told.sent, 'run')} brought up to date: ${told.link}\nits story: ${told.parentLink}\nside by side: ${told.compareLink}`,
    )
    return { sweep, ...told }
  }
}

const everyMs = 5_000

/** Tells at most every five seconds, first after as long. */
function seldom(clock: Clock, tell: (brought: number, of: number) => void): (brought: number, of: number) => void {
  let toldAtMs = clock.monotonic()
  let hasTold = false
  return (brought, of) => {
    const now = clock.monotonic()
    if (now - toldAtMs < everyMs && !(hasTold && brought === of)) return
    toldAtMs = now
    hasTold = true
    tell(brought, of)
  }
}
