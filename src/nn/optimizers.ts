import type { Graph } from './onnx-graph.js'
import type { OptimizerSpec } from './training.js'

/**
 * One optimiser step over a whole flat vector. Each kind is written twice, as graph operations for the compiled
 * engine and as a loop for the others; the contract suite holds the two, and tfjs's formulas, against each other.
 * In graphs vectors are rows, `[1, n]`, and numbers `[1, 1]`.
 */
interface Rule {
  /** How many vectors of the parameters' length it keeps between steps. */
  readonly slots: number
  /** What the slots start with. */
  initial(spec: OptimizerSpec): number
  /** Numbers that programs take as inputs, so that all of a kind share one program; of the learning rate η it is −η. */
  hyperparameters(spec: OptimizerSpec): readonly number[]
  /** Numbers that change with the update, counted from 1: programs take one of each per step. */
  schedule(hyper: readonly number[], update: number): readonly number[]
  /** Returns the new parameters and slots. */
  lower(
    g: Graph,
    names: {
      parameters: string
      gradient: string
      slots: readonly string[]
      hyper: readonly string[]
      scheduled: readonly string[]
    },
  ): { parameters: string; slots: string[] }
  apply(
    parameters: Float32Array,
    gradient: Float32Array,
    slots: readonly Float32Array[],
    step: number,
    hyper: readonly number[],
  ): void
}

type Spec<K extends OptimizerSpec['kind']> = Extract<OptimizerSpec, { kind: K }>
const adamDefaults = (spec: Spec<'adam'> | Spec<'adamax'>): number[] => [
  -spec.learningRate,
  spec.beta1 ?? 0.9,
  spec.beta2 ?? 0.999,
  spec.epsilon ?? 1e-7,
]

const unscheduled = (): readonly number[] => []

/** a x + y, for a number a, in one pass: a product of matrices whose inner dimension is one. */
const axpy = (g: Graph, a: string, x: string, y: string): string => g.op('Gemm', [a, x, y])

/** p ← p − η g */
const sgd: Rule = {
  slots: 0,
  initial: () => 0,
  hyperparameters: ({ learningRate }) => [-learningRate],
  schedule: unscheduled,
  lower(g, { parameters, gradient, hyper: [step] }) {
    return { parameters: axpy(g, step!, gradient, parameters), slots: [] }
  },
  apply(parameters, gradient, _, __, [step]) {
    for (let i = 0; i < parameters.length; i++) parameters[i]! += step! * gradient[i]!
  },
}

/** v ← μ v − η g; p ← p + v (Keras's SGD with momentum) */
const momentum: Rule = {
  slots: 1,
  initial: () => 0,
  hyperparameters: (spec) => [-spec.learningRate, (spec as Spec<'momentum'>).momentum ?? 0.9],
  schedule: unscheduled,
  lower(g, { parameters, gradient, slots: [velocity], hyper: [step, mu] }) {
    const next = axpy(g, mu!, velocity!, g.op('Mul', [gradient, step!]))
    return { parameters: g.op('Add', [parameters, next]), slots: [next] }
  },
  apply(parameters, gradient, [velocity], _, [step, mu]) {
    for (let i = 0; i < parameters.length; i++) {
      velocity![i] = mu! * velocity![i]! + step! * gradient[i]!
      parameters[i]! += velocity![i]!
    }
  },
}

/**
 * Adam (Kingma and Ba 2015) with ε outside the bias correction, as Keras and PyTorch have it:
 * m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), p ← p − η m̂/(√v̂ + ε).
 *
 * The moments are kept un-normalised, M = m/(1−β₁) and V = v/(1−β₂), which saves two passes over the vector: with
 * c₁ = (1−β₁)/(1−β₁ᵗ) and c₂ = √((1−β₂)/(1−β₂ᵗ)) the update is η c₁ M / (c₂ √V + ε) = (η c₁/c₂) M / (√V + ε/c₂).
 */
const adam: Rule = {
  slots: 2,
  initial: () => 0,
  hyperparameters: (spec) => adamDefaults(spec as Spec<'adam'>),
  schedule([step, beta1, beta2, epsilon], update) {
    const c1 = (1 - beta1!) / (1 - beta1! ** update)
    const c2 = Math.sqrt((1 - beta2!) / (1 - beta2! ** update))
    return [(step! * c1) / c2, epsilon! / c2]
  },
  lower(g, { parameters, gradient, slots: [first, second], hyper: [, beta1, beta2], scheduled: [scale, epsilon] }) {
    const m = axpy(g, beta1!, first!, gradient)
    const v = axpy(g, beta2!, second!, g.op('Mul', [gradient, gradient]))
    const direction = g.op('Div', [m, g.op('Add', [g.op('Sqrt', [v]), epsilon!])])
    return { parameters: axpy(g, scale!, direction, parameters), slots: [m, v] }
  },
  apply(parameters, gradient, [m, v], step, hyper) {
    const [, beta1, beta2] = hyper
    const [scale, epsilon] = adam.schedule(hyper, step)
    for (let i = 0; i < parameters.length; i++) {
      m![i] = m![i]! * beta1! + gradient[i]!
      v![i] = v![i]! * beta2! + gradient[i]! * gradient[i]!
      parameters[i]! += scale! * (m![i]! / (Math.sqrt(v![i]!) + epsilon!))
    }
  },
}

