import { describe, expect, it, onTestFinished } from 'vitest'
import { filterNormalised, randomDirection } from '../../src/analysis/directions.js'
import { lanczos } from '../../src/analysis/lanczos.js'
import { countEigenvalues, sampledRatio } from '../../src/analysis/minimal-ratio.js'
import { ballSharpness, boxSharpness, curvatureSharpness, sampledRise } from '../../src/analysis/loss-sharpness.js'
import { symmetricSpectrum } from '../../src/analysis/symmetric.js'
import { dot, norm } from '../../src/analysis/vectors.js'
import { CompiledEngine } from '../../src/engines/compiled/compiled.js'
import { defineNet, initialize } from '../../src/net/net.js'
import { Random } from '../../src/core/seed.js'

/** ½ Σ λᵢ xᵢ² + slope · x₀: a quadratic whose spectrum is written down. */
const quadratic =
  (spectrum: readonly number[], slope = 0) =>
  async (x: ArrayLike<number>): Promise<number> =>
    spectrum.reduce((sum, lambda, i) => sum + (lambda * x[i]! ** 2) / 2, 0) + slope * x[0]!

describe('eigenvalues', () => {
  const spectrum = Array.from({ length: 200 }, (_, i) => 10 * 0.9 ** i - 0.5)
  const product = async (v: Float64Array) => v.map((x, i) => spectrum[i]! * x)

  it("are found at both ends by Lanczos's method, from any start", async () => {
    for (const start of [1, 2]) {
      const found = await lanczos(product, 200, new Random(start), { tolerance: 1e-9 })
      expect(found.values[0]).toBeCloseTo(9.5, 5)
      expect(found.products).toBeLessThanOrEqual(60)
      expect(Math.abs(found.vector(0)[0]!)).toBeCloseTo(1, 3)
      expect(Math.abs(found.values[0]! - 9.5)).toBeLessThanOrEqual(found.residual + 1e-12)
    }
  })

  it('are no farther from one than the residual that is told, however few products were made', async () => {
    for (const maxProducts of [1, 2, 4, 8, 16]) {
      const { values, residual } = await lanczos(product, 200, new Random(3), { tolerance: 0, maxProducts })
      const nearest = Math.min(...spectrum.map((lambda) => Math.abs(lambda - values[0]!)))
      expect(nearest).toBeLessThanOrEqual(residual + 1e-9)
      expect(residual).toBeGreaterThan(1e-6)
    }
  })

  it('are those of the whole matrix when it is small', async () => {
    const { values } = await lanczos(async (v) => v.map((x, i) => [4, -3, 1][i]! * x), 3, new Random(1))
    expect([...values].map((v) => Number(v.toFixed(9)))).toEqual([4, 1, -3])
    const { values: dense, vectors } = symmetricSpectrum([2, 1, 1, 2], 2)
    expect([...dense].map((v) => Number(v.toFixed(12)))).toEqual([3, 1])
    expect(Math.abs(dot(vectors[0]!, vectors[1]!))).toBeLessThan(1e-12)
  })
})

describe('the minimal ratio', () => {
  it('counts signs exactly, and what is numerically zero apart', () => {
    expect(countEigenvalues([5, 1, 1e-9, -1e-9, 0, -2], 1e-6)).toEqual({
      positive: 2,
      zero: 3,
      negative: 1,
      ofAll: 2 / 6,
      ofSigned: 2 / 3,
    })
    expect(countEigenvalues([5, 1e-9, -1e-9], 0)).toMatchObject({ positive: 2, negative: 1, zero: 0 })
  })

  it('is 1 at a strict minimum, and a half at a balanced saddle and on a slope', async () => {
    const samples = 400
    const at = (loss: (x: ArrayLike<number>) => Promise<number>, std: number) =>
      sampledRatio(loss, new Float64Array(6), { std, samples, random: new Random(2) })
    const bound = 3 * Math.sqrt(0.25 / samples)
    expect(await at(quadratic([1, 2, 3, 1, 1, 1]), 0.1)).toBe(1)
    const saddle = await at(quadratic([1, 1, 1, -1, -1, -1]), 0.1)
    expect(Math.abs(saddle - 0.5)).toBeLessThan(bound)
    expect(Number.isInteger(saddle * samples)).toBe(true)
    expect(Math.abs((await at(quadratic([1, 1, 1, 1, 1, 1], 1), 1e-6)) - 0.5)).toBeLessThan(bound)
  })
})

