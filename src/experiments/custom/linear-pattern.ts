import v8 from 'node:v8'
import { SpaceError } from '../../core/errors.js'

/**
 * A pattern with named groups, held against lines in a time that is linear in their length: V8's engine without
 * backtracking, so that no pattern can hang a trial. @throws SpaceError for one that this engine can't run.
 */
export function linearPattern(source: string): RegExp {
  v8.setFlagsFromString('--enable-experimental-regexp-engine')
  let pattern: RegExp
  try {
    pattern = new RegExp(source, 'l')
  } catch (error) {
    const isSlow = /linear time/.test((error as Error).message)
    throw new SpaceError(
      isSlow
        ? `parse: ${source} can't be matched in linear time (look-around, back references and large counts are not taken)`
        : `parse: ${source} is not a regular expression: ${(error as Error).message.replace(/^.*: /, '')}`,
    )
  }
  if (!/\(\?<[^=!]/.test(source))
    throw new SpaceError(
      `parse: ${source} names no metric (such as: loss (?<loss>\\S+), and (?<step>\\d+) for a report)`,
    )
  return pattern
}
