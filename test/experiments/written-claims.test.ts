import { describe, expect, it } from 'vitest'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSweep, runSweep, type SweepDescription } from '../../src/app/library.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { defineExperiment } from '../../src/experiments/experiment.js'
import { withClaimsOf } from '../../src/experiments/written-claims.js'
import { parseSweepObject } from '../../src/sweeps/spec/spec.js'
import { judge } from '../../src/sweeps/verdicts.js'
import { number } from '../../src/core/space.js'
import { openStore } from '../../src/system/store.js'
import { net, noise } from '../helpers/claims.js'
import { temporaryFolder } from '../helpers/cli.js'
import { plainExperiment } from '../helpers/experiments.js'

type Claims = NonNullable<SweepDescription['claims']>

/** What a claim comes to over seeds whose loss at each width is as given, with a little noise; `undefined`: the trial has none. */
function weigh(claim: Claims[string], lossAt: (width: number, seed: number) => number | undefined, seeds = 5) {
  const widths = [1, 2, 4, 8]
  const spec = parseSweepObject({ experiment: 'toy', claims: { claim } })
  const records = Array.from({ length: seeds }, (_, seed) => seed).flatMap((seed) =>
    widths.map((width) => {
      const loss = lossAt(width, seed)
      return net(seed, { width }, loss === undefined ? {} : { loss: loss * Math.exp(0.01 * noise(seed, width)) })
    }),
  )
  return judge(
    withClaimsOf({ ...spec, objective: { metric: 'loss', direction: 'minimize' } }, plainExperiment()).claims,
    records,
  )[0]!
}

const falls = (width: number): number => 1 / width
const rises = (width: number): number => width
const apart = (width: number, seed: number): number => (seed % 2 === 0 ? width : 1 / width)
const mirrored = (claim: Claims[string]): Claims[string] => {
  const { above, below, ...rest } = claim
  return { ...rest, ...(below === undefined ? {} : { above: below }), ...(above === undefined ? {} : { below: above }) }
}

