import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { signalGroup } from '../../src/system/process-group.js'
import { temporaryFolder, type Finished } from '../helpers/cli.js'
import { hasMlflow, startMlflow } from '../helpers/mlflow.js'
import { hasNats } from '../helpers/nats.js'

const repository = join(import.meta.dirname, '..', '..')

/** Runs an example as a person would, with this mlds, in an empty folder. */
function runExample(name: string, env: Record<string, string>): Promise<Finished> {
  const child = spawn('sh', [join(repository, 'examples', name)], {
    cwd: temporaryFolder(),
    // A group of its own: what it starts must not outlive the test.
    detached: true,
    env: { ...process.env, NO_COLOR: '1', MLDS: `${process.execPath} ${join(repository, 'bin', 'run.js')}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void signalGroup(child.pid, 'SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

describe.skipIf(!hasNats)('5-remote.sh', () => {
  it('runs sweeps on two workers, one of an own experiment, and proves them whole', async () => {
    const { code, stdout, stderr } = await runExample('5-remote.sh', { PORT: '0' })
    expect(stderr).not.toMatch(/Error/)
    expect(stdout.match(/(\d+) of \1 trials? finished/g)).toHaveLength(2)
    expect(code).toBe(0)
  })
})

describe.skipIf(!hasMlflow)('6-figures-from-mlflow.sh', () => {
  it('draws the same bytes from MLflow as from the journal', async () => {
    const mlflow = await startMlflow()
    onTestFinished(() => mlflow.close())
    const { code, stdout, stderr } = await runExample('6-figures-from-mlflow.sh', { MLFLOW_TRACKING_URI: mlflow.url })
    expect(stderr).not.toMatch(/Error/)
    expect(stdout).toMatch(/[1-9]\d* figures are the same/)
    expect(code).toBe(0)
  })
})