/** Adamax (Kingma and Ba 2015, section 7.1): u ← max(β₂ u, |g|); p ← p − η/(1−β₁ᵗ) · m/(u + ε). */
const adamax: Rule = {
  slots: 2,
  initial: () => 0,
  hyperparameters: (spec) => adamDefaults(spec as Spec<'adamax'>),
  schedule: ([step, beta1], update) => [(step! * (1 - beta1!)) / (1 - beta1! ** update)],
  lower(g, { parameters, gradient, slots: [first, norm], hyper: [, beta1, beta2, epsilon], scheduled: [scale] }) {
    const m = axpy(g, beta1!, first!, gradient)
    const u = g.op('Max', [g.op('Mul', [norm!, beta2!]), g.op('Abs', [gradient])])
    const direction = g.op('Div', [m, g.op('Add', [u, epsilon!])])
    return { parameters: axpy(g, scale!, direction, parameters), slots: [m, u] }
  },
  apply(parameters, gradient, [m, u], step, hyper) {
    const [, beta1, beta2, epsilon] = hyper
    const [scale] = adamax.schedule(hyper, step)
    for (let i = 0; i < parameters.length; i++) {
      m![i] = m![i]! * beta1! + gradient[i]!
      u![i] = Math.max(u![i]! * beta2!, Math.abs(gradient[i]!))
      parameters[i]! += scale! * (m![i]! / (u![i]! + epsilon!))
    }
  },
}

/** Adagrad (Duchi et al. 2011): a ← a + g²; p ← p − η g/(√a + ε), a from 0.1 as Keras has it. */
const adagrad: Rule = {
  slots: 1,
  initial: (spec) => (spec as Spec<'adagrad'>).initialAccumulator ?? 0.1,
  hyperparameters: (spec) => [-spec.learningRate, (spec as Spec<'adagrad'>).epsilon ?? 1e-7],
  schedule: unscheduled,
  lower(g, { parameters, gradient, slots: [sum], hyper: [step, epsilon] }) {
    const a = g.op('Add', [sum!, g.op('Mul', [gradient, gradient])])
    const direction = g.op('Div', [gradient, g.op('Add', [g.op('Sqrt', [a]), epsilon!])])
    return { parameters: axpy(g, step!, direction, parameters), slots: [a] }
  },
  apply(parameters, gradient, [a], _, [step, epsilon]) {
    for (let i = 0; i < parameters.length; i++) {
      a![i]! += gradient[i]! * gradient[i]!
      parameters[i]! += (step! * gradient[i]!) / (Math.sqrt(a![i]!) + epsilon!)
    }
  },
}

/** RMSprop (Tieleman and Hinton 2012): v ← ρ v + (1−ρ) g²; p ← p − η g/(√v + ε). */
const rmsprop: Rule = {
  slots: 1,
  initial: () => 0,
  hyperparameters: (spec) => [
    -spec.learningRate,
    (spec as Spec<'rmsprop'>).decay ?? 0.9,
    (spec as Spec<'rmsprop'>).epsilon ?? 1e-7,
  ],
  schedule: unscheduled,
  lower(g, { parameters, gradient, slots: [mean], hyper: [step, decay, epsilon] }) {
    const fresh = g.op('Mul', [g.op('Mul', [gradient, gradient]), g.op('Sub', [g.scalar(1), decay!])])
    const v = axpy(g, decay!, mean!, fresh)
    const direction = g.op('Div', [gradient, g.op('Add', [g.op('Sqrt', [v]), epsilon!])])
    return { parameters: axpy(g, step!, direction, parameters), slots: [v] }
  },
  apply(parameters, gradient, [v], _, [step, decay, epsilon]) {
    for (let i = 0; i < parameters.length; i++) {
      v![i] = v![i]! * decay! + gradient[i]! * gradient[i]! * (1 - decay!)
      parameters[i]! += (step! * gradient[i]!) / (Math.sqrt(v![i]!) + epsilon!)
    }
  },
}

export const optimizerRules: Readonly<Record<OptimizerSpec['kind'], Rule>> = {
  sgd,
  momentum,
  adam,
  adamax,
  adagrad,
  rmsprop,
}
