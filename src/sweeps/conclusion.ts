import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { openRegularFile, readRegularFile } from '../system/read-regular-file.js'
import { lookUp } from '../core/names.js'
import { replaceFile } from '../system/replace-file.js'
import { codeVersion } from '../core/version.js'
import { storedVerdicts, type ClaimVerdict } from './verdicts.js'
import type { SweepFolder } from './sweep-folder.js'

/** Raised when conclusion.json changes meaning; of another number it is as if it were not there. */
const conclusionFormat = 1

export interface Conclusion {
  readonly verdicts: readonly ClaimVerdict[]
  /** Files. */
  readonly figures: readonly string[]
}

/** What conclusion.json says: of what the verdicts and figures were made, and what they were. */
interface StoredConclusion {
  readonly format: number
  readonly basis: string
  /** SHA-256 by name of file in the folder of figures. */
  readonly figures: Readonly<Record<string, string>>
  readonly verdicts: string
}

/**
 * Names all that verdicts and figures are made of: journal, plan, the experiment's code by its name and mlds itself.
 * `undefined` where an experiment is an object of the program that runs it, since its name covers no figures.
 */
export async function basisOf(sweep: SweepFolder): Promise<string | undefined> {
  const { trials: _, ...facts } = sweep.plan
  if (facts.spec.own?.kind === 'program') return undefined
  const journal = await hashFile(sweep.journalFile)
  return journal === undefined
    ? undefined
    : createHash('sha256')
        .update(JSON.stringify([codeVersion, facts, journal]))
        .digest('hex')
}

/** What a former run concluded from the very same; `undefined` when any of it has changed, is gone, or was never told. */
export async function recallConclusion(sweep: SweepFolder, basis: string): Promise<Conclusion | undefined> {
  const stored = await readConclusion(sweep)
  if (stored?.basis !== basis || stored.verdicts !== (await hashFile(sweep.verdictsFile))) return undefined
  const figures = Object.keys(stored.figures).map((name) => join(sweep.figuresFolder, name))
  for (const file of figures) if ((await hashFile(file)) !== lookUp(stored.figures, basename(file))) return undefined
  return { verdicts: await storedVerdicts(sweep), figures }
}

/** Notes that these verdicts and figures, which are on disk, are what `basis` comes to. */
export async function noteConclusion(
  sweep: SweepFolder,
  basis: string,
  { verdicts, figures }: Conclusion,
): Promise<void> {
  // A number that JSON lacks would come back as another verdict.
  if (!isDeepStrictEqual(await storedVerdicts(sweep), verdicts)) return
  const hashes = await Promise.all(figures.map(async (file) => [basename(file), (await hashFile(file)) ?? ''] as const))
  const stored: StoredConclusion = {
    format: conclusionFormat,
    basis,
    verdicts: (await hashFile(sweep.verdictsFile)) ?? '',
    figures: Object.fromEntries(hashes),
  }
  await replaceFile(sweep.conclusionFile, `${JSON.stringify(stored, null, 1)}\n`)
}

async function readConclusion(sweep: SweepFolder): Promise<StoredConclusion | undefined> {
  try {
    const stored = JSON.parse(readRegularFile(sweep.conclusionFile, 'utf8')) as Partial<StoredConclusion> | null
    const isKnown = stored?.format === conclusionFormat && typeof stored.figures === 'object' && stored.figures !== null
    return isKnown ? (stored as StoredConclusion) : undefined
  } catch {
    return undefined
  }
}

/** `undefined` for a file that can't be read. */
async function hashFile(file: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    for await (const block of createReadStream(file, { fd: openRegularFile(file), highWaterMark: 1 << 20 }))
      hash.update(block as Buffer)
  } catch {
    return undefined
  }
  return hash.digest('hex')
}
