import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chanceNote, stateWord, tallyOf } from '../../src/sweeps/tally.js'
import { rankStep } from '../../src/analysis/intervals.js'
import { Random } from '../../src/core/seed.js'
import { weighed } from '../../src/experiments/vocabulary/effects.js'
import { net } from '../helpers/claims.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { judge, storedVerdicts, type ClaimVerdict } from '../../src/sweeps/verdicts.js'
import { formatVerdicts } from '../../src/terminal/summary.js'

const verdict = (of: Partial<ClaimVerdict>): ClaimVerdict => ({
  ...{ claim: 'x', statement: 'it is so', published: 'there', fragile: false, version: 1 },
  ...{ state: 'reproduced', summary: 'seen', seeds: 3 },
  ...of,
})
const claim = verdict({ interval: [1, 2] })
const check = verdict({ kind: 'check', statement: 'it adds up' })

describe('what verdicts come to together', () => {
  it('counts claims, and no check among them', () => {
    expect(tallyOf([claim, claim, check, { ...claim, state: 'inconclusive' }])).toBe('2 reproduced, 1 inconclusive')
    expect(tallyOf([check])).toBe('')
  })

  it('says of how many claims chance would decide some, of two or more that were weighed', () => {
    expect(chanceNote([claim, check])).toBe('')
    expect(chanceNote([claim, verdict({ state: 'inconclusive' })])).toBe('')
    expect(chanceNote([claim, claim, claim, check])).toMatch(
      /^If each of these 3 claims .* chance alone would decide 0\.15 of them on average\. After Holm/,
    )
  })

  it('counts as inconclusive what is decided alone and not among so many, and names it', () => {
    const p = (claim: string, value: number) => verdict({ claim, interval: [1, 2], p: value })
    const open = verdict({ claim: 'open', state: 'inconclusive', interval: [-1, 1] })
    // Of three: 0.01 · 3 and 0.02 · 2 are at most 0.05; 0.03 · 2 is not.
    expect(tallyOf([p('a', 0.01), p('b', 0.02), open])).toBe('2 reproduced, 1 inconclusive')
    expect(tallyOf([p('a', 0.01), p('b', 0.03), open])).toBe('1 reproduced, 2 inconclusive')
    expect(chanceNote([p('a', 0.01), p('b', 0.03), open])).toMatch(/leaves open: b\.$/)
    // Once one stays open, so do those that are less certain.
    expect(tallyOf([p('a', 0.02), p('b', 0.03), p('c', 0.04)])).toBe('3 inconclusive')
    expect(tallyOf([verdict({ interval: [1, 2] }), open])).toBe('1 reproduced, 1 inconclusive')
  })

  it.each([1, 3, 7, 11])(
    'where the truth of %i claims lies at their bounds, decides any of them in at most 5 of 100 sweeps, and 2 standard errors',
    (count) => {
      const sweeps = 2000
      const random = new Random(count, 'null sweeps')
      const scales = ['linear', 'log', 'rank'] as const
      const claims = Array.from({ length: count }, (_, i) => {
        const scale = scales[i % 3]!
        return weighed({
          ...{ id: `c${i}`, statement: 'x', published: 'x' },
          effects: [
            {
              ...{ quantity: 'x', scale, needs: 'a number', trials: (records) => [...records] },
              ...(i % 2 === 0 ? { above: scale === 'log' ? 1 : 0 } : { below: scale === 'log' ? 1 : 0 }),
              of: ([record]) => record!.metrics[`c${i}`]!,
              ...(scale === 'rank' ? { step: () => rankStep(10) } : {}),
            },
          ],
        })
      })
      const draw = { linear: (x: number) => x, log: Math.exp, rank: (x: number) => Math.tanh(x / 3) }
      let wrong = 0
      for (let sweep = 0; sweep < sweeps; sweep++) {
        const records = Array.from({ length: 3 + (sweep % 6) }, (_, seed) =>
          net(seed, {}, Object.fromEntries(claims.map(({ id }, i) => [id, draw[scales[i % 3]!](random.normal())]))),
        )
        if (/(^| )\d+ (not )?reproduced/.test(tallyOf(judge(claims, records)))) wrong++
      }
      expect(wrong / sweeps).toBeLessThanOrEqual(0.05 + 2 * Math.sqrt((0.05 * 0.95) / sweeps))
    },
  )

  it('tells a check apart, by words of its own', () => {
    const failed: ClaimVerdict = { ...check, state: 'not reproduced' }
    expect([claim, check, failed, { ...check, state: 'inconclusive' as const }].map(stateWord)).toEqual([
      'reproduced',
      'holds',
      'fails',
      'not made',
    ])
    const lines = formatVerdicts([failed, claim, claim]).split('\n')
    expect(lines[0]).toBe('What it shows')
    expect(lines.indexOf('Checks')).toBeGreaterThan(lines.findIndex((line) => line.includes('chance alone')))
    expect(lines.at(-2)).toContain('fails: it adds up')
  })
})

describe('a verdict', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-verdicts-'))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('carries the version of its claim; one stored before there were versions is of the first', async () => {
    const rule = { id: 'x', statement: 'it is so', published: 'there', check: () => claim }
    expect(judge([rule, { ...rule, version: 4, kind: 'check' }], [])).toMatchObject([
      { version: 1 },
      { version: 4, kind: 'check' },
    ])
    const verdictsFile = join(folder, 'verdicts.json')
    const { version: _, ...old } = claim
    writeFileSync(verdictsFile, JSON.stringify([old, { ...claim, version: 3 }, { ...claim, version: 'x' }]))
    expect(await storedVerdicts({ verdictsFile } as SweepFolder)).toEqual([claim, { ...claim, version: 3 }, claim])
  })
})
