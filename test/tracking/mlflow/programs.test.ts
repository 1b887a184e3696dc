import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer, type ReadRun } from '../../helpers/mlflow.js'

const python = join(dirname(process.env['MLDS_MLFLOW'] ?? ''), 'python')

/** It fits, and says nothing of MLflow but that it is to log. */
const autologging = `
import json, sys
import mlflow
from sklearn.linear_model import LogisticRegression
from sklearn.datasets import load_iris
mlflow.autolog(log_model_signatures=False)
x, y = load_iris(return_X_y=True)
model = LogisticRegression(C=float(sys.argv[1]), max_iter=200).fit(x[::5], y[::5])
print(json.dumps({'loss': 1 - model.score(x[1::5], y[1::5])}))
`

/** It says all that a program could say that is not so, or not its own. */
const stubborn = `
import json, os, sys
import mlflow
from mlflow import MlflowClient
def refused(act):
    try:
        act()
        return 0
    except Exception as error:
        return 1 if 'own run' in str(error) or 'a file of mlds' in str(error) else 100
assert 'secret-word' not in json.dumps(dict(os.environ))
mlflow.set_experiment('elsewhere')
with mlflow.start_run(run_name='mine') as run:
    mlflow.log_params({'C': 'another', 'mine': 'yes'})
    mlflow.log_metric('loss', 9, step=50)
    mlflow.log_metric('extra', float('nan'))
    mlflow.set_tags({'mlds.outcome': 'forged', 'mine': 'yes'})
    mlflow.log_text('theirs', 'notes.txt')
    count = refused(lambda: mlflow.log_text('forged', 'log.txt'))
    count += refused(lambda: mlflow.start_run(nested=True))
    count += refused(lambda: MlflowClient().get_run('0' * 32))
    count += refused(lambda: MlflowClient().delete_run(run.info.run_id))
    count += refused(lambda: mlflow.search_runs(experiment_ids=['0']))
with mlflow.start_run() as second:
    assert second.info.run_id == run.info.run_id
print(json.dumps({'step': 1, 'loss': float(sys.argv[1])}))
print(json.dumps({'refused': count, 'loss': float(sys.argv[1])}))
`

// MLflow takes 5 to 25 s to start, and as a module of a program 3 to 10 s.
describe.skipIf(!hasMlflow)("programs that log themselves, each to its trial's run", () => {
  let server: MlflowServer
  beforeAll(async () => {
    server = await startMlflow()
  })
  afterAll(() => server.close())

  async function sweep(name: string, program: string): Promise<{ cwd: string; trials: ReadRun[] }> {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'train.py'), program)
    const command = [python, 'train.py', '{C}']
    writeFileSync(
      join(cwd, 'q.yaml'),
      JSON.stringify({ name, experiment: { command }, axes: { C: [0.5, 1] }, seeds: 0 }),
    )
    const url = server.url.replace('//', '//user:secret-word@')
    const swept = await mlds(['sweep', 'q.yaml', '--track', url, '--track-programs'], { cwd })
    const logs = join(cwd, '.mlds', 'sweeps', name, 'logs')
    const said = readdirSync(logs).map((file) => readFileSync(join(logs, file), 'utf8'))
    expect(swept.code, swept.stderr + said.join('\n')).toBe(0)
    expect(said.join('')).not.toContain('secret-word')
    return { cwd, trials: readWithPython(server.url, name).filter(({ tags }) => 'mlds.trial' in tags) }
  }

  /** What mlds put there is whole, as the journal and as the runs alone tell it, and figures are made of it alone. */
  async function expectOurs(cwd: string, name: string): Promise<void> {
    const audited = await mlds(['audit', server.url, '--deep'], { cwd })
    expect(audited, audited.stdout).toMatchObject({ code: 0 })
    expect(audited.stdout).toContain(`${name}: programs logged to 2 runs themselves`)
    const elsewhere = temporaryFolder()
    expect(await mlds(['audit', server.url, '--deep'], { cwd: elsewhere })).toMatchObject({ code: 0 })
    const synced = await mlds(['sync', name, '--track', server.url, '--deep', '--json'], { cwd })
    expect(JSON.parse(synced.stdout)).toMatchObject({ sent: 0 })
    const drawn = await mlds(['figure', '--from', server.url, '--sweep', name, '--trust-code', '-o', 'f'], {
      cwd: elsewhere,
    })
    expect(drawn, drawn.stderr).toMatchObject({ code: 0, stderr: '' })
    const figures = join(cwd, '.mlds', 'sweeps', name, 'figures')
    for (const file of readdirSync(figures))
      expect(readFileSync(join(elsewhere, 'f', file)).equals(readFileSync(join(figures, file))), file).toBe(true)
  }

  it("takes in what scikit-learn's autolog logs, model and all, without a run beside", async () => {
    const { cwd, trials } = await sweep('autolog', autologging)
    expect(trials.map(({ params }) => params['C']).sort()).toEqual(['0.5', '1'])
    for (const { params, metrics, artifacts, status } of trials) {
      expect(params).toMatchObject({ max_iter: '200', seed: '0' })
      expect(Object.keys(metrics)).toEqual(expect.arrayContaining(['loss', 'training_accuracy_score']))
      expect(artifacts).toHaveProperty('estimator.html')
      expect(status).toBe('FINISHED')
    }
    expect(await models(server.url, trials[0]!.run_id)).toBe(1)
    await expectOurs(cwd, 'autolog')
  })

  it('passes over what a program says of what is mlds’, and refuses what is another’s', async () => {
    const { cwd, trials } = await sweep('stubborn', stubborn)
    expect(trials).toHaveLength(2)
    for (const { name, params, tags, metrics, artifacts } of trials) {
      expect(name).toBe(`C=${params['C']} seed=0`)
      expect(params).toEqual({ C: params['C'], seed: '0', mine: 'yes' })
      expect(tags['mlds.outcome']).toContain('"refused":5')
      expect(tags).toMatchObject({ mine: 'yes', 'mlds.state': 'finished' })
      expect(metrics['loss']!.map(([step]) => step)).toEqual(expect.arrayContaining([1, 50]))
      expect(metrics['extra']).toHaveLength(1)
      expect(artifacts).toHaveProperty('notes.txt')
    }
    await expectOurs(cwd, 'stubborn')
    const experiments = await fetch(`${server.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=elsewhere`)
    expect(experiments.status).toBe(404)
  })
})

/** How many models MLflow has of a run. */
async function models(url: string, run: string): Promise<number> {
  const answer = await fetch(`${url}/api/2.0/mlflow/runs/get?run_id=${run}`)
  const { run: found } = (await answer.json()) as { run: { outputs?: { model_outputs?: unknown[] } } }
  return found.outputs?.model_outputs?.length ?? 0
}
