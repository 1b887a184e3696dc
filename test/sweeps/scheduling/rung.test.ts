import fc from 'fast-check'
import { expect, it } from 'vitest'
import { paretoRanks } from '../../../src/core/pareto-ranks.js'
import { createRung } from '../../../src/sweeps/scheduling/rung.js'

it.each([1, 2, 3])(
  'a rung of %d objectives counts those of lower fronts, whatever is added and taken away',
  (objectives) => {
    const losses = fc.array(fc.oneof(fc.nat(4), fc.constant(Infinity)), {
      minLength: objectives,
      maxLength: objectives,
    })
    const steps = fc.array(fc.record({ losses, taken: fc.option(fc.nat(30), { nil: undefined }) }), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (all) => {
        const rung = createRung(objectives)
        const present: (readonly number[])[] = []
        for (const { losses, taken } of all) {
          rung.add(losses)
          present.push(losses)
          if (taken !== undefined && taken < present.length) rung.remove(present.splice(taken, 1)[0]!)
          expect(rung.size).toBe(present.length)
          const ranks = paretoRanks(present)
          present.forEach((one, i) => {
            expect(rung.countBetter(one)).toBe(ranks.filter((rank) => rank < ranks[i]!).length)
          })
        }
      }),
    )
  },
)
