import type { Checkpoint } from '../../src/experiments/experiment.js'

/** Of a trial that begins, and of which none is due. */
export const noCheckpoint: Checkpoint = {
  load: async () => undefined,
  save: async () => {},
  isDue: false,
  leave: new AbortController().signal,
  loadFiles: async () => undefined,
  saveFiles: async () => {},
}
