import type { Metrics, ProcessUsage } from '../../../core/trial.js'
import type { Attempt } from './attempts.js'
import type { Point, Tags } from '../rest/wire.js'

/** On a run whose trial had processes of its own: what they took, as JSON. The same is points that are no part of its series. */
export const usageTag = 'mlds.usage'

/**
 * Metrics by which MLflow's page of system metrics shows it. Names of our own: `system/cpu_utilization_percentage` and its like are of
 * a whole host.
 */
const usageMetrics = {
  'system/process_peak_memory_megabytes': ({ peakBytes }) => peakBytes / 1e6,
  'system/process_cpu_percentage': ({ cpuShare }) => 100 * cpuShare,
} satisfies Readonly<Record<string, (usage: ProcessUsage) => number>>

/** Metrics that tell what processes took, by name. */
export const metricsOfUsage = (usage: ProcessUsage): Metrics =>
  Object.fromEntries(Object.entries(usageMetrics).map(([key, of]) => [key, of(usage)]))

/** What is told of an attempt's processes; nothing where it called a metric of its own so, or by the name of a folder on the way. */
function toldUsage({ reports, end }: Attempt): ProcessUsage | undefined {
  if (end?.usage === undefined) return undefined
  const results = 'metrics' in end.outcome ? [end.outcome.metrics] : []
  const own = new Set([...reports.map(({ metrics }) => metrics), ...results].flatMap((metrics) => Object.keys(metrics)))
  return [...own].some(isTaken) ? undefined : end.usage
}

/** Names of which one is the other's folder can't both be in a store of files. */
const isTaken = (name: string): boolean =>
  Object.keys(usageMetrics).some((key) => `${key}/`.startsWith(`${name}/`) || name.startsWith(`${key}/`))

/** One point a metric, at the attempt's end. */
export function usagePoints(attempt: Attempt): Point[] {
  const usage = toldUsage(attempt)
  if (usage === undefined) return []
  return Object.entries(metricsOfUsage(usage)).map(([key, value]) => ({
    ...{ key, value, step: 0 },
    timestamp: attempt.end!.atMs,
  }))
}

export function usageTags(attempt: Attempt): Tags {
  const usage = toldUsage(attempt)
  return usage === undefined ? {} : { [usageTag]: JSON.stringify(usage) }
}

/** What a run says of its processes; undefined where it says nothing that can be read. */
export function readUsage(tags: Tags): ProcessUsage | undefined {
  try {
    const { peakBytes, cpuShare } = JSON.parse(tags[usageTag] ?? '{}') as Record<string, unknown>
    return typeof peakBytes === 'number' && typeof cpuShare === 'number' ? { peakBytes, cpuShare } : undefined
  } catch {
    return undefined
  }
}
