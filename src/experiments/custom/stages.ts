import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError } from '../../core/errors.js'
import { groupBy } from '../../core/group-by.js'
import { isMapping } from '../../core/is-mapping.js'
import { lookUp } from '../../core/names.js'
import { valueKey } from '../../core/param-value.js'
import type { Trial } from '../../core/trial.js'
import type { ProgramDerivation } from './source.js'

/** A stage's name is in ids, addresses (`evaluate.digits`) and tables. */
const stageName = /^[A-Za-z][A-Za-z0-9_-]{0,59}$/
const maxStages = 20
/** More would be more trials than a plan holds. */
const maxGroups = 1_000_000

/** One stage as it was written, its name checked. */
export interface WrittenStage {
  readonly name: string
  readonly command: Readonly<Record<string, unknown>>
  readonly derive?: ProgramDerivation
}

/**
 * Reads `stages: {train: {command: …}, evaluate: {derive: train, command: …}}`; what stands beside `stages` is said of each that
 * does not say it. @throws SpaceError, UnknownNameError.
 */
export function readStages(raw: unknown, shared: Readonly<Record<string, unknown>>): WrittenStage[] {
  if (!isMapping(raw) || Object.keys(raw).length === 0)
    throw new SpaceError(
      'stages: a mapping of names to commands (such as {train: {command: …}, evaluate: {command: …}})',
    )
  const names = Object.keys(raw)
  if (names.length > maxStages) throw new SpaceError(`stages: ${names.length} are too many (at most ${maxStages})`)
  return names.map((name, i) => {
    if (!stageName.test(name))
      throw new SpaceError(`stages: ${quoteInput(name)} is not a name (letters, digits, _ and -, a letter first)`)
    const written = raw[name]
    const { derive, ...command } = isMapping(written) ? written : { command: written, derive: undefined }
    if (command['stages'] !== undefined) throw new SpaceError(`stages: ${name}: a stage has no stages of its own`)
    if (i === 0) {
      if (derive !== undefined) throw new SpaceError(`stages: ${name}: derive: it is the first, and works on no other`)
      return { name, command: { ...shared, ...command } }
    }
    const earlier = names.slice(0, i)
    return { name, command: { ...shared, ...command }, derive: readDerivation(name, derive, earlier) }
  })
}

function readDerivation(stage: string, raw: unknown, earlier: readonly string[]): ProgramDerivation {
  const { from = earlier.at(-1), pairs, groups, ...others } = isMapping(raw) ? raw : { from: raw }
  const where = `stages: ${stage}: derive`
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new UnknownNameError(`key of ${where}`, strange, ['from', 'pairs', 'groups'])
  if (typeof from !== 'string' || !earlier.includes(from))
    throw new UnknownNameError(`earlier stage (${where})`, String(from), earlier)
  if (pairs !== undefined && groups !== undefined) throw new SpaceError(`${where}: pairs and groups (keep one)`)
  const [by, axes] = pairs !== undefined ? (['pairs', pairs] as const) : (['groups', groups] as const)
  if (axes === undefined) return { from, by: 'each', axes: [] }
  const list: unknown[] = Array.isArray(axes) ? axes : [axes]
  if (!list.every((axis) => typeof axis === 'string') || (by === 'pairs' && list.length === 0))
    throw new SpaceError(`${where}: ${by}: ${quoteInput(axes)} is not a list of axes (such as [lr])`)
  return { from, by, axes: list }
}

/** The groups of trials, in plan order. @throws SpaceError for more than a plan holds. */
export function groupsBy({ by, axes }: ProgramDerivation, trials: readonly Trial[]): (readonly Trial[])[] {
  if (by === 'each') return trials.map((trial) => [trial])
  if (by === 'pairs') return pairsOf(axes, trials)
  const groups = groupBy(trials, ({ params, seeds }) =>
    JSON.stringify(axes.map((axis) => (axis === 'seed' ? seeds : valueKey(lookUp(params, axis))))),
  )
  return [...groups.values()]
}

function pairsOf(axes: readonly string[], trials: readonly Trial[]): [Trial, Trial][] {
  const found: [Trial, Trial][] = []
  for (const axis of new Set(axes)) {
    const alike = groupBy(trials, ({ params, seeds }) =>
      JSON.stringify([seeds, Object.entries(params).filter(([name]) => name !== axis)]),
    )
    for (const group of alike.values())
      for (const [i, first] of group.entries())
        for (const second of group.slice(i + 1)) {
          if (found.length >= maxGroups) throw new SpaceError(`stages: more than ${maxGroups} pairs by ${axis}`)
          found.push([first, second])
        }
  }
  return found.sort(([a, b], [c, d]) => a.index - c.index || b.index - d.index)
}
