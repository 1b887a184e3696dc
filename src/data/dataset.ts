/** Rows of numbers with targets. Arrays may lie in shared memory: never write to them. */
export interface Dataset {
  readonly name: string
  /** SHA-256 over kind, shape, features and targets: part of a trial's id. */
  readonly fingerprint: string
  readonly rows: number
  /** Where its own test part begins, for a set that has one; rows before are to train on. */
  readonly testFrom?: number
  /** Shape of one row: `[28, 28, 1]`, or `[1]` for a function's x. */
  readonly shape: readonly number[]
  /** `[rows, ...shape]`, row-major; pixels lie in 0…1. */
  readonly features: Float32Array
  /** Class of each row, 0 … classes−1; empty for a regression set. */
  readonly labels: Int32Array
  readonly classes: number
  /** `[rows]` for a regression set (classes = 0), else empty. */
  readonly targets: Float32Array
}
