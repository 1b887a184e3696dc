import type { SpecPath } from '../../core/errors.js'
import type { Grid } from './grid.js'
import type { SweepSpec } from './spec.js'

/** Where a sweep file first gives an axis values, under the name that is written there; its axes where it gives none. */
export function pathOfAxis({ search, blocks = [], ...outside }: SweepSpec, name: string): SpecPath {
  const inBlocks = blocks.flatMap((block, i) => pathsIn(block).map((path): SpecPath => ['blocks', i, ...path]))
  const searched = Object.keys(search?.axes ?? {}).map((axis): SpecPath => ['search', 'axes', axis])
  const all = [...pathsIn(outside), ...searched, ...inBlocks]
  return all.find((path) => path.at(-1) === name) ?? ['axes', name]
}

function pathsIn({ axes, derived = {}, zip = [], points = [], around }: Grid): SpecPath[] {
  const under = (table: Readonly<Record<string, unknown>> | undefined, ...path: SpecPath): SpecPath[] =>
    Object.keys(table ?? {}).map((axis) => [...path, axis])
  return [
    ...under({ ...axes, ...derived }, 'axes'),
    ...zip.flatMap((group, i) => under(group, 'zip', i)),
    ...points.flatMap((row, i) => under(row, 'points', i)),
    ...under(around?.baseline, 'around', 'baseline'),
    ...under(around?.vary, 'around', 'vary'),
  ]
}
