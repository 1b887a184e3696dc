import { addScaled, dot, norm } from './vectors.js'

interface Pair {
  readonly moved: Float64Array
  readonly changed: Float64Array
  readonly curvature: number
}

/** What L-BFGS remembers of a loss: its last steps and how the gradient changed along each (Nocedal 1980). */
export class CurvaturePairs {
  readonly #pairs: Pair[] = []

  /** @param memory pairs that are kept, the latest ones. */
  constructor(private readonly memory: number) {}

  get isEmpty(): boolean {
    return this.#pairs.length === 0
  }

  /** Remembers a step and the gradient's change along it, unless the loss has no positive curvature there. */
  add(moved: Float64Array, changed: Float64Array): void {
    const curvature = dot(moved, changed)
    if (curvature > 1e-12 * norm(moved) * norm(changed)) this.#pairs.push({ moved, changed, curvature })
    if (this.#pairs.length > this.memory) this.#pairs.shift()
  }

  /** −H∇L by the two-loop recursion, with the inverse Hessian H as the pairs tell it. */
  descent(gradient: Float64Array): Float64Array {
    let q: Float64Array = Float64Array.from(gradient)
    const weights = new Float64Array(this.#pairs.length)
    for (let i = this.#pairs.length - 1; i >= 0; i--) {
      const { moved, changed, curvature } = this.#pairs[i]!
      weights[i] = dot(moved, q) / curvature
      q = addScaled(q, changed, -weights[i]!)
    }
    const last = this.#pairs.at(-1)
    if (last !== undefined) q = q.map((value) => (value * last.curvature) / dot(last.changed, last.changed))
    this.#pairs.forEach(({ moved, changed, curvature }, i) => {
      q = addScaled(q, moved, weights[i]! - dot(changed, q) / curvature)
    })
    return q.map((value) => -value)
  }
}
