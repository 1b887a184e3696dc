import { MldsError, SpaceError, writtenAt, type SpecPath } from '../../core/errors.js'
import type { Grid } from './grid.js'
import type { SweepSpec } from './spec.js'

/** What stands outside of the blocks with what one of them says. @throws SpaceError for what both say. */
export function joined(spec: SweepSpec, block: Grid): SweepSpec {
  const { blocks: _, ...outside } = spec
  for (const name of [...Object.keys(block.axes), ...Object.keys(block.derived ?? {})])
    if (Object.hasOwn(spec.axes, name) || Object.hasOwn(spec.derived ?? {}, name))
      writtenAt(['axes', name], () => {
        throw new SpaceError(`${name}: given twice (outside of the blocks too)`)
      })
  for (const key of ['points', 'around'] as const)
    if (spec[key] !== undefined && block[key] !== undefined)
      writtenAt([key], () => {
        throw new SpaceError(`${key}: given twice (outside of the blocks too)`)
      })
  return {
    ...outside,
    ...block,
    axes: { ...spec.axes, ...block.axes },
    derived: { ...spec.derived, ...block.derived },
    when: { ...spec.when, ...block.when },
    zip: [...(spec.zip ?? []), ...(block.zip ?? [])],
    exclude: [...(spec.exclude ?? []), ...(block.exclude ?? [])],
    where: [...(spec.where ?? []), ...(block.where ?? [])],
  }
}

/** Errors met while what outside and block say together is read are placed in the block where it says it. */
export function placedInBlock<T>(spec: SweepSpec, index: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof MldsError && error.path !== undefined)
      error.path = pathInBlock(spec, spec.blocks![index]!, index, error.path)
    throw error
  }
}

function pathInBlock(spec: SweepSpec, block: Grid, index: number, path: SpecPath): SpecPath {
  const [key, item, ...inside] = path
  if (key === 'zip' || key === 'exclude' || key === 'where') {
    const before = spec[key]?.length ?? 0
    return typeof item === 'number' && item >= before ? ['blocks', index, key, item - before, ...inside] : path
  }
  if (key === 'axes' || key === 'when') {
    const isInBlock = [block[key], key === 'axes' ? block.derived : undefined].some((part) =>
      Object.hasOwn(part ?? {}, String(item)),
    )
    return isInBlock ? ['blocks', index, ...path] : path
  }
  return (key === 'points' || key === 'around') && block[key] !== undefined ? ['blocks', index, ...path] : path
}
