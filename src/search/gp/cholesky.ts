/** Symmetric positive definite matrices, row by row `[n × n]`, of which only the lower triangle is read. */

/** The lower triangular L with LLᵀ = A, in place of A; `false` where A is not positive definite. */
export function factorize(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j]!
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!
      if (i > j) a[i * n + j] = sum / a[j * n + j]!
      else if (sum > 0) a[j * n + j] = Math.sqrt(sum)
      else return false
    }
  }
  return true
}

/** Solves Lx = b in place of b. */
export function solveLower(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!
    for (let k = 0; k < i; k++) sum -= factor[i * n + k]! * b[k]!
    b[i] = sum / factor[i * n + i]!
  }
}

/** Solves Lᵀx = b in place of b. */
export function solveUpper(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--) {
    b[i]! /= factor[i * n + i]!
    for (let k = 0; k < i; k++) b[k]! -= factor[i * n + k]! * b[i]!
  }
}

/** The lower triangle of A⁻¹ = L⁻ᵀL⁻¹. */
export function inverseOf(factor: Float64Array, n: number): Float64Array {
  // Rows of `columns` are the columns of L⁻¹, so that what is multiplied lies side by side.
  const columns = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    columns[j * n + j] = 1 / factor[j * n + j]!
    for (let i = j + 1; i < n; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum -= factor[i * n + k]! * columns[j * n + k]!
      columns[j * n + i] = sum / factor[i * n + i]!
    }
  }
  const inverse = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0
      for (let k = i; k < n; k++) sum += columns[i * n + k]! * columns[j * n + k]!
      inverse[i * n + j] = sum
    }
  return inverse
}
