import { join } from 'node:path'
import type { TrialId } from '../core/trial.js'

/** A log of more characters takes a file of its own. */
export const maxShortLogCharacters = 32_000

/** The file of a long log. */
export const logFileOf = (folder: string, trial: TrialId, attempt: number): string =>
  join(folder, `${trial}.${attempt}.log`)
