/** A metric's value at a step; `timestamp` is Unix time in ms. Replaying the same point changes nothing. */
export interface Point {
  readonly key: string
  readonly value: number
  readonly timestamp: number
  readonly step: number
}

export type Tags = Readonly<Record<string, string>>

export type RunStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED'

export interface Run {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  readonly status: string
  readonly startMs: number
  readonly endMs: number | undefined
  readonly artifactUri: string
  readonly tags: Tags
  readonly params: Tags
  /** Its metrics' latest points by key: of the highest step, of those the newest, of those the largest. */
  readonly latest: ReadonlyMap<string, Point>
  /** Unix time in ms of the newest of its metrics' latest points; undefined when it has none. */
  readonly lastPointMs: number | undefined
}

export interface WireExperiment {
  readonly experiment_id: string
  readonly name: string
  readonly lifecycle_stage: string
}

export interface WirePoint {
  readonly key: string
  readonly value: number | string
  readonly timestamp: number | string
  readonly step?: number | string
}

/** MLflow clamps infinities to the largest double; of a run that reported that number itself the series is in a file. */
export function decodePoint({ key, value, timestamp, step }: WirePoint): Point {
  const number = Number(value)
  const unclamped = Math.abs(number) === Number.MAX_VALUE ? Math.sign(number) * Infinity : number
  return { key, value: unclamped, timestamp: Number(timestamp), step: Number(step ?? 0) }
}

/** The same for points that a server can't tell apart: the largest double is kept as infinity is. */
export const pointKey = ({ key, value, timestamp, step }: Point): string =>
  `${timestamp} ${step} ${Math.abs(value) === Number.MAX_VALUE ? Math.sign(value) * Infinity : value} ${key}`

export interface Pair {
  readonly key: string
  readonly value: string
}

export interface WireRun {
  readonly info: {
    readonly run_id: string
    readonly experiment_id: string
    readonly run_name?: string
    readonly status: string
    readonly lifecycle_stage?: string
    readonly start_time?: number | string
    readonly end_time?: number | string
    readonly artifact_uri: string
  }
  readonly data?: {
    readonly tags?: readonly Pair[]
    readonly params?: readonly Pair[]
    readonly metrics?: readonly WirePoint[]
  }
}

export function decodeRun({ info, data }: WireRun): Run {
  return {
    id: info.run_id,
    experimentId: info.experiment_id,
    name: info.run_name ?? '',
    status: info.status,
    startMs: Number(info.start_time ?? 0),
    endMs: info.end_time === undefined || Number(info.end_time) === 0 ? undefined : Number(info.end_time),
    artifactUri: info.artifact_uri,
    tags: Object.fromEntries((data?.tags ?? []).map(({ key, value }) => [key, value])),
    params: Object.fromEntries((data?.params ?? []).map(({ key, value }) => [key, value])),
    latest: new Map((data?.metrics ?? []).map((point) => [point.key, decodePoint(point)])),
    lastPointMs: data?.metrics?.reduce((latest, { timestamp }) => Math.max(latest, Number(timestamp)), 0),
  }
}

export function pairs(values: Tags): Pair[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }))
}
