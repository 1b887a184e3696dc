import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { parseDuration } from '../../core/duration.js'
import { mapping } from './grid.js'

/** What a trial takes of its host while it runs. */
export interface Resources {
  /** Devices; less than 1 shares one. Default 0. */
  readonly gpu?: number
  /** Of 10^9 bytes. Default 0. */
  readonly memoryGb?: number
  /** Each trial runs in a process of its own. Default: trials of mlds' own process share it. */
  readonly isolate?: true
}

const maxGpus = 1_024
const maxMemoryGb = 100_000

/** `resources: {gpu: 0.5, memoryGb: 8, isolate: true}`. @throws SpaceError, UnknownNameError. */
export function parseResources(raw: unknown): Resources {
  const { gpu, memoryGb, isolate, ...others } = mapping('resources', raw)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of resources', unknown, ['gpu', 'memoryGb', 'isolate'])
  if (gpu !== undefined && !(isAmount(gpu, maxGpus) && (gpu < 1 || Number.isInteger(gpu))))
    throw new SpaceError(`resources: gpu: ${quoteInput(gpu)} (a share such as 0.5, or a whole number of devices)`)
  if (memoryGb !== undefined && !isAmount(memoryGb, maxMemoryGb))
    throw new SpaceError(`resources: memoryGb: ${quoteInput(memoryGb)} is not a number of GB above 0`)
  if (isolate !== undefined && typeof isolate !== 'boolean')
    throw new SpaceError(`resources: isolate: ${quoteInput(isolate)} is neither true nor false`)
  return {
    ...(gpu === undefined ? {} : { gpu }),
    ...(memoryGb === undefined ? {} : { memoryGb }),
    ...(isolate === true ? { isolate } : {}),
  }
}

const isAmount = (value: unknown, max: number): value is number =>
  typeof value === 'number' && value > 0 && value <= max

/** What a label may be: it stands in a command line and in a list. */
const labelPattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,59}$/
const maxLabels = 100

/** `labels: [a100, fast-disk]`, or one. @throws SpaceError. */
export function parseLabels(raw: unknown, key: 'labels' | 'tags' = 'labels'): string[] {
  const labels = Array.isArray(raw) ? raw : [raw]
  if (labels.length > maxLabels) throw new SpaceError(`${key}: ${labels.length} are too many (at most ${maxLabels})`)
  for (const label of labels)
    if (typeof label !== 'string' || !labelPattern.test(label))
      throw new SpaceError(
        `${key}: ${quoteInput(label)} is not a label (letters, digits, dots, dashes and underscores, at most 60)`,
      )
  return [...new Set(labels as string[])].sort()
}

/** The longest that a timer takes. */
const maxTimeLimitMs = 2 ** 31 - 1

/** `timeLimitMs: 600000`. @throws SpaceError. */
export function parseTimeLimit(raw: unknown): number {
  if (typeof raw !== 'number' || !(raw >= 1 && raw <= maxTimeLimitMs))
    throw new SpaceError(`timeLimitMs: ${quoteInput(raw)} is not a number of milliseconds (1 to ${maxTimeLimitMs})`)
  return raw
}

/** `timeout: 10m`, in milliseconds. @throws SpaceError. */
export function parseTimeout(raw: unknown): number {
  const ms = typeof raw === 'string' ? parseDuration(raw) : undefined
  if (ms === undefined || !(ms >= 1 && ms <= maxTimeLimitMs))
    throw new SpaceError(`timeout: ${quoteInput(raw)} is not a duration (such as 90s, 10m or 1h30m, at most 24d)`)
  return ms
}

const maxRetries = 100

/** `retries: 2`. @throws SpaceError. */
export function parseRetries(raw: unknown): number {
  if (!Number.isSafeInteger(raw) || (raw as number) < 0 || (raw as number) > maxRetries)
    throw new SpaceError(`retries: ${quoteInput(raw)} is not a number of further attempts (0 to ${maxRetries})`)
  return raw as number
}
