import { describe, expect, it } from 'vitest'
import { encodeUpdate, openUpdate } from '../../../../src/engines/compiled/update/update-code.js'
import { optimizerRules } from '../../../../src/engines/optimizers.js'
import { optimizerKinds, type OptimizerSpec } from '../../../../src/net/training-spec.js'

describe("an optimiser's update as WebAssembly", () => {
  it('is these very bytes for plain descent', () => {
    expect(Buffer.from(encodeUpdate('sgd')).toString('hex')).toMatchInlineSnapshot(
      `"0061736d0100000001080160047f7f7f7d00021001046d6c6473066d656d6f727902000103020100070a010675706461746500000a50014e02017f057b2003fd1321050340200120046afd0004002106200220046afd000400210720052007fde601210820082006fde4012109200120046a2009fd0b0400200441106a22042000490d000b0b"`,
    )
  })

  it.each(optimizerKinds)(
    'is a module that the engine takes, and changes every number as the loop does: %s',
    (kind) => {
      const spec: OptimizerSpec = { kind, learningRate: 0.1 }
      const rule = optimizerRules[kind]
      const memory = new WebAssembly.Memory({ initial: 1 })
      const vectors = Array.from({ length: 2 + rule.slots }, (_, i) => new Float32Array(memory.buffer, i * 32, 8))
      const [parameters, gradient, ...slots] = vectors
      parameters!.set([1, -2, 3, -4, 5, -6, 7, -8])
      gradient!.set([0.5, -0.25, 0, 4, -8, 0.125, 2, -1])
      slots.forEach((slot) => slot.fill(rule.initial(spec)))
      const rates = rule.hyperparameters(spec)
      const wanted = parameters!.slice()
      const wantedSlots = slots.map((slot) => slot.slice())
      rule.apply(wanted, gradient!.slice(), wantedSlots, 1, rates)
      const places = vectors.map(({ byteOffset }) => byteOffset)
      openUpdate(kind, memory)(32, ...places, ...rates, ...rule.schedule(rates, 1))
      for (const [i, value] of wanted.entries()) expect(parameters![i]).toBeCloseTo(value, 5)
      for (const [k, slot] of wantedSlots.entries())
        for (const [i, value] of slot.entries()) expect(slots[k]![i]).toBeCloseTo(value, 5)
    },
  )
})
