import { parseDuration } from '../../core/duration.js'
import { MldsError } from '../../core/errors.js'
import { parseHosts, type Host } from '../../fleet/host.js'

/** Where the workers of one sweep are to be started. */
export type FleetChoice =
  | { readonly kind: 'ssh'; readonly hosts: readonly Host[] }
  | { readonly kind: 'slurm'; readonly count: number; readonly timeMs: number }

const shapes = 'ssh:HOST,HOST or slurm:COUNT,TIME'

/**
 * `ssh:lab1,me@lab2:2222`, or `slurm:8,2h` for eight workers that have two hours each.
 * @throws MldsError for anything else.
 */
export function parseFleet(raw: string): FleetChoice {
  const [, kind, rest = ''] = /^(ssh|slurm):(.+)$/s.exec(raw) ?? []
  if (kind === 'ssh') return { kind, hosts: parseHosts(rest.split(',')) }
  const [, count, time = ''] = (kind === 'slurm' && /^(\d{1,5}),(.+)$/s.exec(rest)) || []
  const timeMs = parseDuration(time) ?? 0
  if (Number(count) >= 1 && Number(count) <= 10_000 && timeMs >= 60_000 && timeMs <= 365 * 86_400_000)
    return { kind: 'slurm', count: Number(count), timeMs }
  throw new MldsError('USAGE', `--fleet: ${JSON.stringify(raw.slice(0, 100))} is not ${shapes}`, {
    hint: 'such as --fleet ssh:lab1,lab2 or --fleet slurm:8,2h (1 to 10,000 workers, a minute to a year)',
  })
}
