import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chanceNote, stateWord, tallyOf } from '../../src/sweeps/tally.js'
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
      /^These 3 claims .* chance alone would decide 0\.15 of them/,
    )
  })

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
