import { expect, it } from 'vitest'
import { falseVerdicts, nullSweeps } from '../../bench/sequential.js'

it.each(nullSweeps.map((sweep) => [sweep.what, sweep] as const))(
  'of 2,000 sweeps of no effect, looked at after each of 5 to 100 seeds, at most 5 % and 2 standard errors decide anything: %s',
  (_, sweep) => {
    expect(falseVerdicts(sweep, 2000, 100)).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / 2000))
  },
)
