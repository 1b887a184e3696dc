import { describe, expect, it } from 'vitest'
import { exportRows, formatCsv, formatJsonLines } from '../../../src/sweeps/journal/export.js'
import type { Metrics, Params, TrialRecord } from '../../../src/core/trial.js'

const seeds = { data: 0, init: 1, shuffle: 0, corruption: 0 }

function record(index: number, params: Params, metrics: Metrics, parents: string[] = []): TrialRecord {
  const stage = parents.length === 0 ? 'main' : 'derived'
  const trial = { id: `t${index}`, index, experiment: 'e', version: 1, stage, params, seeds, parents, cost: 1 }
  return { trial, state: 'finished', attempts: 1, metrics, artifacts: {}, series: {} }
}

describe('an export', () => {
  it('has the columns it always had where no two names are alike', () => {
    expect(formatCsv(exportRows([record(0, { width: 8, kind: 'a,b' }, { loss: NaN, 'a/b': 1 })]))).toBe(
      'trial,index,stage,state,kind,width,seed.corruption,seed.data,seed.init,seed.shuffle,a/b,loss\r\n' +
        't0,0,main,finished,"a,b",8,0,0,1,0,1,NaN\r\n',
    )
  })

  it('keeps a parameter and a metric of one name apart, in every row alike', () => {
    const rows = exportRows([record(0, { width: 8 }, {}), record(1, { width: 16 }, { width: 999, 'metric.width': 5 })])
    expect(rows).toMatchObject([{ width: 8 }, { width: 16, 'metric.metric.width': 999, 'metric.width': 5 }])
  })

  it('lets no parameter and no metric take the place of a column of its own', () => {
    const [row] = exportRows([record(0, { state: 'x', 'seed.data': 7, parent: 3 }, { index: 5, trial: 6 })])
    expect(row).toEqual({
      ...{ trial: 't0', index: 0, stage: 'main', state: 'finished' },
      ...{ parent: 3, 'param.seed.data': 7, 'param.state': 'x' },
      ...{ 'seed.data': 0, 'seed.init': 1, 'seed.shuffle': 0, 'seed.corruption': 0 },
      ...{ 'metric.index': 5, 'metric.trial': 6 },
    })
  })

  it('joins a derived trial to its parents: their ids, their parameters, the values of each where they differ', () => {
    const rows = exportRows([
      record(0, { width: 8, kind: 'a' }, {}),
      record(1, { width: 16, kind: 'a' }, {}),
      record(2, { alpha: 0.5, parent: 1 }, { loss: 1 }, ['t0']),
      record(3, { alpha: 0.5, parent: 1 }, { loss: 1 }, ['t0', 't1']),
    ])
    expect(Object.keys(rows[0]!)).not.toContain('parent')
    expect(rows.slice(2)).toMatchObject([
      { alpha: 0.5, parent: 't0', 'param.parent': 1, 'parent.width': 8, 'parent.kind': 'a', loss: 1 },
      { alpha: 0.5, parent: 't0 t1', 'parent.width': '8 16', 'parent.kind': 'a' },
    ])
  })

  it('writes names that every object inherits as columns like any other', () => {
    const rows = exportRows([
      record(0, { constructor: 1 }, JSON.parse('{"__proto__": 2, "toString": 3}') as Metrics),
      record(1, {}, {}),
    ])
    expect(formatCsv(rows).split('\r\n')).toEqual([
      'trial,index,stage,state,constructor,seed.corruption,seed.data,seed.init,seed.shuffle,__proto__,toString',
      't0,0,main,finished,1,0,0,1,0,2,3',
      't1,1,main,finished,,0,0,1,0,,',
      '',
    ])
    expect(formatJsonLines(rows.slice(0, 1))).toContain('"__proto__":2,"toString":3')
  })
})
