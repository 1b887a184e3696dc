import { performance } from 'node:perf_hooks'
import { MldsError } from '../core/errors.js'
import type { ProcessTree } from './process-tree.js'

/** From one look at a program's memory to the next. */
const lookMs = 500
/** On a host with many processes a look takes longer, and comes more rarely: at most so much of a core goes into it. */
const maxShare = 1 / 20

/**
 * Looks at what some processes have in memory, twice a second, until that is more than they may or it is told to stop.
 * @param whose of what they are the processes, as a person is told.
 * @returns what stops it.
 */
export function limitMemory(
  tree: ProcessTree,
  { limitGb, whose }: { readonly limitGb: number; readonly whose: 'program' | 'trial' },
  onMore: (error: MldsError) => void,
): () => void {
  let timer: NodeJS.Timeout
  const look = (): void => {
    const beganMs = performance.now()
    const { bytes, processes } = tree.memory(1e9 * limitGb)
    if (bytes > 1e9 * limitGb) return onMore(new MldsError('MEMORY', sentence(whose, limitGb, bytes, processes)))
    timer = setTimeout(look, Math.max(lookMs, (performance.now() - beganMs) / maxShare))
  }
  timer = setTimeout(look, lookMs)
  return () => clearTimeout(timer)
}

const sentence = (whose: string, limitGb: number, bytes: number, processes: number): string =>
  `the ${whose} took more memory than its limit: ${(bytes / 1e9).toPrecision(3)} GB in ${processes === 1 ? 'one process' : `${processes} processes`} (resources: memoryGb: ${limitGb})`
