// mlds sweep examples/1-one-file.ts --set learningRate=0.01,0.1,1 --set seed=0..2
import { Random, defineExperiment, integer, number } from 'mlds'

export default defineExperiment({
  space: { learningRate: number({ above: 0, default: 0.1 }), steps: integer({ min: 1, default: 20 }) },
  async run({ learningRate, steps }, { report, seeds }) {
    let x = new Random(seeds.init).normal()
    for (let step = 1; step <= steps; step++) {
      x -= learningRate * 2 * (x - 3)
      await report(step, { loss: (x - 3) ** 2 })
    }
    return { loss: (x - 3) ** 2, x }
  },
})