describe('a claim of a sweep file', () => {
  const pair = [{ width: 8 }, { width: 1 }] as const
  it.each<[string, Claims[string]]>([
    ['a comparison', { compare: pair, below: 0 }],
    ['a ratio', { compare: pair, scale: 'log', below: 1 }],
    ['a comparison of several values together', { compare: [{ width: [4, 8] }, { width: [1, 2] }], below: 0 }],
    ['a trend', { trend: 'width', below: 0 }],
    ['a bound', { of: { width: 8 }, below: 1 }],
    ['a bound of a geometric mean', { of: { width: [4, 8] }, scale: 'log', below: 1 }],
  ])('comes out either way, or is left open, and its contrary the other way: %s', (_, claim) => {
    expect(weigh(claim, falls).state).toBe('reproduced')
    expect(weigh(claim, rises).state).toBe('not reproduced')
    expect(weigh(claim, apart).state).toBe('inconclusive')
    expect(weigh(claim, falls, 2)).toMatchObject({ state: 'inconclusive', seeds: 2 })
    expect(weigh(mirrored(claim), falls).state).toBe('not reproduced')
    expect(weigh(mirrored(claim), rises).state).toBe('reproduced')
  })

  it.each(['linear', 'log'] as const)(
    'calls two settings alike where their %s difference lies within its margin',
    (scale) => {
      const claim = { compare: pair, scale, within: scale === 'log' ? 1.2 : 0.2 } as const
      const at = (eight: number) => weigh(claim, (width) => (width === 8 ? eight : 1)).state
      expect([at(1.01), at(1.5), at(0.5)]).toEqual(['reproduced', 'not reproduced', 'not reproduced'])
      // The margin lies in the middle of what the seeds show.
      expect(weigh(claim, (width, seed) => (width === 8 ? 1.2 + 0.1 * noise(seed) : 1)).state).toBe('inconclusive')
    },
  )

  it('takes what all trials of a seed share out of a comparison', () => {
    const shared = (width: number, seed: number): number => 100 + 50 * noise(seed, 'shared') + (width === 8 ? -3 : 0)
    expect(weigh({ compare: pair, below: 0 }, (width, seed) => shared(width, seed)).summary).toMatch(
      /^loss of width=8 − width=1: -/,
    )
  })

  it('says which metric was meant where no trial has that one, and makes no verdict of numbers that are missing', () => {
    expect(weigh({ metric: 'los', trend: 'width', below: 0 }, falls)).toMatchObject({
      state: 'inconclusive',
      summary: 'no finished trial has the metric los; did you mean loss? (they have: loss)',
    })
    for (const claim of [{ trend: 'width', below: 0 }, { compare: pair, below: 0 }, { below: 100 }] as const)
      expect(weigh(claim, (width) => (width === 8 ? undefined : width)).state).toBe(
        'below' in claim && claim.below === 100 ? 'reproduced' : 'inconclusive',
      )
  })

  it('judges no seeds that their own numbers chose: those that a scale or an interval has no place for leave it open', () => {
    // In every second seed the larger net has a number of the other sign, or none that is finite.
    const half = (odd: number) => (width: number, seed: number) => (width === 1 ? 1 : seed % 2 === 1 ? odd : 2)
    for (const claim of [
      { compare: pair, scale: 'log', above: 1 },
      { of: { width: 8 }, scale: 'log', above: 1 },
    ] as const)
      expect(weigh(claim, half(-5), 8), JSON.stringify(claim)).toMatchObject({
        state: 'inconclusive',
        summary: expect.stringMatching(/: 4 trials have a loss below 0, which has no logarithm/) as string,
      })
    for (const claim of [
      { compare: pair, above: 0 },
      { compare: pair, scale: 'log', above: 1 },
      { of: { width: 8 }, above: 1 },
    ] as const)
      for (const none of [-Infinity, NaN])
        expect(weigh(claim, half(none), 8).summary, JSON.stringify(claim)).toContain(
          `4 trials came to a loss of ${none}, which leaves it open`,
        )
    expect(weigh({ trend: 'width', above: 0 }, half(NaN), 8).summary).toContain('a loss of NaN, which leaves it open')
    // A rank takes any number.
    expect(weigh({ trend: 'width', above: 0 }, (width) => (width === 8 ? Infinity : width)).state).toBe('reproduced')
  })

  it('says of how many seeds those are that it judges', () => {
    const lossAt = (width: number, seed: number) => (width === 8 && seed % 2 === 1 ? undefined : width)
    for (const claim of [
      { compare: pair, above: 0 },
      { of: { width: 8 }, above: 1 },
    ] as const) {
      expect(weigh(claim, lossAt, 8)).toMatchObject({
        seeds: 4,
        summary: expect.stringMatching(/, 4 of 8 seeds$/) as string,
      })
      expect(weigh(claim, rises, 8).summary).toMatch(/, 8 seeds$/)
    }
  })

  it('says that numbers are the same only of those that are', () => {
    expect(weigh({ of: { width: 8 }, above: 0 }, () => 1e-320).summary).not.toMatch(/same number/)
  })

  it.each([
    ['[1]', 'is not a mapping of names to claims', '4:9'],
    ['{a b: {above: 0}}', 'not a name', '4:15'],
    ['{c: 7}', '7 is not a claim', '4:13'],
    ['{c: {abov: 0}}', 'unknown key of a claim: abov', '4:20'],
    ['{c: {trend: width}}', 'claims nothing: give above, below or within', '4:13'],
    ['{c: {above: x}}', '"x" is not a number', '4:21'],
    ['{c: {above: .nan}}', 'NaN is not a number', '4:21'],
    ['{c: {below: .inf}}', 'Infinity is not a finite number', '4:21'],
    ['{c: {compare: [{width: 1}, {width: 1}], above: 0}}', 'both settings have the trials with width=1', '4:36'],
    ['{c: {compare: [{width: [1, 2]}, {width: 2}], above: 0}}', 'both settings have the trials with width=2', '4:41'],
    ['{c: {above: 2, below: 1}}', '2 is not less than below, 1', '4:21'],
    ['{c: {within: 1}}', 'only a comparison is within a margin', '4:22'],
    ['{c: {compare: [{width: 1}, {width: 2}], within: 0}}', '0 is no margin', '4:57'],
    ['{c: {compare: [{width: 1}, {width: 2}], within: 1, above: 0}}', 'stands beside above or below', '4:57'],
    ['{c: {compare: [{width: 1}, {width: 2}], scale: log, within: 0.9}}', '0.9 is no margin', '4:69'],
    ['{c: {scale: logs, above: 1}}', 'unknown scale: "logs"', '4:21'],
    ['{c: {scale: log, above: -1}}', '-1 is not above 0', '4:33'],
    ['{c: {trend: width, above: 1}}', '1 is no bound of a rank correlation', '4:35'],
    ['{c: {trend: width, scale: log, above: 0.1}}', 'a trend is a rank correlation', '4:35'],
    ['{c: {trend: width, compare: [{width: 1}, {width: 2}], above: 0}}', 'a claim has a trend or a comparison', '4:21'],
    ['{c: {compare: [{width: 1}], above: 0}}', 'is not a list of two settings', '4:23'],
    ['{c: {compare: [{width: 1}, {}], above: 0}}', 'is not a setting', '4:36'],
    ['{c: {compare: [{width: 1}, {widht: 2}], above: 0}}', 'unknown axis: widht', '4:37'],
    ['{c: {compare: [{width: 1}, {width: 3}], above: 0}}', 'no planned trial has width=3', '4:36'],
    ['{c: {of: {width: 9}, above: 0}}', 'no planned trial has width=9', '4:18'],
    ['{c: {trend: depth, above: 0}}', 'unknown axis: depth', '4:14'],
    ['{c: {trend: width, above: 0}}', 'width has 2 values in this plan', '4:21'],
    ['{c: {says: 3, above: 0}}', '3 is not a text', '4:20'],
  ])('is refused with its place: %s', async (written, problem, place) => {
    const folder = temporaryFolder()
    const file = join(folder, 'sweep.yaml')
    writeFileSync(file, `experiment: {command: "true {width} {seed}"}\naxes: {width: [1, 2]}\n\nclaims: ${written}\n`)
    const error = await planTarget(file, { set: [] }, openStore(folder)).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error?.message).toContain(problem)
    expect(error?.message.startsWith(`${file}:${place}: `), error?.message).toBe(true)
  })

  it('is weighed where it is stated after the sweep has run, which runs nothing again, and wherever the sweep is read', async () => {
    const walk = defineExperiment({
      name: 'walk',
      space: { rate: number({ above: 0, default: 0.1 }) },
      run: ({ rate }, { seeds }) => ({ loss: rate * (1 + 0.1 * noise(seeds.init, rate)) }),
    })
    const store = join(temporaryFolder(), 'store')
    const sweep = { experiment: walk, name: 'stated', axes: { rate: [1, 2] }, repeat: 4 }
    const first = await runSweep(sweep, { store })
    expect(first.summary.verdicts).toEqual([])
    const claims: Claims = {
      slower: { compare: [{ rate: 1 }, { rate: 2 }], below: 0 },
      one: { of: { rate: 1 }, above: 3 },
    }
    const messages: string[] = []
    const again = await runSweep({ ...sweep, claims }, { store, onMessage: (message) => messages.push(message) })
    expect(messages).toContain('Nothing is left to run.')
    expect(again.sweep.trials).toEqual(first.sweep.trials)
    const states = [
      ['slower', 'reproduced'],
      ['one', 'not reproduced'],
    ]
    const tell = (verdicts: readonly { claim: string; state: string }[]) =>
      verdicts.map(({ claim, state }) => [claim, state])
    expect(tell(again.summary.verdicts)).toEqual(states)
    expect(tell(await (await openSweep('stated', { store })).verdicts())).toEqual(states)
    const resumed = await (await openSweep('stated', { store, experiment: walk })).resume()
    expect(tell(resumed.summary.verdicts)).toEqual(states)
  })

  it.each(['7-claims', '8-claims-of-a-program', '9-claims-of-a-module'])(
    'can be planned as the example %s.yaml states it, with all that it takes to decide it',
    async (name) => {
      const file = join(import.meta.dirname, '..', '..', 'examples', `${name}.yaml`)
      const { plan, experiment } = await planTarget(file, { set: [] }, openStore(temporaryFolder()))
      const planned = plan.trials.map((trial) => ({ ...net(0, {}, {}), trial }))
      for (const { id } of plan.spec.claims!)
        expect(experiment.claims.find((claim) => claim.id === id)!.missing!(planned)).toEqual([])
      expect(plan.spec.claims).toHaveLength(2)
    },
  )

  it('of a plan from elsewhere that is no claim, or of axes that are gone, harms nothing', () => {
    for (const claims of [7, [null], [{}], [{ id: 'x', compare: 3, scale: 'log' }], [{ id: 'x', trend: '__proto__' }]])
      for (const verdict of judge(withClaimsOf({ claims } as never, plainExperiment()).claims, [
        net(0, { width: 1 }, {}),
      ]))
        expect(verdict.state).toBe('inconclusive')
  })
})
