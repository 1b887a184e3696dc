import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logFileOf, maxShortLogCharacters } from '../../src/system/log-file.js'
import { LogKeeper, readEnd, TrialLogs, type StoredLog } from '../../src/sweeps/trial-logs.js'
import { temporaryFolder } from '../helpers/cli.js'

const textOf = (log: StoredLog | undefined): string | undefined => log && Buffer.from(log.bytes).toString()
const open = () => {
  const folder = temporaryFolder()
  const logs = new TrialLogs(folder)
  const text = async (trial: string, attempt = 1): Promise<string | undefined> =>
    textOf(await logs.read(trial, attempt))
  return { folder, shared: join(folder, 'short.jsonl'), keeper: new LogKeeper(folder), text }
}

describe("the logs of a sweep's trials", () => {
  it('of 1,000 short trials share one file, and each is found, also while others are appended', async () => {
    const { folder, keeper, text } = open()
    for (let n = 0; n < 1_000; n++) {
      expect(await text(`t${n}`)).toBeUndefined()
      keeper.keep(`t${n}`, 1, `log of ${n}\n`)
      if (n % 100 === 0) expect(await text(`t${n}`)).toBe(`log of ${n}\n`)
    }
    for (let n = 0; n < 1_000; n++) expect(await text(`t${n}`)).toBe(`log of ${n}\n`)
    expect(readdirSync(folder)).toEqual(['short.jsonl'])
    keeper.close()
  })

  it('keep whatever text there is, as a file of UTF-8 would', async () => {
    const { keeper, text } = open()
    let n = 0
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1 }), async (written) => {
        keeper.keep(`t${++n}`, 1, written)
        expect(await text(`t${n}`)).toBe(Buffer.from(written).toString())
      }),
    )
    const longest = '\u0001'.repeat(maxShortLogCharacters)
    keeper.keep('longest', 1, longest)
    expect(await text('longest')).toBe(longest)
    keeper.keep('surrogate', 1, 'a\ud800b')
    expect(await text('surrogate')).toBe('a\ufffdb')
    keeper.close()
  })

  it('are kept for each attempt, and a long one takes a file of its own', async () => {
    const { folder, keeper, text } = open()
    keeper.keep('a', 1, 'first\n')
    keeper.keep('a', 2, 'x'.repeat(maxShortLogCharacters + 1))
    keeper.keep('a', 12, 'twelfth\n')
    keeper.close()
    expect([await text('a'), await text('a', 12), await text('a', 3)]).toEqual(['first\n', 'twelfth\n', undefined])
    expect(await text('a', 2)).toHaveLength(maxShortLogCharacters + 1)
    expect(readdirSync(folder).sort()).toEqual(['a.2.log', 'short.jsonl'])
  })

  it('are not kept twice where the trial has written its own file', async () => {
    const { folder, keeper, text } = open()
    writeFileSync(logFileOf(folder, 'a', 1), 'the beginning\nthe end\n')
    keeper.keep('a', 1, 'the end\n')
    expect(await text('a')).toBe('the beginning\nthe end\n')
    // It began twice under one number: what the first left is not the second's.
    keeper.keep('a', 1, 'begun again\n')
    expect(await text('a')).toBe('the beginning\nthe end\nbegun again\n')
    keeper.close()
  })

  it('lose nothing but the one that a kill tore, and foreign lines are passed over', async () => {
    const { shared, keeper, text } = open()
    for (const trial of ['a', 'b', 'c']) keeper.keep(trial, 1, `log of ${trial}\n`)
    keeper.close()
    truncateSync(shared, statSync(shared).size - 7)
    expect([await text('a'), await text('b'), await text('c')]).toEqual(['log of a\n', 'log of b\n', undefined])
    keeper.keep('d', 1, 'log of d\n')
    keeper.close()
    const foreign = [
      '',
      '{',
      'null',
      '{"trial":"e","attempt":1,"text":"',
      '{"trial":"f","attempt":1,"text":"x","text":1}',
    ]
    appendFileSync(shared, `${[...foreign, `{"trial":"g","attempt":1,"text":"${'x'.repeat(300_000)}"}`].join('\n')}\n`)
    keeper.keep('h', 1, 'log of h\n')
    keeper.close()
    expect(await Promise.all(['a', 'c', 'd', 'e', 'f', 'g', 'h'].map((trial) => text(trial)))).toEqual([
      'log of a\n',
      undefined,
      'log of d\n',
      undefined,
      undefined,
      undefined,
      'log of h\n',
    ])
  })

  it('are found by a reader that looked at a file which was then replaced by a shorter one', async () => {
    const { shared, keeper, text } = open()
    for (const trial of ['a', 'b']) keeper.keep(trial, 1, `log of ${trial}\n`)
    keeper.close()
    expect(await text('b')).toBe('log of b\n')
    writeFileSync(
      shared,
      readFileSync(shared, 'utf8').split('\n')[0]!.replaceAll('a', 'z').replace('ztt', 'att') + '\n',
    )
    expect(await text('b')).toBeUndefined()
  })

  it('are written by the holder of the lock alone', () => {
    const folder = temporaryFolder()
    const refuse = (): void => {
      throw new Error('the lock is lost')
    }
    expect(() => new LogKeeper(folder, refuse).keep('a', 1, 'text')).toThrow('the lock is lost')
    expect(readdirSync(folder)).toEqual([])
  })

  it('are read from their ends, and empty where there is none', () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'a'), 'a line\nthe end\n')
    expect(readEnd(join(folder, 'a'), 8)).toBe('the end\n')
    expect(readEnd(join(folder, 'none'), 8)).toBe('')
  })
})
