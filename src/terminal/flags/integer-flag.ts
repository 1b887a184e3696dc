import { Flags } from '@oclif/core'
import { MldsError } from '../../core/errors.js'

/** A flag that takes an integer; oclif's own does not say which flag it refuses. */
export const integerFlag = Flags.custom<number, { min?: number; max?: number }>({
  parse: async (raw, _, { name, min = -Infinity, max = Infinity }) => {
    const value = Number(raw)
    if (!/^-?\d+$/.test(raw) || value < min || value > max) {
      const right = max === Infinity ? (min === -Infinity ? '' : ` of at least ${min}`) : ` from ${min} to ${max}`
      throw new MldsError('USAGE', `--${name}: ${raw} is not an integer${right}`)
    }
    return value
  },
})
