import { describe, expect, it } from 'vitest'
import { handle, type Handling, type ProgramRun } from '../../../../src/tracking/mlflow/gateway/request.js'

const run = 'a'.repeat(32)
const other = 'b'.repeat(32)
const model = `m-${'c'.repeat(32)}`
const own: ProgramRun = {
  ...{ run, experiment: '7', artifactUri: `mlflow-artifacts:/7/${run}/artifacts` },
  params: new Set(['C', 'seed']),
}
const files = '/api/2.0/mlflow-artifacts/artifacts'

function ask(method: string, path: string, body?: Record<string, unknown>): Handling {
  const { pathname, searchParams } = new URL(path.startsWith('/') ? path : `/api/2.0/mlflow/${path}`, 'http://g')
  // As they came: a URL would have resolved them.
  return handle({ method, path: path.includes('..') ? path : pathname, query: searchParams, body }, own)
}

describe("what a trial's program may ask of MLflow", () => {
  it.each([
    ['POST', 'runs/log-batch', { run_id: run }],
    ['POST', 'runs/log-metric', { run_id: run, key: 'loss', value: 1 }],
    ['POST', 'runs/log-metric', { run_uuid: run, key: 'loss', value: 1 }],
    ['POST', 'runs/log-parameter', { run_id: run, key: 'max_iter', value: '5' }],
    ['POST', 'runs/set-tag', { run_id: run, key: 'estimator_name', value: 'x' }],
    ['POST', 'runs/log-inputs', { run_id: run }],
    ['POST', 'runs/outputs', { run_id: run }],
    ['GET', `runs/get?run_id=${run}`],
    ['GET', `metrics/get-history?run_id=${run}&metric_key=loss`],
    ['GET', `artifacts/list?run_id=${run}`],
    ['GET', `logged-models/${model}`],
    ['PATCH', `logged-models/${model}`, { status: 'LOGGED_MODEL_READY' }],
    ['POST', `logged-models/${model}/params`, { params: [] }],
    ['PUT', `${files}/7/${run}/artifacts/model/MLmodel`],
    ['GET', `${files}/7/${run}/artifacts/model/MLmodel`],
    ['GET', `${files}?path=7/${run}/artifacts`],
    ['PUT', `${files}/7/models/${model}/artifacts/MLmodel`],
  ] as [string, string, Record<string, unknown>?][])('%s %s', (...request) => {
    expect(ask(...request).kind).not.toMatch(/refuse|answer/)
  })

  it.each([
    ['POST', 'runs/log-batch', { run_id: other }],
    ['POST', 'runs/log-batch', { run_uuid: other }],
    ['POST', 'runs/log-batch', {}],
    ['POST', 'runs/log-metric', { run_id: other, run_uuid: run, key: 'loss', value: 1 }],
    ['POST', 'runs/create', { experiment_id: '7', tags: [{ key: 'mlflow.parentRunId', value: run }] }],
    ['POST', 'runs/delete', { run_id: run }],
    ['POST', 'runs/search', { experiment_ids: ['7'] }],
    ['GET', `runs/get?run_id=${other}`],
    ['GET', `metrics/get-history?run_id=${other}&metric_key=loss`],
    ['POST', 'experiments/search', { max_results: 10 }],
    ['POST', 'experiments/delete', { experiment_id: '7' }],
    ['POST', 'experiments/set-experiment-tag', { experiment_id: '7', key: 'a', value: 'b' }],
    ['POST', 'registered-models/create', { name: 'x' }],
    ['DELETE', `logged-models/${model}`],
    ['POST', 'logged-models/search', {}],
    ['PUT', `${files}/7/${other}/artifacts/x`],
    ['PUT', `${files}/7/${run}/artifacts/../../${other}/artifacts/x`],
    ['PUT', `${files}/7/${run}/artifacts/%2e%2e/%2e%2e/${other}/artifacts/x`],
    ['GET', `${files}?path=7/${run}/artifacts/../../${other}`],
    ['PUT', `${files}/7/${run}/artifacts-of-another/x`],
    ['PUT', `${files}/8/models/${model}/artifacts/x`],
    ['DELETE', `${files}/7/${run}/artifacts/x`],
    ...['log.txt', 'series.jsonl', 'outcome.json', 'saved/net.safetensors'].map((file) => [
      'PUT',
      `${files}/7/${run}/artifacts/${file}`,
    ]),
    ['GET', '/ajax-api/2.0/mlflow/runs/get?run_id='],
    ['GET', '/api/2.0/mlflow/users/get'],
    ['POST', '/api/3.0/mlflow/traces'],
    ['GET', '/'],
  ] as [string, string, Record<string, unknown>?][])('is not: %s %s %j', (...request) => {
    expect(ask(...request)).toMatchObject({ kind: 'refuse' })
  })

  it('is told of no other experiment than its own, and begins no run but its own', () => {
    for (const call of ['experiments/get?experiment_id=0', 'experiments/get-by-name?experiment_name=mine'])
      expect(ask('GET', call)).toMatchObject({ path: 'experiments/get?experiment_id=7' })
    expect(ask('POST', 'experiments/create', { name: 'mine' })).toEqual({
      kind: 'answer',
      body: { experiment_id: '7' },
    })
    expect(ask('POST', 'runs/create', { experiment_id: '0' }).kind).toBe('run')
    // Status, end and name stay as mlds has them.
    expect(ask('POST', 'runs/update', { run_id: run, status: 'FAILED', run_name: 'mine' }).kind).toBe('run')
  })

  it('leaves parameters and tags to mlds that are its own, and passes on the others', () => {
    const pair = (key: string): { key: string; value: string } => ({ key, value: 'x' })
    const body = {
      run_id: run,
      metrics: [{ key: 'loss', value: 'NaN', step: 1, timestamp: 2 }],
      params: ['C', 'seed', 'max_iter'].map(pair),
      tags: ['mlds.outcome', 'mlflow.parentRunId', 'mlflow.runName', 'mlflow.note.content', 'mine'].map(pair),
    }
    expect(ask('POST', 'runs/log-batch', body)).toEqual({
      ...{ kind: 'ask', method: 'POST', path: 'runs/log-batch' },
      body: { ...body, params: [pair('max_iter')], tags: [pair('mine')] },
    })
    for (const [call, key] of [
      ['log-parameter', 'C'],
      ['set-tag', 'mlds.state'],
      ['delete-tag', 'mlds.run_key'],
    ])
      expect(ask('POST', `runs/${call}`, { run_id: run, key, value: 'x' })).toEqual({ kind: 'answer', body: {} })
  })

  it('gives a model to its own run and experiment, whatever the program says', () => {
    const asked = ask('POST', 'logged-models', { experiment_id: '0', source_run_id: other, name: 'model' })
    expect(asked).toMatchObject({ body: { experiment_id: '7', source_run_id: run, name: 'model' }, isOnce: true })
  })
})
