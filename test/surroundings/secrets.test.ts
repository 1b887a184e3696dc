import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'
import { mayRun, nobody } from '../helpers/surroundings.js'

const secrets = {
  NATS_URL: 'nats://me:hidden-1@127.0.0.1:9',
  NATS_PASSWORD: 'hidden-2',
  NATS_CREDS: '/hidden-3.creds',
  MLFLOW_TRACKING_PASSWORD: 'hidden-4',
  MLFLOW_TRACKING_TOKEN: 'hidden-5',
}
const sweepOf = (command: string): string => `experiment:\n  command: ${command}\nname: s\naxes: {x: [1]}\n`

describe('a trial', () => {
  it.each([
    [
      'a program',
      'train.cjs',
      `require('fs').writeFileSync('seen.json', JSON.stringify(process.env)); console.log('{"loss": 1}')`,
      sweepOf('node train.cjs {x}'),
    ],
    [
      'a module',
      'train.mjs',
      `import { writeFileSync } from 'node:fs'
import { defineExperiment, number } from 'mlds'
export default defineExperiment({
  space: { x: number({ default: 1 }) },
  run: () => (writeFileSync('seen.json', JSON.stringify(process.env)), { loss: 1 }),
})`,
      'experiment: train.mjs\nname: s\naxes: {x: [1]}\n',
    ],
  ])('that is %s does not see how mlds reaches its servers', async (_, file, code, sweep) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, file), code)
    writeFileSync(join(cwd, 's.yaml'), sweep)
    const { code: exitCode, stderr } = await mlds(['sweep', 's.yaml'], { cwd, env: { ...secrets, KEPT: 'kept' } })
    expect(exitCode, stderr).toBe(0)
    const seen = readFileSync(join(cwd, 'seen.json'), 'utf8')
    expect(seen).not.toContain('hidden')
    expect(seen).toContain('"KEPT":"kept"')
  })

  it('sees what its own sweep file gives it, whatever it is called', async () => {
    const cwd = temporaryFolder()
    writeFileSync(
      join(cwd, 'env.cjs'),
      `require('fs').writeFileSync('seen', process.env.MLFLOW_RUN_NAME); console.log('loss=1')`,
    )
    writeFileSync(join(cwd, 's.yaml'), sweepOf('node env.cjs\n  env: {MLFLOW_RUN_NAME: mine}'))
    expect((await mlds(['sweep', 's.yaml'], { cwd, env: { MLFLOW_RUN_NAME: 'another' } })).code).toBe(0)
    expect(readFileSync(join(cwd, 'seen'), 'utf8')).toBe('mine')
  })
})

describe.skipIf(!hasNats || !mayRun)('a worker started with --trial-user', () => {
  it('keeps its key file and its environment from the programs that it runs', async () => {
    const server = await startNatsServer(join(temporaryFolder(), 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    // All may look into it, as into a folder of programs on a worker's host.
    const cwd = mkdtempSync(join(tmpdir(), 'mlds-trial-user-'))
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
    chmodSync(cwd, 0o755)
    writeFileSync(join(cwd, 'worker.creds'), 'key', { mode: 0o600 })
    writeFileSync(
      join(cwd, 'spy.cjs'),
      `const { readFileSync, writeFileSync } = require('node:fs')
const reads = (file) => { try { readFileSync(file); return 1 } catch { return 0 } }
writeFileSync(process.env.MLDS_FOLDER + '/saved.txt', process.env.USER)
console.log(JSON.stringify({
  loss: 1, uid: process.getuid(), groups: process.getgroups().filter((group) => group !== process.getgid()).length,
  key: reads(${JSON.stringify(join(cwd, 'worker.creds'))}), environment: reads('/proc/' + process.ppid + '/environ'),
}))`,
    )
    writeFileSync(join(cwd, 's.yaml'), sweepOf('node spy.cjs {x}'))
    const worker = startMlds(
      ['worker', 'start', '--nats', server.url, '--experiment', 's.yaml', '--trial-user', 'nobody', '--slots', '1'],
      { cwd, env: { SECRET: 'hidden' } },
    )
    await until(() => /is ready|Error/.test(worker.output()))
    expect(worker.output()).toContain('is ready')
    const swept = await mlds(['sweep', 's.yaml', '--nats', server.url], { cwd })
    expect(swept.code, swept.stderr + swept.stdout).toBe(0)
    const { stdout } = await mlds(['export', 's', '--format', 'jsonl'], { cwd })
    const row = JSON.parse(stdout) as { trial: string }
    expect(row).toMatchObject({ uid: nobody, groups: 0, key: 0, environment: 0 })
    expect((await mlds(['show', row.trial, '--json'], { cwd })).stdout).toContain('saved.txt')
  })

  it.each([
    ['nobody-of-that-name', 's.yaml', /--trial-user: there is no user: nobody-of-that-name/],
    ['root', 's.yaml', /--trial-user: root may do all that this worker may/],
    ['nobody', 'm.mjs', /--trial-user: m\.[0-9a-f]{8} is a module, which runs inside the worker itself/],
  ])('refuses %s for %s', async (user, file, said) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 's.yaml'), sweepOf('echo {x}'))
    writeFileSync(
      join(cwd, 'm.mjs'),
      `import { defineExperiment } from 'mlds'\nexport default defineExperiment({ space: {}, run: () => ({ loss: 1 }) })`,
    )
    const args = ['worker', 'start', '--nats', 'nats://127.0.0.1:9', '--experiment', file, '--trial-user', user]
    const { code, stderr } = await mlds(args, { cwd })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(said) as string })
  })
})
