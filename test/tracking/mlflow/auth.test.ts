import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openStore } from '../../../src/system/store.js'
import { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { mlds, temporaryFolder, type Finished } from '../../helpers/cli.js'
import { freshFolder, hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { expectEqual, type Entry } from '../../helpers/told-by-journal.js'

const user = 'ada'
const password = 'correct-horse-battery-staple'
const wrong = 'wrong-horse-battery-staple'
const token = 'token-of-another-server'
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secrets = [password, wrong, token, base64(`${user}:${password}`), base64(`${user}:${wrong}`)]

/** Nothing that was printed, and no file that was left, holds a secret. */
function expectNoSecret(cwd: string, printed: readonly Finished[]): void {
  for (const secret of secrets) {
    for (const { stdout, stderr } of printed) expect(stdout + stderr).not.toContain(secret)
    const files = readdirSync(cwd, { recursive: true, encoding: 'utf8', withFileTypes: true })
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name)
      expect(readFileSync(path).includes(secret), path).toBe(false)
    }
  }
}

const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=1', 'width=4', 'seed=0']
const sweepArgs = ['sweep', 'params', ...set.flatMap((value) => ['--set', value]), '--name', 'guarded']

// MLflow takes 5 to 25 s to start, and hashes the password anew for each request.
describe.skipIf(!hasMlflow)('an MLflow server that asks who is there', () => {
  let server: MlflowServer
  beforeAll(async () => {
    const folder = freshFolder()
    const config = join(folder, 'auth.ini')
    const lines = [
      '[mlflow]',
      'default_permission = READ',
      `database_uri = sqlite:///${join(folder, 'auth.db')}`,
      `admin_username = ${user}`,
      `admin_password = ${password}`,
      'authorization_function = mlflow.server.auth:authenticate_request_basic_auth',
    ]
    writeFileSync(config, lines.join('\n'))
    server = await startMlflow({
      folder,
      args: ['--app-name', 'basic-auth'],
      env: { MLFLOW_AUTH_CONFIG_PATH: config, MLFLOW_FLASK_SERVER_SECRET_KEY: 'for this test' },
    })
    // It is healthy before it can tell names: the first that is asked for takes seconds.
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    const page = await fetch(`${server.url}/api/2.0/mlflow/experiments/get?experiment_id=0`, {
      headers: { authorization },
    })
    expect(page.status).toBe(200)
  })
  afterAll(() => server.close())

  it('lets in whoever the variables name, for everything that asks it, and no secret is kept or printed', async () => {
    const cwd = temporaryFolder()
    const env = { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password, DEBUG: 'mlds' }
    const printed = [await mlds([...sweepArgs, '--track', server.url], { cwd, env })]
    expect(printed[0]!.stdout).toContain(`In MLflow: ${server.url}/#/`)
    for (const args of [
      ['audit', server.url, '--json'],
      ['recover', 'guarded', '--from', server.url, '--store', 'other'],
      ['report', 'guarded'],
    ])
      printed.push(await mlds(args, { cwd, env }))
    for (const finished of printed) expect(finished.code, finished.stderr).toBe(0)
    expectNoSecret(cwd, printed)

    vi.stubEnv('MLFLOW_TRACKING_USERNAME', user)
    vi.stubEnv('MLFLOW_TRACKING_PASSWORD', password)
    const sweep = await SweepFolder.open(openStore(join(cwd, '.mlds')), 'guarded')
    const entries = [...sweep.entries()].filter((entry): entry is Entry => 'trial' in entry.event)
    expectEqual(readWithPython(server.url, 'guarded'), entries)
    vi.unstubAllEnvs()
  })

  it('takes a wrong password, a token and no name at all for what they are, and no sweep fails by it', async () => {
    const cwd = temporaryFolder()
    const printed: Finished[] = []
    for (const [env, hint] of [
      [{ MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: wrong }, 'is not one of this server’s'],
      [{ MLFLOW_TRACKING_TOKEN: token }, 'is not one of this server’s'],
      [{}, 'set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD'],
    ] as [Record<string, string>, string][]) {
      const swept = await mlds([...sweepArgs, '--track', server.url], { cwd, env: { ...env, DEBUG: 'mlds' } })
      expect(swept, swept.stderr).toMatchObject({ code: 0 })
      expect(swept.stdout).toContain('401 You are not authenticated')
      expect(swept.stdout).toContain(hint)
      const synced = await mlds(['sync', '--track', server.url], { cwd, env: { ...env, DEBUG: 'mlds' } })
      expect(synced).toMatchObject({ code: 3, stdout: '' })
      expect(synced.stderr).toContain(hint)
      printed.push(swept, synced)
    }
    expectNoSecret(cwd, printed)

    const inAddress = (word: string): string => server.url.replace('//', `//${user}:${word}@`)
    const refused = await mlds(['sync', '--track', inAddress(wrong)], { cwd })
    expect(refused).toMatchObject({ code: 3 })
    const accepted = await mlds(['sync', '--track', inAddress(password)], { cwd })
    expect(accepted, accepted.stderr).toMatchObject({ code: 0 })
    expect(accepted.stdout).toContain(`${server.url}/#/`)
    expectNoSecret(cwd, [refused, accepted])
  })
})
