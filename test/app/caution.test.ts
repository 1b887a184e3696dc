import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cautionAbout } from '../../src/app/planning/caution.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { readStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

/** A command with axes, and whatever else is given. */
async function planned(more: string, axes = 'axes: {lr: [0.1, 0.2], opt: [sgd, adam], w: [8, 16]}') {
  const folder = temporaryFolder()
  const file = join(folder, 's.yaml')
  writeFileSync(
    file,
    `experiment: {command: 'true {lr} {opt} {w}', defaults: {lr: 1, opt: sgd, w: 4}}\n${axes}\n${more}\n`,
  )
  return await planTarget(file, { set: [] }, readStore(join(folder, 'store')))
}

describe('a condition that fits no point is told of', () => {
  it.each([
    ['exclude: {lr: 7}', 'exclude: {lr: 7} fits no point: it leaves nothing out.'],
    ['exclude: [{opt: adam, w: 8}, {opt: sdg}]', 'exclude: {opt: sdg} fits no point: it leaves nothing out.'],
    // A text is no number.
    ['exclude: {w: ["8", "16"]}', 'exclude: {w: ["8", "16"]} fits no point: it leaves nothing out.'],
    [
      'exclude: {lr: 0.1, w: {min: 17, max: 20}}',
      'exclude: {lr: 0.1, w: {min: 17, max: 20}} fits no point: it leaves nothing out.',
    ],
    ['when: {lr: {opt: sdg}}', 'when: lr: {opt: sdg} fits no point: lr has its default in all.'],
    [
      'blocks: [{axes: {a: [1]}, exclude: {a: 2}}, {axes: {a: [2]}}]',
      'exclude: {a: 2} fits no point: it leaves nothing out.',
    ],
  ])('%s', async (more, told) => {
    expect(await cautionAbout(await planned(more))).toContain(told)
  })

  it.each([
    'exclude: {lr: 0.1}',
    // The second leaves out what the first does, and where does, too.
    'exclude: [{lr: 0.1}, {lr: 0.1, w: 8}]',
    'exclude: {lr: 0.1}\nwhere: lr > 0.1',
    'when: {lr: {opt: adam}}',
    'exclude: {a: 2}\nblocks: [{axes: {a: [1]}}, {axes: {a: [2, 3]}}]',
  ])('and one that fits some is not: %s', async (more) => {
    expect((await cautionAbout(await planned(more))) ?? '').not.toContain('fits no point')
  })
})

describe('a seed among the axes of a command', () => {
  it.each([
    ['axes: {lr: [1], seed: [1, 2]}', '2:17'],
    ['axes: {lr: [1]}\nzip: {seed: [1, 2], w: [1, 2]}', '3:7'],
    ['points: [{lr: 1}, {lr: 2, seed: 3}]', '2:27'],
    ['around: {baseline: {lr: 1}, vary: {seed: [1, 2]}}', '2:36'],
    ['search: {count: 2, axes: {seed: {int: [1, 9]}}}', '2:27'],
    ['axes: {lr: [1]}\nblocks: [{axes: {w: [2]}}, {axes: {seed: [1]}}]', '3:36'],
  ])('is refused with its place: %s', async (axes, place) => {
    await expect(planned('', axes)).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(new RegExp(`s\\.yaml:${place}: unknown axis: seed$`)) as string,
        hint: expect.stringContaining('seeds: 0..4') as string,
      }) as Error,
    )
  })
})
