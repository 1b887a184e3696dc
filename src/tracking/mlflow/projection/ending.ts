import { isMapping } from '../../../core/is-mapping.js'
import type { Metrics, Outcome } from '../../../core/trial.js'

/** How an attempt ended, as its run says it. */
export type Ending = Outcome | { readonly state: 'lost'; readonly reason: string }

/** The outcome that a tag or a file holds as JSON; undefined for what mlds does not write: whoever may write to a server may alter it. */
export function readEnding(text: string): Ending | undefined {
  const told = parseJson(text)
  if (!isMapping(told) || !isEnding(told)) return undefined
  const outcome = told as unknown as Ending
  return 'metrics' in outcome ? { ...outcome, metrics: readMetrics(outcome.metrics) } : outcome
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** NaN and infinities travel as words. */
export function readMetrics(metrics: Readonly<Record<string, unknown>>): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, Number(value)]))
}

type Told = Readonly<Record<string, unknown>>

function isEnding(told: Told): boolean {
  const { state, reason, metric, step, error } = told
  switch (state) {
    case 'finished':
      return hasResult(told)
    case 'stopped':
      return hasResult(told) && isText(reason)
    case 'diverged':
      return hasResult(told) && isText(metric) && (step === undefined || Number.isSafeInteger(step))
    case 'failed':
      return isMapping(error) && isText(error['name']) && isText(error['message'])
    case 'dead':
    case 'cancelled':
    case 'skipped':
    case 'lost':
      return isText(reason)
    default:
      return false
  }
}

function hasResult({ metrics, artifacts }: Told): boolean {
  return isMetrics(metrics) && isMapping(artifacts) && Object.values(artifacts).every(isArtifact)
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isNumber = (value: unknown): boolean =>
  typeof value === 'number' || value === 'NaN' || value === 'Infinity' || value === '-Infinity'

export const isMetrics = (value: unknown): value is Told => isMapping(value) && Object.values(value).every(isNumber)

function isArtifact(value: unknown): boolean {
  if (!isMapping(value)) return false
  const { sha256, sizeBytes } = value
  return typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) && Number.isSafeInteger(sizeBytes)
}
