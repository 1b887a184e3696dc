import type { ReadArtifact, VegaLiteSpec } from '../../src/figures/figure.js'
import type { Metrics, Params, Series, TrialRecord } from '../../src/core/trial.js'

/** A finished trial as a figure reads it; what it saved is given as bytes or as something to write as JSON. */
export function finishedTrial(given: {
  readonly id?: string
  readonly seed?: number
  readonly params?: Params
  readonly metrics?: Metrics
  readonly series?: Readonly<Record<string, Series>>
  readonly saved?: Readonly<Record<string, Uint8Array | object>>
}): TrialRecord & { readonly saved: Readonly<Record<string, Uint8Array | object>> } {
  const { seed = 0, saved = {} } = given
  return {
    trial: {
      ...{ id: given.id ?? `trial-${seed}`, index: 0, experiment: 'any', version: 1, stage: 'main', cost: 1 },
      ...{ params: given.params ?? {}, parents: [] },
      seeds: { data: seed, init: seed, shuffle: seed, corruption: seed },
    },
    ...{ state: 'finished', attempts: 1, metrics: given.metrics ?? {}, series: given.series ?? {} },
    artifacts: Object.fromEntries(Object.keys(saved).map((name) => [name, { sha256: '', sizeBytes: 0 }])),
    saved,
  }
}

/** Reads what `finishedTrial` was given; as those of a file, the bytes lie somewhere within a larger buffer. */
export const readSaved: ReadArtifact = async (record, name) => {
  const content = (record as ReturnType<typeof finishedTrial>).saved[name]
  if (content === undefined) throw new Error(`${record.trial.id} saved no ${name}`)
  const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
  return Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]).subarray(3, 3 + bytes.length)
}

/** A specification for a snapshot: without what all figures share, numbers to four digits, a line for each datum. */
export function readable(spec: VegaLiteSpec | undefined): unknown {
  if (spec === undefined) return undefined
  const { config: _config, $schema: _schema, ...own } = spec
  const walk = (value: unknown, key = ''): unknown => {
    if (typeof value === 'number') return Number(value.toPrecision(4))
    if (Array.isArray(value))
      return key === 'values' ? value.map((datum) => JSON.stringify(walk(datum))) : value.map((part) => walk(part))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, walk(part, name)]))
  }
  return walk(own)
}
