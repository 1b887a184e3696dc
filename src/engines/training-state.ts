import { DataError } from '../core/errors.js'
import type { TrainingState } from './engine.js'

/**
 * Puts the vectors of a state in the place of those that a training begins with.
 * @returns the updates done.
 * @throws DataError when they are not as many, or as long.
 */
export function restoreState({ updates, vectors }: TrainingState, into: readonly Float32Array[]): number {
  const lengths = (list: readonly Float32Array[]): string => list.map(({ length }) => length).join(', ')
  if (lengths(vectors) !== lengths(into))
    throw new DataError(
      `the state of a training is of another one: vectors of ${lengths(vectors)} numbers (it has ${lengths(into)})`,
    )
  into.forEach((vector, i) => vector.set(vectors[i]!))
  return updates
}
