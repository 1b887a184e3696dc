import { lookUp } from '../core/names.js'
import type { DrawOptions } from '../figures/draw.js'
import type { ReadArtifact } from '../figures/figure.js'
import { judge, readRecords, storeVerdicts } from '../sweeps/verdicts.js'
import { basisOf, noteConclusion, recallConclusion, type Conclusion } from '../sweeps/conclusion.js'
import { isResult } from '../sweeps/journal/state.js'
import type { Store } from '../system/store.js'
import type { StoredSweep } from './stored-sweep.js'

/** As `concludeAndDraw`, but what has been concluded from the very same already, and is whole on disk, is taken as it is. */
export async function concludeOnce(stored: StoredSweep, say: (message: string) => void): Promise<Conclusion> {
  const { sweep } = stored
  const basis = await basisOf(sweep)
  const known = basis === undefined ? undefined : await recallConclusion(sweep, basis)
  if (known !== undefined) return known
  let wasTroubled = false
  const conclusion = await concludeAndDraw(stored, (message) => {
    wasTroubled = true
    say(message)
  })
  // Trouble is told again by the next run: what caused it may be gone by then.
  if (basis !== undefined && !wasTroubled) await noteConclusion(sweep, basis, conclusion)
  return conclusion
}

/**
 * Verdicts and figures of whatever has finished: into the sweep's folder, or the figures alone into another. A figure that
 * can't be drawn is told to `say`.
 */
export async function concludeAndDraw(
  { store, sweep, experiment }: StoredSweep,
  say: (message: string) => void,
  { elsewhere, ...drawing }: DrawOptions & { readonly elsewhere?: string } = {},
): Promise<Conclusion> {
  const records = readRecords(sweep)
  const verdicts = judge(experiment.claims, records)
  if (elsewhere === undefined) await storeVerdicts(sweep, verdicts)
  if (!records.some((record) => isResult(record.outcome))) return { verdicts, figures: [] }
  const { drawFigures } = await import('../figures/draw.js')
  const read = artifactReader(store)
  const folder = elsewhere ?? sweep.figuresFolder
  return { verdicts, figures: await drawFigures(experiment.figures, records, read, folder, say, drawing) }
}

/** Reads what trials saved from the store. */
export function artifactReader(store: Store): ReadArtifact {
  return async (record, name) => {
    const artifact = lookUp(record.artifacts, name)
    if (artifact === undefined) throw new Error(`trial ${record.trial.id} saved nothing called ${name}`)
    return store.readObject(artifact)
  }
}
