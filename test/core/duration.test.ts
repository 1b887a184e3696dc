import { expect, it } from 'vitest'
import { parseDuration } from '../../src/core/duration.js'

it.each([
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['1d2h3m4s', 93_784_000],
  ['0s', 0],
])('%s is %i ms', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs)
})

it.each(['', '10', 'h', '1.5h', '-1h', '1h 30m', '30m1h', '1h1h', '1e3s', ' 1h', '1H', '9999999999s'])(
  '%j is no time',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)
