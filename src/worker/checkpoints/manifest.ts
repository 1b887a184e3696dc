import type { Metrics } from '../../core/trial.js'

// What reads one, and the schema it takes, is in read-manifest.ts: threads, most of whose trials keep none, load it when they need it.

export interface CarriedReport {
  readonly step: number
  readonly atMs: number
  readonly metrics: Metrics
}

interface Sized {
  readonly sha256: string
  readonly sizeBytes: number
}

export interface StateFile extends Sized {
  /** Below the state's folder. */
  readonly path: string
}

/** What one checkpoint holds: all that the next attempt at its trial begins with. */
export interface Manifest {
  /** Which attempt saved it. */
  readonly attempt: number
  /** What had been reported by then, in order. */
  readonly reports: readonly CarriedReport[]
  /** What had been saved as the trial's results by then: each after so many of the reports. */
  readonly saved: readonly (Sized & { readonly name: string; readonly after: number })[]
  /** The files of the state. */
  readonly files: readonly StateFile[]
}

/** Bytes of all files of one checkpoint. */
export const maxCheckpointBytes = 2 ** 31
export const manifestFormat = 1

/** Bytes of all that crosses the wire beside the manifest. */
export const sizeOf = ({ files, saved }: Pick<Manifest, 'files' | 'saved'>): number =>
  [...files, ...saved].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)

export function encodeManifest({ reports, ...rest }: Manifest): string {
  const told = reports.map((one) => ({ ...one, metrics: Object.entries(one.metrics) }))
  return JSON.stringify({ format: manifestFormat, ...rest, reports: told }, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  )
}
