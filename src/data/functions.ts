import { Random } from '../core/seed.js'

/** The functions that the original experiments fit, on x ∈ [0, 1]; {@link targetFormulas} writes them out. */
export const targetFunctions = {
  f1: (x: number) => (Math.sin(6 * Math.PI * (x - 0.5)) + Math.sin(8 * Math.PI * (x - 0.5))) / 2,
  f2: (x: number) => Math.exp(Math.sin(40 * x)) * Math.log(x + 1),
  'f2-fast': (x: number) => Math.exp(Math.sin(160 * x)) * Math.log(x + 1),
  'f2-tenth': (x: number) => (Math.exp(Math.sin(40 * x)) * Math.log(x + 1)) / 10,
  sinc: (x: number) => (x === 0 ? 1 : Math.sin(5 * Math.PI * x) / (5 * Math.PI * x)),
  sines: (x: number) => Math.sin(3 * Math.PI * x) + Math.sin(4 * Math.PI * x),
  square: (x: number) => Math.sign(Math.sin(5 * Math.PI * x)),
  sine: (x: number) => Math.sin(4 * Math.PI * x),
  'damped-sine': (x: number) => Math.exp(-3 * x) * Math.sin(6 * Math.PI * x),
} as const
export type TargetFunction = keyof typeof targetFunctions

/**
 * The same as formulas. f1 is ½[sin 3πu + sin 4πu] with u = 2x−1 (sim_func.py), f2-fast is f2 with four times as many waves,
 * f2-tenth a tenth of f2 (err_surface.py), sines are of min_ratio.py.
 */
export const targetFormulas: Readonly<Record<TargetFunction, string>> = {
  f1: '½ [sin 6π(x − ½) + sin 8π(x − ½)]',
  f2: 'exp(sin 40x) · ln(x + 1)',
  'f2-fast': 'exp(sin 160x) · ln(x + 1)',
  'f2-tenth': 'exp(sin 40x) · ln(x + 1) / 10',
  sinc: 'sin(5πx) / 5πx',
  sines: 'sin 3πx + sin 4πx',
  square: 'sgn(sin 5πx)',
  sine: 'sin 4πx',
  'damped-sine': 'exp(−3x) · sin 6πx',
}
export const targetFunctionNames = Object.keys(targetFunctions) as readonly TargetFunction[]

export interface FunctionSample {
  /** x, `[rows]`, uniform in [0, 1). */
  readonly features: Float32Array
  /** f(x), `[rows]`. */
  readonly targets: Float32Array
}

/** `rows` points of a function with x drawn uniformly; `part` (train, test …) makes independent draws of one seed. */
export function sampleFunction(name: TargetFunction, rows: number, seed: number, part: string): FunctionSample {
  const random = new Random(seed, 'function', part)
  const features = Float32Array.from({ length: rows }, () => random.uniform())
  return { features, targets: features.map(targetFunctions[name]) }
}

/** A function on an even grid of [0, 1], both ends included. */
export function gridOf(name: TargetFunction, points: number): FunctionSample {
  const features = Float32Array.from({ length: points }, (_, i) => i / (points - 1))
  return { features, targets: features.map(targetFunctions[name]) }
}
