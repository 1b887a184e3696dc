import { Random } from '../../../core/seed.js'

/** McKay, Beckman and Conover 1979: along each axis, each of `count` equal intervals holds exactly one point. */
export function latinHypercube(count: number, dimensions: number, seed: number): number[][] {
  const random = new Random(seed, 'latin-hypercube')
  const columns = Array.from({ length: dimensions }, () =>
    Array.from(random.permutation(count), (interval) => (interval + random.uniform()) / count),
  )
  return Array.from({ length: count }, (_, i) => columns.map((column) => column[i]!))
}
