import type { OptimizerSpec } from '../net/training-spec.js'

/** Operations on vectors and numbers, number by number: `V` stands for either, in a graph or in code. */
export interface Arithmetic<V> {
  add(a: V, b: V): V
  sub(a: V, b: V): V
  mul(a: V, b: V): V
  div(a: V, b: V): V
  max(a: V, b: V): V
  abs(x: V): V
  sqrt(x: V): V
  /** a x + y, for a number a. */
  axpy(a: V, x: V, y: V): V
  one(): V
}

/**
 * One optimiser step over a whole flat vector. Each kind is written twice, as operations that the compiled engine makes
 * a graph or code of and as a loop for the others; the contract suite holds them, and tfjs's formulas, against each
 * other.
 */
interface Rule {
  /** How many vectors of the parameters' length it keeps between steps. */
  readonly slots: number
  /** Whether each step is divided by the last slot, which grows or decays: infinity in it keeps a parameter as it is. */
  readonly lastSlotDivides: boolean
  /** What the slots start with. */
  initial(spec: OptimizerSpec): number
  /** Numbers that programs take as inputs, so that all of a kind share one program; of the learning rate η it is −η. */
  hyperparameters(spec: OptimizerSpec): readonly number[]
  /** Numbers that change with the update, counted from 1: programs take one of each per step. */
  schedule(hyper: readonly number[], update: number): readonly number[]
  /** The new parameters and slots. */
  update<V>(
    on: Arithmetic<V>,
    of: {
      readonly parameters: V
      readonly gradient: V
      readonly slots: readonly V[]
      readonly hyper: readonly V[]
      readonly scheduled: readonly V[]
    },
  ): { parameters: V; slots: V[] }
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

/** p ← p − η g */
const sgd: Rule = {
  slots: 0,
  lastSlotDivides: false,
  initial: () => 0,
  hyperparameters: ({ learningRate }) => [-learningRate],
  schedule: unscheduled,
  update(on, { parameters, gradient, hyper: [step] }) {
    return { parameters: on.axpy(step!, gradient, parameters), slots: [] }
  },
  apply(parameters, gradient, _, __, [step]) {
    for (let i = 0; i < parameters.length; i++) parameters[i]! += step! * gradient[i]!
  },
}

/** v ← μ v − η g; p ← p + v (Keras's SGD with momentum) */
const momentum: Rule = {
  slots: 1,
  lastSlotDivides: false,
  initial: () => 0,
  hyperparameters: (spec) => [-spec.learningRate, (spec as Spec<'momentum'>).momentum ?? 0.9],
  schedule: unscheduled,
  update(on, { parameters, gradient, slots: [velocity], hyper: [step, mu] }) {
    const next = on.axpy(mu!, velocity!, on.mul(gradient, step!))
    return { parameters: on.add(parameters, next), slots: [next] }
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
  lastSlotDivides: true,
  initial: () => 0,
  hyperparameters: (spec) => adamDefaults(spec as Spec<'adam'>),
  schedule([step, beta1, beta2, epsilon], update) {
    const c1 = (1 - beta1!) / (1 - beta1! ** update)
    const c2 = Math.sqrt((1 - beta2!) / (1 - beta2! ** update))
    return [(step! * c1) / c2, epsilon! / c2]
  },
  update(on, { parameters, gradient, slots: [first, second], hyper: [, beta1, beta2], scheduled: [scale, epsilon] }) {
    const m = on.axpy(beta1!, first!, gradient)
    const v = on.axpy(beta2!, second!, on.mul(gradient, gradient))
    const direction = on.div(m, on.add(on.sqrt(v), epsilon!))
    return { parameters: on.axpy(scale!, direction, parameters), slots: [m, v] }
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
  lastSlotDivides: true,
  initial: () => 0,
  hyperparameters: (spec) => adamDefaults(spec as Spec<'adamax'>),
  schedule: ([step, beta1], update) => [(step! * (1 - beta1!)) / (1 - beta1! ** update)],
  update(on, { parameters, gradient, slots: [first, norm], hyper: [, beta1, beta2, epsilon], scheduled: [scale] }) {
    const m = on.axpy(beta1!, first!, gradient)
    const u = on.max(on.mul(norm!, beta2!), on.abs(gradient))
    const direction = on.div(m, on.add(u, epsilon!))
    return { parameters: on.axpy(scale!, direction, parameters), slots: [m, u] }
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
  lastSlotDivides: true,
  initial: (spec) => (spec as Spec<'adagrad'>).initialAccumulator ?? 0.1,
  hyperparameters: (spec) => [-spec.learningRate, (spec as Spec<'adagrad'>).epsilon ?? 1e-7],
  schedule: unscheduled,
  update(on, { parameters, gradient, slots: [sum], hyper: [step, epsilon] }) {
    const a = on.add(sum!, on.mul(gradient, gradient))
    const direction = on.div(gradient, on.add(on.sqrt(a), epsilon!))
    return { parameters: on.axpy(step!, direction, parameters), slots: [a] }
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
  lastSlotDivides: true,
  initial: () => 0,
  hyperparameters: (spec) => [
    -spec.learningRate,
    (spec as Spec<'rmsprop'>).decay ?? 0.9,
    (spec as Spec<'rmsprop'>).epsilon ?? 1e-7,
  ],
  schedule: unscheduled,
  update(on, { parameters, gradient, slots: [mean], hyper: [step, decay, epsilon] }) {
    const fresh = on.mul(on.mul(gradient, gradient), on.sub(on.one(), decay!))
    const v = on.axpy(decay!, mean!, fresh)
    const direction = on.div(gradient, on.add(on.sqrt(v), epsilon!))
    return { parameters: on.axpy(step!, direction, parameters), slots: [v] }
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

/** True when what the steps are divided by holds nothing of earlier updates. */
export function hasNoMemory(spec: OptimizerSpec): boolean {
  return ('beta2' in spec && spec.beta2 === 0) || ('decay' in spec && spec.decay === 0)
}
