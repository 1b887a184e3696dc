import { afterEach, describe, expect, it, vi } from 'vitest'
import { createEngine } from '../../../src/engines/create-engine.js'
import { defineNet, initialize } from '../../../src/net/net.js'
import { Random } from '../../../src/core/seed.js'

const net = defineNet(
  [3],
  [
    { kind: 'dense', units: 5, activation: 'tanh' },
    { kind: 'dense', units: 1 },
  ],
)
const random = new Random(1)
const features = Float32Array.from({ length: 3 * 5_130 }, () => random.uniform())
const targets = Float32Array.from({ length: 5_130 }, (_, i) => Math.sin(6 * features[3 * i]!))
const options = { net, loss: 'mean-squared-error' as const, rows: { features, targets } }

/** What the engine measures while each look at the clock finds it this much later. */
async function measuredAt(msPerLook: number) {
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += msPerLook))
  const engine = await createEngine('compiled')
  try {
    const parameters = initialize(net, 0)
    const vector = Float32Array.from(parameters, (_, i) => Math.cos(i))
    return {
      gradient: await engine.gradient(options, parameters),
      curvature: await engine.curvature(options, parameters, vector),
      evaluation: await engine.evaluate(options, parameters),
    }
  } finally {
    await engine.dispose()
  }
}

describe('what the compiled engine measures', () => {
  afterEach(() => vi.restoreAllMocks())

  it('is the same to the last bit on a fast machine and on one that does a batch in half a second', async () => {
    const fast = await measuredAt(0.001)
    for (const msPerLook of [40, 100, 500]) expect(await measuredAt(msPerLook)).toEqual(fast)
  })
})
