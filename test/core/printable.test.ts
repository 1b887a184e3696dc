import { describe, expect, it } from 'vitest'
import { printable, printableColours, printableLine } from '../../src/core/printable.js'

describe('text from outside', () => {
  it('shows control characters, and whatever would turn or break its line', () => {
    const hostile = 'a\x1b[2J\x00\x7f\x9b\u202Egnp.exe\u2066\u2069\u2028\u2029\u202a'
    const shown = 'a\\x1b[2J\\x00\\x7f\\x9b\\u202egnp.exe\\u2066\\u2069\\u2028\\u2029\\u202a'
    for (const show of [printableLine, printable, printableColours]) expect(show(hostile)).toBe(shown)
  })

  it('keeps lines and colours where it may have them, and letters of every language', () => {
    expect([printableLine('a\n\tb'), printable('a\n\tb')]).toEqual(['a\\x0a\\x09b', 'a\n\tb'])
    expect(printableColours('\x1b[1;31mred\x1b[0m\x1b[H')).toBe('\x1b[1;31mred\x1b[0m\\x1b[H')
    const letters = 'Müller שלום مرحبا 数据 👩‍🔬 ε≤1'
    expect(printableLine(letters)).toBe(letters)
  })
})
