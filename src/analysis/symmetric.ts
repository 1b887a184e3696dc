import { EigenvalueDecomposition, Matrix } from 'ml-matrix'

export interface Spectrum {
  /** Descending, `[n]`. */
  readonly values: Float64Array
  /** Unit eigenvectors in the order of the values, each `[n]`. */
  readonly vectors: readonly Float64Array[]
}

/**
 * All eigenvalues and eigenvectors of a symmetric matrix, row by row `[n × n]`: Householder tridiagonalisation and
 * implicit QL (Bowdler et al. 1968), from ml-matrix. The matrix is symmetrised first, (A + Aᵀ)/2.
 */
export function symmetricSpectrum(matrix: ArrayLike<number>, n: number): Spectrum {
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => (matrix[i * n + j]! + matrix[j * n + i]!) / 2),
  )
  if (n === 0) return { values: new Float64Array(0), vectors: [] }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(rows), {
    assumeSymmetric: true,
  })
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]! || a - b)
  return {
    values: Float64Array.from(order, (i) => realEigenvalues[i]!),
    vectors: order.map((i) => Float64Array.from(eigenvectorMatrix.getColumn(i))),
  }
}
