/**
 * How much a net's loss or outputs move with its inputs, from derivatives of each row: norms of the rows, and what is
 * made of them.
 */

/** Euclidean norm of each row of a table `[rows × width]`; a row's Jacobian counts as one row (Frobenius norm). */
export function rowNorms(table: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from({ length: table.length / width }, (_, row) => {
    let sum = 0
    for (let i = row * width; i < (row + 1) * width; i++) sum += table[i]! ** 2
    return Math.sqrt(sum)
  })
}

/**
 * ‖∂L/∂X‖_F of the mean loss L over N rows, from the norms of the rows' own gradients: √Σ‖∇ₓℓᵢ‖² / N (sensitivity.py).
 * It shrinks as 1/√N when the data set is repeated.
 */
export function meanLossSensitivity(norms: ArrayLike<number>): number {
  return rmsSensitivity(norms) / Math.sqrt(norms.length)
}

/** √(Σ‖∇ₓℓᵢ‖² / N): the root mean square of the rows' gradients, whatever the number of rows. */
export function rmsSensitivity(norms: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < norms.length; i++) sum += norms[i]! ** 2
  return Math.sqrt(sum / norms.length)
}
