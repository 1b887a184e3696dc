import { expect, it } from 'vitest'
import { coverage, promises, settings } from '../../bench/coverage.js'

it.each(settings.map((setting) => [setting.scale, setting.noise, setting] as const))(
  'an interval on a %s scale holds the truth as often as promised, over 40,000 rounds: %s',
  (_, __, setting) => {
    const { least, most } = promises[setting.promise]
    for (const share of coverage(setting, 40_000)) {
      expect(share).toBeGreaterThanOrEqual(least)
      expect(share).toBeLessThanOrEqual(most)
    }
  },
)
