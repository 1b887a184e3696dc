import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planTarget } from '../../src/app/planning/plan.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

async function settings(text: string, defaults = ''): Promise<unknown[]> {
  const folder = temporaryFolder()
  const file = join(folder, 's.yaml')
  writeFileSync(file, `experiment: { command: 'echo {args}'${defaults} }\n${text}\n`)
  const { plan } = await planTarget(file, { set: [] }, openStore(join(folder, '.mlds')))
  return plan.trials.map(({ params: { a, b } }) => [a, b])
}

describe("an axis of a command's that has no default", () => {
  it.each<[string, string, unknown[]]>([
    [
      'points: [{ a: 1, b: 2 }, { a: 1 }, { b: 3 }]',
      's.yaml:2:26: points: a row leaves out b',
      [
        [1, 2],
        [1, 0],
        [9, 3],
      ],
    ],
    [
      'around: { baseline: { a: 1 }, vary: { b: [2, 3] } }',
      's.yaml:2:9: around: the baseline leaves out b',
      [
        [1, 0],
        [1, 2],
        [1, 3],
      ],
    ],
    [
      'blocks: [{ axes: { a: [1, 2] } }, { zip: { a: [3], b: [4] } }]',
      's.yaml:2:10: blocks: a block leaves out b',
      [
        [1, 0],
        [2, 0],
        [3, 4],
      ],
    ],
  ])("never has another point's value, and its own default where there is one: %s", async (text, said, wanted) => {
    await expect(settings(text)).rejects.toThrow(said)
    expect(await settings(text, ', defaults: { a: 9, b: 0 }')).toEqual(wanted)
  })

  it('may be left out by null, as the refusal says', async () => {
    expect(await settings('points: [{ a: 1, b: 2 }, { a: 1, b: null }]')).toEqual([
      [1, 2],
      [1, null],
    ])
    expect(await settings('blocks: [{ axes: { a: [1], b: [null] } }, { axes: { a: [2], b: [3] } }]')).toEqual([
      [1, null],
      [2, 3],
    ])
  })

  it('is told of by those that there are where an expression names another', async () => {
    const planned = settings('axes: { a: [1], b: { expr: zzz + 1 } }')
    await expect(planned).rejects.toThrow(/2:17: unknown axis: zzz$/)
    await expect(planned).rejects.toHaveProperty('hint', 'known: a')
  })
})
