import { Random } from '../../../core/seed.js'

/** Each coordinate on its own. */
export function randomPoints(count: number, dimensions: number, seed: number): number[][] {
  const random = new Random(seed, 'random-search')
  return Array.from({ length: count }, () => Array.from({ length: dimensions }, () => random.uniform()))
}
