import { describe, expect, it } from 'vitest'
import { meanLossSensitivity, rmsSensitivity, rowNorms } from '../../src/analysis/input-sensitivity.js'
import { Random } from '../../src/core/seed.js'
import { CompiledEngine } from '../../src/engines/compiled/compiled.js'
import { defineNet, initialize } from '../../src/net/net.js'

const rows = 12
const inputs = 5
const classes = 3
const random = new Random(1)
const features = Float32Array.from({ length: rows * inputs }, () => random.normal())
const targets = Int32Array.from({ length: rows }, (_, i) => i % classes)
const loss = 'softmax-cross-entropy'
const linear = defineNet([inputs], [{ kind: 'dense', units: classes }])

async function normsOf(net: typeof linear, parameters: Float32Array, x = features, y = targets) {
  const engine = new CompiledEngine()
  const gradients = await engine.inputGradients({ net, loss, rows: { features: x, targets: y } }, parameters)
  await engine.dispose()
  return rowNorms(gradients, inputs)
}

describe('sensitivity of a loss to its inputs', () => {
  it('is Wᵀ(p − y) for a linear softmax', async () => {
    const theta = initialize(linear, 3)
    const norms = await normsOf(linear, theta)
    for (let r = 0; r < rows; r++) {
      const logits = Array.from({ length: classes }, (_, c) =>
        Array.from({ length: inputs }).reduce<number>(
          (sum, _, i) => sum + features[r * inputs + i]! * theta[i * classes + c]!,
          theta[inputs * classes + c]!,
        ),
      )
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0)
      const error = logits.map((z, c) => Math.exp(z) / total - (targets[r] === c ? 1 : 0))
      const gradient = Array.from({ length: inputs }, (_, i) =>
        error.reduce((sum, e, c) => sum + e * theta[i * classes + c]!, 0),
      )
      expect(norms[r]).toBeCloseTo(Math.hypot(...gradient), 5)
    }
  })

  it('shrinks by √2 for the mean loss when the data set is repeated, and stays for each row’s', async () => {
    const theta = initialize(linear, 3)
    const once = await normsOf(linear, theta)
    const twice = await normsOf(
      linear,
      theta,
      Float32Array.from([...features, ...features]),
      Int32Array.from([...targets, ...targets]),
    )
    expect(meanLossSensitivity(twice)).toBeCloseTo(meanLossSensitivity(once) / Math.SQRT2, 7)
    expect(rmsSensitivity(twice)).toBeCloseTo(rmsSensitivity(once), 7)
  })

  it('is 0 for a constant net', async () => {
    const norms = await normsOf(linear, new Float32Array(linear.parameterCount))
    expect(Math.max(...norms)).toBe(0)
  })

  it('is the mean loss’s own when each row’s gradients are put together', async () => {
    const norms = await normsOf(linear, initialize(linear, 5))
    expect(meanLossSensitivity(norms)).toBeCloseTo(Math.hypot(...norms) / rows, 12)
  })
})
