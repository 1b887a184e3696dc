import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeImportances, importancesOf } from '../../src/app/importance.js'
import { reportOf } from '../../src/app/report.js'
import { openStudy } from '../../src/index.js'
import { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

describe('the importance of the axes of a search', () => {
  it('is greatest for the axis that decides, and is told from 20 settings on', async () => {
    const store = join(temporaryFolder(), 'store')
    const axes = { much: { uniform: [-1, 1] }, little: { uniform: [-1, 1] }, none: ['a', 'b'] } as const
    const study = await openStudy({ axes, sampler: 'tpe', parallel: 8, name: 'mine' }, { store })
    const lines: (string | undefined)[] = []
    for (let i = 0; i < 60; i++) {
      const trial = (await study.ask())!
      const { much, little } = trial.params
      study.tell(trial, i === 7 ? { failed: 'odd' } : Number(much) ** 2 + 0.01 * Number(little))
      if (i !== 18 && i !== 59) continue
      const found = importancesOf(await SweepFolder.open(openStore(store), 'mine'), study.objective)
      lines.push(found && describeImportances(found))
      if (found !== undefined) expect(Object.values(found.shares).reduce((sum, one) => sum + one)).toBeCloseTo(1, 9)
    }
    await study.close()
    expect(lines[0]).toBeUndefined()
    expect(lines[1]).toMatch(/^importance for being among the best tenth of 60 settings: much (?:[6-9]\d|100) %, /)
  })
  it("is the same in a report's sentence and in the slices of its page", async () => {
    const folder = join(temporaryFolder(), 'store')
    const axes = { rate: { log: [1e-4, 1e-1] }, width: { 'log-int': [8, 64] }, kind: ['a', 'b', 'c'] } as const
    const study = await openStudy({ axes, sampler: 'tpe', parallel: 8, name: 'mine' }, { store: folder })
    for (let i = 0; i < 40; i++) {
      const trial = (await study.ask())!
      const { rate, width, kind } = trial.params
      study.tell(trial, Math.log10(Number(rate)) ** 2 + 0.1 * Math.log2(Number(width)) + (kind === 'b' ? 0 : 0.3))
    }
    await study.close()
    const store = openStore(folder)
    const sweep = await SweepFolder.open(store, 'mine')
    const { axisShares, importance } = await reportOf(store, sweep, { warn: () => {} })
    const found = importancesOf(sweep, study.objective)!
    expect(importance).toBe(describeImportances(found))
    expect(axisShares!.settings).toBe(found.settings)
    expect(axisShares!.shares.map(([axis]) => axis)).toEqual(Object.keys(found.shares))
    for (const [axis, share] of axisShares!.shares) expect(share).toBeCloseTo(found.shares[axis]!, 9)
  })
})
