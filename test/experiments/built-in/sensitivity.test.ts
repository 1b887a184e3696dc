import { describe, expect, it } from 'vitest'
import { sensitivity } from '../../../src/experiments/built-in/sensitivity.js'
import { makePlan } from '../../../src/sweeps/plan.js'

const plan = (axes: Record<string, (string | number)[]>) =>
  makePlan(sensitivity, { experiment: 'sensitivity', profile: 'full', axes, seeds: [0] }, () => 'data').trials

describe('the sensitivity experiment', () => {
  it('measures another quantity or part on the very same nets', () => {
    const nets = (trials: ReturnType<typeof plan>) => trials.filter((t) => t.stage === 'main').map((t) => t.id)
    const [loss, logits] = [
      plan({ budget: ['epochs'], quantity: ['mean-loss'], part: ['train'] }),
      plan({ budget: ['epochs'], quantity: ['logits'], part: ['test'] }),
    ]
    expect(nets(logits)).toEqual(nets(loss))
    expect(logits.at(-1)!.id).not.toBe(loss.at(-1)!.id)
  })

  it('weighs no claim without enough nets', () => {
    for (const claim of sensitivity.claims) expect(claim.check([]).state).toBe('inconclusive')
  })
})
