import type { TrialRecord } from '../core/trial.js'

/** A vega-lite 6 specification: plain JSON, with its data inline. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>

/** Reads what a trial saved, by record and artifact name; from the journal's store or from MLflow. */
export type ReadArtifact = (record: TrialRecord, name: string) => Promise<Uint8Array>

/** What a trial saved as JSON. */
export async function readJson<T>(read: ReadArtifact, record: TrialRecord, name: string): Promise<T> {
  return JSON.parse(Buffer.from(await read(record, name)).toString()) as T
}

/** What a plan says of its axes. */
export interface PlannedAxes {
  /** Axes that are searched evenly in their logarithm. */
  readonly logarithmic: ReadonlySet<string>
}

export interface FigureDefinition {
  /** File name without extension: `loss-against-parameters`. */
  readonly name: string
  /** One sentence: what it shows and how to read it. */
  readonly caption: string
  /** Pure: the same records give the same specification; `undefined` when there is nothing to draw yet. */
  draw(records: readonly TrialRecord[], read: ReadArtifact, planned?: PlannedAxes): Promise<VegaLiteSpec | undefined>
}
