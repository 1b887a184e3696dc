import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const program = join(import.meta.dirname, '..', '..', 'bin', 'run.js')

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  output(): string
}

/** An empty folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What the person who runs the tests has set for mlds, MLflow and NATS is not for them; services that tests need are. */
function plainEnvironment(cwd: string): NodeJS.ProcessEnv {
  const kept = ['MLDS_MLFLOW', 'MLDS_CHROMIUM', 'MLDS_REQUIRE_SERVICES']
  const entries = Object.entries(process.env).filter(
    ([name]) => kept.includes(name) || !/^(MLDS|MLFLOW|NATS)_/.test(name),
  )
  // NATS keeps the context that was selected there.
  return { ...Object.fromEntries(entries), XDG_CONFIG_HOME: cwd }
}

/** Starts the built command as a person would; it ends with the test. */
export function startMlds(args: readonly string[], options: { cwd: string; env?: Record<string, string> }): Running {
  const running = spawnMlds(args, options)
  onTestFinished(() => void running.child.kill('SIGKILL'))
  return running
}

/** The same for several tests: whoever starts it ends it. */
export function spawnMlds(args: readonly string[], options: { cwd: string; env?: Record<string, string> }): Running {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd,
    env: { ...plainEnvironment(options.cwd), NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return {
    child,
    output: () => stdout + stderr,
    finished: new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
    }),
  }
}

export function mlds(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Finished> {
  return startMlds(args, options).finished
}

/** Waits until `holds` is true; the test's own time limit is the only clock. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

export function linesOf(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
}
