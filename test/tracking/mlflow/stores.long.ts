import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { hasMlflow, readWithPython, startMlflow, type ServerOptions } from '../../helpers/mlflow.js'
import { openTracker, story } from '../../helpers/open-tracker.js'
import { freePort, hasPostgres, startPostgres } from '../../helpers/postgres.js'
import { eventfulJournal, expectEqual } from '../../helpers/told-by-journal.js'

/** A figure that reads what trials saved, and weights beside it. */
const saving = `import { defineExperiment, integer } from 'mlds'
export default defineExperiment({
  space: { n: integer({ default: 0 }) },
  async run({ n }, { report, save }) {
    for (let step = 1; step <= 3; step++) await report(step, { loss: (n + 1) / step })
    await save('end.safetensors', Buffer.from('weights of ' + n))
    await save('table #1.json', Buffer.from(JSON.stringify({ n })))
    return { loss: n / 3 }
  },
  figures: [{
    name: 'numbers', caption: 'Numbers from tables.',
    async draw(records, read) {
      const values = await Promise.all(records.map(async (record) => JSON.parse(Buffer.from(await read(record, 'table #1.json')))))
      return { data: { values }, mark: 'point', encoding: { x: { field: 'n', type: 'quantitative' } } }
    },
  }],
})
`

/** What MLflow needs beside its own requirements, installed for this test alone. */
function pythonWith(...packages: string[]): Record<string, string> {
  const folder = temporaryFolder()
  const pip = join(dirname(process.env['MLDS_MLFLOW']!), 'pip')
  execFileSync(pip, ['install', '-q', '--no-deps', '--target', folder, ...packages], { stdio: 'pipe' })
  return { PYTHONPATH: folder }
}

/** A store like S3, with one bucket; nothing of it outlives the test. */
async function startS3(env: Record<string, string>): Promise<Record<string, string>> {
  const port = await freePort()
  const python = join(dirname(process.env['MLDS_MLFLOW']!), 'python')
  const url = `http://127.0.0.1:${port}`
  const aws = {
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1' },
    MLFLOW_S3_ENDPOINT_URL: url,
  }
  const args = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)]
  const server = spawn(python, args, { env: { ...process.env, ...env, ...aws }, stdio: 'ignore' })
  onTestFinished(() => void server.kill('SIGKILL'))
  await expect
    .poll(async () => (await fetch(`${url}/bucket`, { method: 'PUT' }).catch(() => undefined))?.status)
    .toBe(200)
  return { ...env, ...aws }
}

/** Holds a server to what is promised of every one: equality with the journal, a sound audit to the bottom, the same figures. */
async function expectAllPromises(options: ServerOptions): Promise<void> {
  const server = await startMlflow(options)
  onTestFinished(() => server.close())
  const { entries } = eventfulJournal()
  for (const _ of ['first', 'again']) {
    const { tracker, info } = openTracker(server.url, 'told', temporaryFolder(), entries)
    await tracker.open(info)
    await tracker.finish(story)
    await tracker.close()
    expectEqual(readWithPython(server.url, 'told'), entries)
  }

  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'saving.ts'), saving)
  const track = ['--track', server.url, '--track-checkpoints']
  const ran = await mlds(['sweep', './saving.ts', '--set', 'n=1..3', '--name', 'saving', ...track], { cwd })
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ code: 0 })
  expect(ran.stdout).not.toContain('MLflow has not got all of it')
  const audit = await mlds(['audit', server.url, '--deep', '--json'], { cwd })
  const { sweeps } = JSON.parse(audit.stdout) as { sweeps: { sweep: string; findings: unknown[] }[] }
  expect(sweeps.find(({ sweep }) => sweep === 'saving')).toMatchObject({ findings: [] })

  const elsewhere = temporaryFolder()
  const from = ['--from', server.url, '--sweep', 'saving', '--trust-code']
  expect(await mlds(['figure', ...from], { cwd: elsewhere })).toMatchObject({ code: 0, stderr: '' })
  const figures = join(cwd, '.mlds', 'sweeps', 'saving', 'figures')
  const drawn = readdirSync(figures)
  expect(drawn.length).toBeGreaterThan(0)
  for (const file of drawn)
    expect(readFileSync(join(elsewhere, 'figures', 'saving', file)).equals(readFileSync(join(figures, file)))).toBe(
      true,
    )
  const recovered = await mlds(['recover', 'saving', '--from', server.url, '--json'], { cwd: elsewhere })
  expect(JSON.parse(recovered.stdout)).toMatchObject({ finished: 3, missing: 0 })
}

// With MLDS_MLFLOW naming a program of another version, such as 2.18 (with SQLAlchemy below 2.1), the first holds that one to the same.
describe.skipIf(!hasMlflow)('a server of MLflow', () => {
  it('keeps all promises on SQLite and a folder', async () => {
    await expectAllPromises({})
  })

  it.skipIf(!hasPostgres)('keeps all promises on PostgreSQL', async () => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.close())
    const env = pythonWith('psycopg2-binary')
    await expectAllPromises({ env, args: ['--backend-store-uri', postgres.url] })
  })

  it('keeps all promises with artifacts in a store like S3, which it alone has the keys of', async () => {
    const packages = [
      'boto3',
      'botocore',
      's3transfer',
      'jmespath',
      'moto',
      'responses',
      'xmltodict',
      'py-partiql-parser',
    ]
    const env = await startS3(pythonWith(...packages))
    await expectAllPromises({ env, args: ['--artifacts-destination', 's3://bucket/mlflow'] })
  })
})
