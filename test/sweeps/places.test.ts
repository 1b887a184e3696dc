import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planTarget } from '../../src/app/planning/plan.js'
import { readStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

/** Sweep files with one mistake each, at the mark, and what is said of it. */
const mistakes: readonly (readonly [file: string, said: RegExp])[] = [
  ['experiment: params\naxes: {‸widht: [8]}', /^unknown axis: widht$/],
  ['experiment: params\naxes: {width: ‸[8, x]}', /^width: "x" is not an integer/],
  ['experiment: params\naxes: {width: ‸0}', /^width: 0 is not an integer from 1/],
  ['experiment: params\naxes:\n  width: ‸[true]', /^width: true is not/],
  ['experiment: params\naxes: {width: ‸[]}', /^width: no values/],
  ['experiment: params\naxes: {width: ‸}', /^width: no values/],
  ['experiment: params\naxes: {width: ‸0..1e9}', /^width: a sequence of 1000000001 values/],
  ['experiment: params\naxes: {width: ‸{linspce: [1, 2, 3]}}', /^width: .* is not a set of values/],
  ['experiment: params\naxes: {width: {‸span: [1, 2]}}', /^unknown axis: width\.span/],
  ['experiment: params\naxes: {width: [8], ‸width: [16]}', /unique/],
  ['experiment: params\naxes: {width: [8], main.width: ‸[16]}', /^width: given twice/],
  ['experiment: params\naxes: ‸[width]', /^axes is a mapping/],
  ['experiment: params\naxes: ‸{width: 1..1000, batch: 1..1001}', /^the axes cross to more than 1000000 points/],
  [
    'experiment: params\naxes: {width: [8]}\nsearch:\n  count: 2\n  axes: {width: ‸{int: [8, 16]}}',
    /^width: given twice/,
  ],
  ['experiment: params\nsearch:\n  count: 2\n  axes: {‸widht: {int: [8, 16]}}', /^unknown axis: widht$/],
  ['experiment: params\nsearch:\n  count: 2\n  axes: {width: ‸[8, x]}', /^width: "x" is not an integer/],
  ['experiment: params\nsearch: ‸{count: 2, axes: {width: {int: [9, 8]}}}', /^search: width: .* is not a range/],
  ['experiment: params\nsearch: ‸{axes: {width: [8]}}', /^search: count: /],
  ['experiment: params\nzip: {width: [8, 16], ‸widht: [1, 2]}', /^unknown axis: widht$/],
  ['experiment: params\nzip: {width: [8, 16], batch: ‸[x, 2]}', /^batch: "x" is not/],
  [
    'experiment: params\nzip:\n  - {width: [8, 16], batch: [4, 8]}\n  - {‸widht: [1, 2], depth: [1, 2]}',
    /^unknown axis/,
  ],
  ['experiment: params\naxes: {width: [8]}\nzip: {width: ‸[8, 16], batch: [4, 8]}', /^width: given twice/],
  ['experiment: params\nzip: ‸{width: [8, 16], batch: [4]}', /^zip: width has 2 values and batch has 1/],
  ['experiment: params\nwhen: {‸widht: {batch: [4]}}', /^unknown axis: widht$/],
  ['experiment: params\nwhen: {width: {‸mm: [4]}}', /^unknown axis: mm$/],
  ['experiment: params\nwhen: {width: {batch: ‸[x]}}', /^batch: "x" is not/],
  ['experiment: params\nexclude: {‸widht: [8]}', /^unknown axis: widht$/],
  ['experiment: params\nexclude:\n  - {width: [8]}\n  - {width: ‸[x]}', /^width: "x" is not/],
  ['experiment: params\nexclude: {width: [8], ‸mm: [8]}', /^unknown axis: mm$/],
  ['experiment: interpolate\naxes: {‸interpolate.alpah: [0]}', /^unknown axis: /],
  ['experiment: params\nbudget: ‸{updates: -5}', /^(updates|budget): /],
  [
    'experiment: params\naxes: {x: ‸linspace(-2, 2, 60)}',
    /^x: linspace\(-2, 2, 60\): between \{ \} or \[ \] YAML parts this/,
  ],
  ['experiment: params\naxes: {batch: [4], width: ‸8,16,32, depth: [1]}', /^width: 8, 16, 32: between/],
  ['experiment: params\naxes: {batch: [‸logspace(1, 8, 4)]}', /^logspace\(1, 8, 4\): between/],
  ['experiment: params\nprofile: ‸3', /^profile: 3 is not text$/],
  ['experiment: params\nprofile: ‸smal', /^unknown profile: smal$/],
  ['experiment: ‸parms\naxes: {width: [8]}', /^unknown experiment: parms$/],
  [
    "experiment: {command: 'true {x}'}\nprofile: ‸smoke\naxes: {x: [1]}",
    /^profile: smoke: this experiment has no profiles/,
  ],
  ["experiment: ‸{command: 'true {x} {y}'}\naxes: {x: [1]}", /^command: {y} has no values/],
  [`experiment: {command: 'true {x}'}\naxes: {x: ‸${'a'.repeat(6001)}}`, /^x: a text of 6001 characters/],
]

async function refusal(text: string, set: readonly string[] = []): Promise<{ message: string; place: string }> {
  const folder = temporaryFolder()
  const file = join(folder, 'my.yaml')
  const [before] = text.split('‸') as [string]
  writeFileSync(file, text.replace('‸', ''))
  const { message } = await planTarget(file, { set }, readStore(join(folder, 'store'))).then(
    () => new Error('it was taken'),
    (error: Error) => error,
  )
  const lines = before.split('\n')
  return { message, place: `${file}:${lines.length}:${lines.at(-1)!.length + 1}: ` }
}

describe('a mistake in a sweep file', () => {
  it.each(mistakes)('is refused with its line and column: %s', async (text, said) => {
    const { message, place } = await refusal(text)
    expect(message.slice(0, place.length)).toBe(place)
    expect(message.slice(place.length)).toMatch(said)
  })

  it('is not looked for in the file where a flag has made it', async () => {
    const { message } = await refusal('experiment: params\naxes: {width: [8]}\n‸', ['width=x'])
    expect(message).toMatch(/^width: "x" is not an integer/)
  })
})
