import { groupBy } from '../core/group-by.js'
import { symmetricSpectrum } from './symmetric.js'
import { dot } from './vectors.js'

export interface PrincipalComponents {
  /** What was subtracted from each row, `[features]`: the mean, or zeros. */
  readonly centre: Float64Array
  /** Orthonormal directions, largest variance first, each `[features]`. */
  readonly components: readonly Float64Array[]
  /** Share of Σ‖row − centre‖² along each component, descending; its sum is at most 1. */
  readonly explained: readonly number[]
  /** Each row in the components' frame, `[rows][components]`. */
  readonly coordinates: readonly Float64Array[]
}

export interface PcaOptions {
  /** How many components at most (default 2); fewer when the rows span fewer. */
  readonly count?: number
  /** 'mean' (default): principal components proper. 'none': the SVD of the rows as they are (pca.py). A row: relative to it (Li et al. 2018). */
  readonly centre?: 'mean' | 'none' | ArrayLike<number>
}

/**
 * Principal components of few rows with many features, such as snapshots of a net's weights (Pearson 1901): the
 * eigenvectors u of the Gram matrix G = X Xᵀ, `[rows × rows]`, give the components Xᵀu/√λ (Turk and Pentland 1991), so
 * nothing of the size features × features is ever made; of many rows with fewer features, those of XᵀX.
 *
 * Signs are fixed: the element of largest absolute value of each component (the first of equal ones) is positive.
 */
export function principalComponents(
  rows: readonly ArrayLike<number>[],
  { count = 2, centre: wanted = 'mean' }: PcaOptions = {},
): PrincipalComponents {
  const features = rows[0]?.length ?? 0
  const centre = centreOf(rows, features, wanted)
  const shifted = rows.map((row) => Float64Array.from(centre, (c, i) => row[i]! - c))
  // Whichever of XXᵀ and XᵀX is smaller; their eigenvalues above zero are the same.
  const byRows = rows.length <= features
  const { values, vectors } = byRows ? gramSpectrum(shifted) : covarianceSpectrum(shifted, features)
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0)

  const components: Float64Array[] = []
  for (let k = 0; k < Math.min(count, rows.length, features); k++) {
    // What is left below is rounding of the eigenvalues, not a direction of the data.
    if (!(values[k]! > total * 1e-14)) break
    const component = byRows ? combine(shifted, vectors[k]!, features) : Float64Array.from(vectors[k]!)
    // Twice: small components inherit the large ones' rounding, amplified by the ratio of their lengths.
    for (let pass = 0; pass < 2; pass++) orthonormalise(component, components)
    fixSign(component)
    components.push(component)
  }
  const coordinates = shifted.map((row) => Float64Array.from(components, (component) => dot(row, component)))
  return { centre, components, explained: components.map((_, k) => values[k]! / total), coordinates }
}

/** Of XXᵀ, `[rows × rows]`. */
function gramSpectrum(rows: readonly Float64Array[]) {
  const gram = new Float64Array(rows.length ** 2)
  for (let i = 0; i < rows.length; i++)
    for (let j = 0; j <= i; j++) {
      const product = dot(rows[i]!, rows[j]!)
      gram[i * rows.length + j] = product
      gram[j * rows.length + i] = product
    }
  return symmetricSpectrum(gram, rows.length)
}

/** Of XᵀX, `[features × features]`. */
function covarianceSpectrum(rows: readonly Float64Array[], features: number) {
  const products = new Float64Array(features ** 2)
  for (const row of rows)
    for (let i = 0; i < features; i++) for (let j = 0; j <= i; j++) products[i * features + j]! += row[i]! * row[j]!
  for (let i = 0; i < features; i++)
    for (let j = 0; j < i; j++) products[j * features + i] = products[i * features + j]!
  return symmetricSpectrum(products, features)
}

/** A further row in the same frame, `[components]`. */
export function projectOnto({ centre, components }: PrincipalComponents, row: ArrayLike<number>): Float64Array {
  const shifted = Float64Array.from(centre, (c, i) => row[i]! - c)
  return Float64Array.from(components, (component) => dot(shifted, component))
}

function centreOf(
  rows: readonly ArrayLike<number>[],
  features: number,
  wanted: NonNullable<PcaOptions['centre']>,
): Float64Array {
  const centre = new Float64Array(features)
  if (wanted === 'none') return centre
  if (wanted !== 'mean') return Float64Array.from(wanted)
  for (const row of rows) for (let i = 0; i < features; i++) centre[i]! += row[i]!
  return centre.map((sum) => sum / rows.length)
}

function combine(rows: readonly Float64Array[], weights: Float64Array, features: number): Float64Array {
  const sum = new Float64Array(features)
  rows.forEach((row, k) => {
    for (let i = 0; i < features; i++) sum[i]! += weights[k]! * row[i]!
  })
  return sum
}

function orthonormalise(vector: Float64Array, basis: readonly Float64Array[]): void {
  for (const direction of basis) {
    const along = dot(vector, direction)
    for (let i = 0; i < vector.length; i++) vector[i]! -= along * direction[i]!
  }
  const length = Math.sqrt(dot(vector, vector))
  for (let i = 0; i < vector.length; i++) vector[i]! /= length
}

function fixSign(vector: Float64Array): void {
  let largest = 0
  for (let i = 1; i < vector.length; i++) if (Math.abs(vector[i]!) > Math.abs(vector[largest]!)) largest = i
  if (vector[largest]! < 0) for (let i = 0; i < vector.length; i++) vector[i] = -vector[i]!
}

/**
 * Which share of the rows' variance lies between their groups: Σₖ nₖ‖x̄ₖ − x̄‖² / Σ‖x − x̄‖² (the correlation ratio η²,
 * Fisher 1925). 1 when each group is a point, near 0 when groups share a centre; NaN when nothing varies.
 */
export function betweenGroupShare(rows: readonly ArrayLike<number>[], groups: readonly (string | number)[]): number {
  const features = rows[0]?.length ?? 0
  const centre = centreOf(rows, features, 'mean')
  let between = 0
  for (const indexes of groupBy(rows.keys(), (i) => groups[i]!).values()) {
    const own = indexes.map((i) => rows[i]!)
    between += own.length * squaredDistance(centreOf(own, features, 'mean'), centre)
  }
  return between / rows.reduce((sum, row) => sum + squaredDistance(row, centre), 0)
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return sum
}
