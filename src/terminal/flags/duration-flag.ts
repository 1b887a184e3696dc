import { Flags } from '@oclif/core'
import { parseDuration, writeDuration } from '../../core/duration.js'
import { MldsError } from '../../core/errors.js'

/** @throws MldsError when it is none; `others` says what else would be right. */
export function readDuration(flag: string, raw: string, others = ''): number {
  const durationMs = parseDuration(raw)
  if (durationMs === undefined)
    throw new MldsError('USAGE', `--${flag}: ${raw} is not a time (such as 90s, 12h or 7d${others})`)
  return durationMs
}

type DurationLimits = {
  readonly minMs?: number
  readonly maxMs?: number
  /** What a word means instead. */
  readonly words?: Readonly<Record<string, number>>
}

/** What a timer takes, in whole days. */
const longestMs = 24 * 86_400_000

/** A flag that takes a time: `90s`, `10m`, `1h30m`, `2d`; in milliseconds. Default limits: a second, and what a timer takes. */
export const durationFlag = Flags.custom<number, DurationLimits>({
  parse: async (raw, _, { name, minMs = 1_000, maxMs = longestMs, words = {} }) => {
    if (Object.hasOwn(words, raw)) return words[raw]!
    const others = Object.keys(words).map((word) => `, or ${word}`)
    const durationMs = readDuration(name, raw, others.join(''))
    if (durationMs < minMs || durationMs > maxMs)
      throw new MldsError(
        'USAGE',
        `--${name}: ${raw} is not from ${writeDuration(minMs)} to ${maxMs === longestMs ? '24d' : writeDuration(maxMs)}`,
      )
    return durationMs
  },
})
