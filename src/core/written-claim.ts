/** What the trials of a claim have of some axes: one of these values each. */
export type WrittenSetting = Readonly<Record<string, readonly unknown[]>>

/** A claim as a sweep file states it: plain data, checked against an experiment when its sweep is planned. */
export interface WrittenClaim {
  /** Its key in the file. */
  readonly id: string
  /** In the author's words. */
  readonly says?: string
  /** Default: the objective's. */
  readonly metric?: string
  /** The trials it is about. Default: all of the stage. */
  readonly of?: WrittenSetting
  /** The first setting against the second, in pairs of equal seeds. */
  readonly compare?: readonly [WrittenSetting, WrittenSetting]
  /** The axis over which the metric is to rise or fall within each seed; neither this nor `compare`: the metric itself. */
  readonly trend?: string
  /** On `log`, comparisons are ratios and means geometric. */
  readonly scale: 'linear' | 'log'
  readonly above?: number
  readonly below?: number
}