describe('sharpness of a quadratic', () => {
  const spectrum = [8, 2, 1]
  const loss = quadratic(spectrum)
  const slope = async (x: Float64Array) => ({ loss: await loss(x), gradient: x.map((v, i) => spectrum[i]! * v) })
  const centre = [0.001, 0, 0]

  it('is bounded in a ball by ½λmax ε²/(1+L), rises with samples and with ε, and is at most that in the box', async () => {
    const ball = (epsilon: number, samples: number) =>
      ballSharpness(slope, [0, 0, 0], { epsilon, samples, random: new Random(1) })
    const spectral = curvatureSharpness(8, 0.1, 0)
    expect(spectral).toBeCloseTo(0.04, 12)
    const [few, many] = [await ball(0.1, 5), await ball(0.1, 500)]
    expect(few).toBeLessThanOrEqual(many)
    expect(many).toBeLessThanOrEqual(spectral)
    expect(many).toBeGreaterThan(0.95 * spectral)
    expect(await ball(0.2, 5)).toBeGreaterThanOrEqual(few)
    const box = await boxSharpness(slope, centre, { epsilon: 0.1 })
    expect(box / 100).toBeGreaterThanOrEqual(many)
    expect(await boxSharpness(slope, centre, { epsilon: 0.05 })).toBeLessThanOrEqual(box)
  })
})

describe('the box of a subspace', () => {
  // A slope c: the most is Σⱼ |(Aᵀc)ⱼ| ε (|(A⁺θ)ⱼ| + 1), in a corner of the box.
  const c = [1, -2, 0.5, 3]
  const theta = [0.3, -1, 2, 0.7]
  const slope = async (x: Float64Array) => ({ loss: dot(c, x) - dot(c, theta), gradient: Float64Array.from(c) })

  it('is scaled by the coordinates in it that come nearest to the centre, also of oblique directions', async () => {
    const [a, b] = [Float64Array.of(1, 2, 0, 1), Float64Array.of(0, 1, -1, 2)] as const
    const [aa, ab, bb, at, bt] = [dot(a, a), dot(a, b), dot(b, b), dot(a, theta), dot(b, theta)]
    const inverse = [(bb * at - ab * bt) / (aa * bb - ab * ab), (aa * bt - ab * at) / (aa * bb - ab * ab)]
    const expected = [a, b].reduce((sum, d, j) => sum + Math.abs(dot(d, c)) * 0.1 * (Math.abs(inverse[j]!) + 1), 0)
    expect(await boxSharpness(slope, theta, { epsilon: 0.1, directions: [a, b] })).toBeCloseTo(100 * expected, 9)
  })

  it('is the whole box when the directions are those of the weights', async () => {
    const directions = theta.map((_, i) => Float64Array.from(theta, (__, j) => (i === j ? 1 : 0)))
    const whole = await boxSharpness(slope, theta, { epsilon: 0.1 })
    expect(await boxSharpness(slope, theta, { epsilon: 0.1, directions })).toBeCloseTo(whole, 9)
    expect(whole).toBeCloseTo(100 * c.reduce((sum, v, i) => sum + Math.abs(v) * 0.1 * (Math.abs(theta[i]!) + 1), 0), 9)
  })
})

