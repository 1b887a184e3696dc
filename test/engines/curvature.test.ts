import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lanczos } from '../../src/analysis/lanczos.js'
import { symmetricSpectrum } from '../../src/analysis/symmetric.js'
import { addScaled, dot, norm } from '../../src/analysis/vectors.js'
import { createEngine } from '../../src/engines/create-engine.js'
import { blockFrobeniusNorms, denseHessian } from '../../src/engines/curvature.js'
import type { Engine } from '../../src/engines/engine.js'
import { defineNet, initialize } from '../../src/net/net.js'
import { Random } from '../../src/core/seed.js'

/** Derivatives against formulas that know the answer, in float64. */
describe('second derivatives of the compiled engine', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await createEngine('compiled')
  })
  afterAll(() => engine.dispose())

  const random = new Random(1, 'curvature')
  const normals = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.normal())

  it('has exactly the known spectrum of a quadratic: linear regression on orthogonal columns', async () => {
    // Mean of (w·x − y)² over 8 rows: H = ¼ XᵀX, and XᵀX = 8 diag(scale²).
    const scales = [3, 1, 0.5]
    const signs = [0, 1, 2, 3, 4, 5, 6, 7].map((row) => [1, row & 1 ? 1 : -1, row & 2 ? 1 : -1])
    const features = Float32Array.from(signs.flatMap((row) => row.map((sign, k) => sign * scales[k]!)))
    const net = defineNet([3], [{ kind: 'dense', units: 1, bias: false }])
    const hessian = await denseHessian(
      engine,
      { net, loss: 'mean-squared-error', rows: { features, targets: normals(8) } },
      initialize(net, 1),
    )
    const { values } = symmetricSpectrum(hessian, 3)
    ;[18, 2, 0.5].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 12))
  })

  it('is Σ x xᵀ ⊗ (diag p − p pᵀ) / N for softmax regression, and its gradient x ⊗ (p − y) / N', async () => {
    const net = defineNet([3], [{ kind: 'dense', units: 4, bias: false }])
    const [rows, features, targets] = [5, normals(15), Int32Array.from([0, 3, 1, 1, 2])]
    const parameters = initialize(net, 3)
    const options = { net, loss: 'softmax-cross-entropy' as const, rows: { features, targets } }
    const expected = new Float64Array(144)
    const gradient = new Float64Array(12)
    for (let r = 0; r < rows; r++) {
      const x = features.subarray(r * 3, r * 3 + 3)
      const z = [0, 1, 2, 3].map((k) => x.reduce((s, v, i) => s + v * parameters[i * 4 + k]!, 0))
      const total = z.reduce((s, v) => s + Math.exp(v), 0)
      const p = z.map((v) => Math.exp(v) / total)
      for (let i = 0; i < 3; i++)
        for (let a = 0; a < 4; a++) {
          gradient[i * 4 + a]! += (x[i]! * (p[a]! - (targets[r] === a ? 1 : 0))) / rows
          for (let j = 0; j < 3; j++)
            for (let b = 0; b < 4; b++)
              expected[(i * 4 + a) * 12 + j * 4 + b]! += (x[i]! * x[j]! * p[a]! * ((a === b ? 1 : 0) - p[b]!)) / rows
        }
    }
    const hessian = await denseHessian(engine, options, parameters)
    expected.forEach((value, i) => expect(hessian[i]).toBeCloseTo(value, 10))
    const measured = await engine.curvature(options, parameters, new Float64Array(12))
    gradient.forEach((value, i) => expect(measured.gradient[i]).toBeCloseTo(value, 10))
    // And with respect to the inputs: W (p − y).
    const inputs = await engine.inputGradients(options, parameters)
    expect(inputs).toHaveLength(15)
  })

  it('is symmetric, its trace is the sum of its eigenvalues, and products with it are H·v, for a deep tanh net', async () => {
    const tanh = { kind: 'dense', units: 6, activation: 'tanh' } as const
    const net = defineNet([1], [tanh, tanh, { kind: 'dense', units: 1 }])
    const options = {
      net,
      loss: 'mean-squared-error' as const,
      rows: { features: normals(1203), targets: normals(1203) },
    }
    const parameters = Float64Array.from(initialize(net, 2))
    const n = net.parameterCount
    const hessian = await denseHessian(engine, options, parameters)
    const scale = Math.max(...hessian.map(Math.abs))
    let trace = 0
    for (let i = 0; i < n; i++) {
      trace += hessian[i * n + i]!
      for (let j = 0; j < i; j++)
        expect(Math.abs(hessian[i * n + j]! - hessian[j * n + i]!) / scale).toBeLessThan(1e-10)
    }
    expect(symmetricSpectrum(hessian, n).values.reduce((a, b) => a + b)).toBeCloseTo(trace, 9)
    const vector = Float64Array.from({ length: n }, () => random.normal())
    const { product } = await engine.curvature(options, parameters, vector)
    for (let i = 0; i < n; i++) expect(product[i]).toBeCloseTo(dot(hessian.subarray(i * n, (i + 1) * n), vector), 9)
    // Against differences of the exact gradient.
    const h = 1e-5
    const at = async (sign: number): Promise<Float64Array> =>
      (
        await engine.curvature(
          options,
          parameters.map((p, i) => p + sign * h * vector[i]!),
          vector,
        )
      ).gradient
    const [above, below] = [await at(1), await at(-1)]
    const error = above.map((value, i) => (value - below[i]!) / (2 * h) - product[i]!)
    expect(norm(error) / norm(product)).toBeLessThan(1e-7)
  })

  it('gives a gradient over all rows that is the mean of its batches’, each weighed by its rows, to 1e-10', async () => {
    const net = defineNet(
      [2],
      [
        { kind: 'dense', units: 5, activation: 'tanh' },
        { kind: 'dense', units: 1 },
      ],
    )
    const parameters = initialize(net, 4)
    const none = new Float64Array(net.parameterCount)
    const options = {
      net,
      loss: 'mean-squared-error' as const,
      rows: { features: normals(2 * 310), targets: normals(310) },
    }
    const rows = Int32Array.from({ length: 310 }, (_, i) => i)
    const mean = none.slice()
    for (const [from, to] of [
      [0, 100],
      [100, 300],
      [300, 310],
    ] as const) {
      const part = await engine.curvature({ ...options, order: rows.subarray(from, to) }, parameters, none)
      part.gradient.forEach((value, i) => (mean[i]! += (value * (to - from)) / 310))
    }
    const { gradient } = await engine.curvature(options, parameters, none)
    expect(norm(addScaled(gradient, mean, -1)) / norm(gradient)).toBeLessThan(1e-10)
    // And its square is the sum of its layers’ own squares.
    const layers = net.parameters.map(({ offset, size }) => norm(gradient.subarray(offset, offset + size)))
    expect(Math.hypot(...layers)).toBeCloseTo(norm(gradient), 12)
  })

  it('has the same largest eigenvalue by products from any start as by its whole matrix, and its blocks in between', async () => {
    const net = defineNet(
      [3],
      [
        { kind: 'dense', units: 6, activation: 'tanh' },
        { kind: 'dense', units: 4 },
      ],
    )
    const parameters = initialize(net, 6)
    const n = net.parameterCount
    const options = {
      net,
      loss: 'softmax-cross-entropy' as const,
      rows: { features: normals(3 * 90), targets: Int32Array.from({ length: 90 }, (_, i) => i % 4) },
    }
    const hessian = await denseHessian(engine, options, parameters)
    const largest = symmetricSpectrum(hessian, n).values[0]!
    const product = async (v: Float64Array) => (await engine.curvature(options, parameters, v)).product
    const found = await Promise.all([1, 2].map((seed) => lanczos(product, n, new Random(seed), { tolerance: 1e-3 })))
    for (const { values } of found) expect(Math.abs(values[0]! / largest - 1)).toBeLessThan(1e-3)

    const blocks = await blockFrobeniusNorms(engine, options, parameters, { probes: n, random: new Random(1) })
    for (const { name, offset, size } of net.parameters) {
      const own = Array.from({ length: size }, (_, i) =>
        norm(hessian.subarray((offset + i) * n + offset, (offset + i) * n + offset + size)),
      )
      expect(blocks[name]!.norm).toBeCloseTo(Math.hypot(...own), 9)
      expect(blocks[name]!.norm).toBeLessThanOrEqual(norm(hessian))
      expect(blocks[name]!.standardError).toBe(0)
    }
    expect(norm(hessian)).toBeGreaterThanOrEqual(largest)
  })

  it('a block of many columns comes out within its standard error of the exact norm, as often as such an error says', async () => {
    // Linear regression on normal columns: the kernel's block is 2XᵀX / rows, whatever the weights.
    const [columns, count] = [320, 40]
    const net = defineNet([columns], [{ kind: 'dense', units: 1, bias: false }])
    const features = normals(columns * count)
    const options = { net, loss: 'mean-squared-error', rows: { features, targets: normals(count) } } as const
    const parameters = initialize(net, 1)
    let square = 0
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) {
        let product = 0
        for (let row = 0; row < count; row++) product += features[row * columns + i]! * features[row * columns + j]!
        square += ((2 * product) / count) ** 2
      }
    const exact = Math.sqrt(square)
    let within = 0
    const rounds = 40
    for (let seed = 0; seed < rounds; seed++) {
      const probed = { probes: 16, random: new Random(seed, 'probes') }
      const [block] = Object.values(await blockFrobeniusNorms(engine, options, parameters, probed))
      expect(block!.standardError).toBeGreaterThan(0)
      if (Math.abs(block!.norm - exact) <= 2 * block!.standardError) within++
    }
    expect(within / rounds).toBeGreaterThan(0.8)
  })

  it('refuses a dense Hessian of a net too large for one, saying how large it may be', async () => {
    const net = defineNet([100], [{ kind: 'dense', units: 10 }])
    await expect(
      denseHessian(
        engine,
        { net, loss: 'softmax-cross-entropy', rows: { features: new Float32Array(100), targets: new Int32Array(1) } },
        initialize(net, 1),
      ),
    ).rejects.toThrow('1010 parameters')
  })
})
