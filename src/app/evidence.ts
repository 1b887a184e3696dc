import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MldsError } from '../core/errors.js'
import { lookUp } from '../core/names.js'
import type { Artifacts, TrialRecord } from '../core/trial.js'
import { codeVersion } from '../core/version.js'
import { openData } from '../data/catalog.js'
import type { Dataset } from '../data/dataset.js'
import { encodeNpy } from '../data/npy.js'
import type { Claim, Experiment, RowsByPart } from '../experiments/experiment.js'
import { experimentToRead } from '../experiments/registry.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import { judge, readRecordsAsWritten } from '../sweeps/verdicts.js'
import type { Store } from '../system/store.js'
import { writeExport } from './export.js'

/** Raised when what the files of evidence say changes meaning. */
const evidenceFormat = 1

/**
 * Writes what it takes to recompute a sweep's verdicts without mlds: each claim's arithmetic, each trial's parameters, seeds,
 * metrics and series, what it saved (weights as safetensors), the rows it was trained and measured on, and the data sets.
 * @throws MldsError when the folder is not empty. @throws StoreError when a file can't be written or an artifact is gone.
 */
export async function exportEvidence(
  store: Store,
  sweep: SweepFolder,
  folder: string,
  { trustCode, warn }: { readonly trustCode: boolean; readonly warn: (message: string) => void },
): Promise<{ trials: number; claims: number }> {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new MldsError('USAGE', `the folder is not empty: ${folder} (evidence is written into a new one)`)
  const experiment = await experimentToRead(sweep, { trustCode, warn })
  const records = readRecordsAsWritten(sweep)
  const files = new EvidenceFiles(store, folder)
  const lines: string[] = []
  for (const record of records) lines.push(`${JSON.stringify(await trialOf(record, experiment, files), inWords)}\n`)
  const claims = claimsWithParts(experiment.claims, records)
  await files.writeText('trials.jsonl', lines.join(''))
  await files.writeText(
    'evidence.json',
    `${JSON.stringify(
      {
        format: evidenceFormat,
        ...{ sweep: sweep.id, experiment: experiment.name, version: experiment.version, codeVersion },
        planHash: sweep.plan.hash,
        data: files.data,
        claims,
      },
      inWords,
      1,
    )}\n`,
  )
  return { trials: records.length, claims: claims.length }
}

/** For `JSON.stringify`: a number that JSON lacks is a word. */
const inWords = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value

/** Verdicts, each with the arithmetic of its parts. */
const claimsWithParts = (claims: readonly Claim[], records: readonly TrialRecord[]): object[] =>
  judge(claims, records).map((verdict) => ({
    ...verdict,
    parts: claims.find(({ id }) => id === verdict.claim)?.parts?.(records) ?? [],
  }))

async function trialOf(record: TrialRecord, experiment: Experiment, files: EvidenceFiles): Promise<object> {
  const { trial, state, metrics, series, artifacts } = record
  const { id, index, stage, params, seeds, parents } = trial
  const rows = await experiment.stages.find(({ name }) => name === stage)?.rows?.(params, seeds, files.dataset)
  return {
    ...{ id, index, stage, params, seeds, parents, state, series, metrics },
    artifacts: await files.keepArtifacts(artifacts),
    ...(rows === undefined ? {} : { rows: await files.keepRows(rows) }),
  }
}

/** The folder that evidence is written to: each file once, by its content. */
class EvidenceFiles {
  readonly #written = new Set<string>()
  readonly #data = new Map<string, { features: string; labels: string; fingerprint: string }>()
  readonly #catalog

  constructor(
    readonly store: Store,
    readonly folder: string,
  ) {
    this.#catalog = openData(store)
  }

  /** The data sets that trials were given rows of, by name. */
  get data(): object {
    return Object.fromEntries(this.#data)
  }

  /** A set by name, whose features and labels are written the first time. */
  dataset = async (name: string): Promise<Dataset> => {
    const set = await this.#catalog.load(name)
    if (!this.#data.has(name)) {
      const features = await this.#keep('data', encodeNpy(set.features, [set.rows, ...set.shape]), '.npy')
      const labels = await this.#keep('data', encodeNpy(set.labels), '.npy')
      this.#data.set(name, { features, labels, fingerprint: set.fingerprint })
    }
    return set
  }

  /** Writes what a trial saved. @returns the files by the names it gave them. */
  async keepArtifacts(artifacts: Artifacts): Promise<Record<string, string>> {
    const kept: Record<string, string> = {}
    for (const name of Object.keys(artifacts)) {
      const ending = /\.[a-z0-9]{1,16}$/.exec(name)?.[0] ?? ''
      kept[name] = await this.#keep('artifacts', await this.store.readObject(lookUp(artifacts, name)!), ending)
    }
    return kept
  }

  async keepRows(rows: RowsByPart): Promise<Record<string, string>> {
    const kept: Record<string, string> = {}
    for (const [part, values] of Object.entries(rows)) kept[part] = await this.#keep('rows', encodeNpy(values), '.npy')
    return kept
  }

  async writeText(name: string, text: string): Promise<void> {
    await writeExport(join(this.folder, name), text)
  }

  async #keep(kind: string, bytes: Uint8Array, ending: string): Promise<string> {
    const file = `${kind}/${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}${ending}`
    if (this.#written.has(file)) return file
    await writeExport(join(this.folder, file), bytes)
    this.#written.add(file)
    return file
  }
}