describe('sharpness of a net', () => {
  const net = defineNet(
    [4],
    [
      { kind: 'dense', units: 8, activation: 'relu' },
      { kind: 'dense', units: 3 },
    ],
  )
  const random = new Random(5, 'rows')
  const rows = {
    features: Float32Array.from({ length: 4 * 60 }, () => random.normal()),
    targets: Int32Array.from({ length: 60 }, (_, i) => i % 3),
  }
  const options = { net, loss: 'softmax-cross-entropy' as const, rows }

  /** After some training, so that there is a valley to stand in. */
  async function valley() {
    const engine = new CompiledEngine()
    onTestFinished(() => engine.dispose())
    const training = await engine.train({
      ...options,
      optimizer: { kind: 'adam', learningRate: 0.02 },
      batch: 60,
      parameters: initialize(net, 1),
    })
    for (let epoch = 0; epoch < 300; epoch++) await training.run(Int32Array.from({ length: 60 }, (_, i) => i))
    const theta = training.parameters()
    training.dispose()
    const lossAt = async (at: Float64Array) => (await engine.evaluate(options, Float32Array.from(at))).loss
    const slopeAt = async (at: Float64Array) => {
      const { loss, gradient } = await engine.gradient(options, Float32Array.from(at))
      return { loss, gradient: Float64Array.from(gradient) }
    }
    return { theta, lossAt, slopeAt }
  }

  it('is never negative and does not fall as the neighbourhood grows; the box holds more than the ball', async () => {
    const { theta, slopeAt } = await valley()
    const sizes = [1e-3, 1e-2, 1e-1]
    const draw = (seed: number) => {
      const own = new Random(seed, 'directions')
      return () => filterNormalised(randomDirection(theta.length, own), theta, net.parameters)
    }
    const measured = {
      ball: await inTurn(sizes, (epsilon) =>
        ballSharpness(slopeAt, theta, { epsilon, samples: 20, random: new Random(1) }),
      ),
      filters: await inTurn(sizes, (epsilon) => sampledRise(slopeAt, theta, epsilon, 20, draw(1))),
      box: await inTurn(sizes, (epsilon) => boxSharpness(slopeAt, theta, { epsilon })),
    }
    for (const values of Object.values(measured)) {
      expect(values[0]).toBeGreaterThanOrEqual(0)
      expect(values).toEqual([...values].sort((a, b) => a - b))
    }
    measured.ball.forEach((value, i) => expect(measured.box[i]! / 100).toBeGreaterThanOrEqual(value))
  })

  it('at a small ε is the slope’s, where the losses’ difference in float32 is rounding', async () => {
    const { theta, slopeAt } = await valley()
    const ball = (epsilon: number) => ballSharpness(slopeAt, theta, { epsilon, samples: 20, random: new Random(1) })
    // To first order it is ε times the steepest of the slopes drawn: a tenth of the ε has a tenth of it.
    const [small, smaller] = [await ball(1e-5), await ball(1e-6)]
    expect(small).toBeGreaterThan(0)
    expect(Math.abs(small / smaller / 10 - 1)).toBeLessThan(2e-3)
  })

  it('changes when a ReLU layer is rescaled, which changes no output, unless filters are normalised (Dinh 2017)', async () => {
    const { theta, lossAt, slopeAt } = await valley()
    const rescaled = Float32Array.from(theta)
    for (const { layer, name, offset, size } of net.parameters)
      for (let i = offset; i < offset + size; i++) rescaled[i]! *= layer === 0 ? 8 : name.endsWith('kernel') ? 1 / 8 : 1
    expect(await lossAt(Float64Array.from(rescaled))).toBeCloseTo(await lossAt(Float64Array.from(theta)), 6)

    const raw = (at: Float32Array) => ballSharpness(slopeAt, at, { epsilon: 0.5, samples: 30, random: new Random(2) })
    const normalised = (at: Float32Array) => {
      const own = new Random(2, 'directions')
      const draw = () => filterNormalised(randomDirection(at.length, own), at, net.parameters)
      return sampledRise(slopeAt, at, 0.5, 30, draw)
    }
    expect(Math.abs((await raw(rescaled)) / (await raw(theta)) - 1)).toBeGreaterThan(0.2)
    expect(Math.abs((await normalised(rescaled)) / (await normalised(theta)) - 1)).toBeLessThan(1e-3)
  })
})

async function inTurn<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await each(item))
  return results
}

describe('filter normalisation', () => {
  it("gives each filter of a direction the norm of the weights' own, and biases none", () => {
    const tensors = [
      { shape: [3, 2], offset: 0, size: 6 },
      { shape: [2], offset: 6, size: 2 },
    ]
    const weights = Float64Array.from([1, 4, 2, 5, 3, 6, 9, 9])
    const direction = filterNormalised(randomDirection(8, new Random(1)), weights, tensors)
    const filter = (v: Float64Array, f: number) => [v[f]!, v[2 + f]!, v[4 + f]!]
    for (const f of [0, 1]) expect(norm(filter(direction, f))).toBeCloseTo(norm(filter(weights, f)), 12)
    expect([...direction.subarray(6)]).toEqual([0, 0])
  })
})
