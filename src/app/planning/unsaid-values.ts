import { SpaceError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { CommandDefinition } from '../../experiments/custom/source.js'
import type { Grid } from '../../sweeps/spec/grid.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'

/**
 * Refuses points of a command that leave out an axis which other points of the sweep have: a command declares no defaults but
 * its own, and a value of another point is none that the person chose.
 * @throws SpaceError with the place of the row, the baseline or the block.
 */
export function requireEveryValue(spec: SweepSpec, command: CommandDefinition): void {
  const defaults = defaultsOf(command)
  const require = (
    what: string,
    said: Iterable<string>,
    wanted: ReadonlySet<string>,
    path: SpecPath,
    nullForm: (name: string) => string,
  ): void => {
    const known = new Set([...said, ...defaults])
    const left = [...wanted].find((name) => !known.has(name))
    if (left === undefined) return
    writtenAt(path, () => {
      throw new SpaceError(
        `${what} leaves out ${left}, for which the command has no default (give it a value; ${nullForm(left)} leaves the option out; or name it under experiment: defaults)`,
      )
    })
  }
  const single = (name: string): string => `${name}: null`
  const checkRows = ({ points = [], around }: Pick<Grid, 'points' | 'around'>, above: SpecPath): void => {
    const inRows = new Set(points.flatMap((row) => Object.keys(row)))
    for (const [i, row] of points.entries())
      require('points: a row', Object.keys(row), inRows, [...above, 'points', i], single)
    if (around === undefined) return
    const varied = new Set(Object.keys(around.vary))
    require('around: the baseline', Object.keys(around.baseline), varied, [...above, 'around'], single)
  }
  const { blocks = [] } = spec
  checkRows(spec, [])
  const everywhere = namedBy(spec)
  const inBlocks = new Set(blocks.flatMap((block) => namedBy(block)))
  for (const [i, block] of blocks.entries()) {
    checkRows(block, ['blocks', i])
    require('blocks: a block', [...everywhere, ...namedBy(block)], inBlocks, ['blocks', i], (name) => `${name}: [null]`)
  }
}

/** Axes that have a default of their own, as their stage and as others call them. */
function defaultsOf(command: CommandDefinition): string[] {
  const stages = [command, ...(command.later ?? []).map(({ command }) => command)]
  return stages.flatMap(({ stage, defaults }) =>
    Object.keys(defaults).flatMap((name) => (stage === undefined ? [name] : [name, `${stage}.${name}`])),
  )
}

function namedBy({ axes, derived, zip = [], points = [], around, ...others }: Grid | SweepSpec): string[] {
  const search = 'search' in others ? (others.search?.axes ?? {}) : {}
  const tables = [axes, derived ?? {}, search, ...zip, ...points, around?.baseline ?? {}, around?.vary ?? {}]
  return [...new Set(tables.flatMap((table) => Object.keys(table)))]
}
