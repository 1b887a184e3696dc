import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { requireService } from './services.js'

const program = process.env['MLDS_MLFLOW'] ?? ''

/** True when MLDS_MLFLOW names MLflow's program. */
export const hasMlflow = requireService(
  'MLflow',
  existsSync(program),
  'Set MLDS_MLFLOW to the mlflow program of a Python environment made from test/requirements-mlflow.txt.',
)

export interface MlflowServer {
  readonly url: string
  readonly folder: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface ServerOptions {
  /** Start again where an earlier one was. */
  readonly folder?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A folder for a server whose files must be there before it starts; the server's `close` removes it. */
export const freshFolder = (): string => mkdtempSync(join(tmpdir(), 'mlds-mlflow-'))

/** A real MLflow server on a SQLite database of its own, in a process group of its own: its helpers outlive SIGTERM. */
export async function startMlflow(options: ServerOptions = {}): Promise<MlflowServer> {
  const folder = options.folder ?? freshFolder()
  // The server chooses its port: one chosen here might be somebody else's before the server has it.
  const args = ['server', '--host', '127.0.0.1', '--port', '0', '--workers', '1']
  args.push(
    '--backend-store-uri',
    `sqlite:///${folder}/mlflow.db`,
    '--artifacts-destination',
    join(folder, 'artifacts'),
  )
  const logFile = join(folder, 'server.log')
  const log = openSync(logFile, 'w')
  const child = spawn(program, [...args, ...(options.args ?? [])], {
    cwd: folder,
    detached: true,
    env: {
      ...process.env,
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
      ...options.env,
    },
    // To a file: a pipe that nobody empties, while a test waits for another program, would stop the server.
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const kill = async (): Promise<void> => {
    endGroup(child)
    await gone
  }
  let url: string | undefined
  while (url === undefined || !(await isHealthy(url))) {
    const said = readFileSync(logFile, 'utf8')
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`MLflow did not start: ${said.slice(-2000)}`)
    url = /(?:Uvicorn running on|Listening at:) (http\S+)/.exec(said)?.[1]
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    url,
    folder,
    kill,
    async close() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`)).ok
  } catch {
    return false
  }
}

export interface ReadRun {
  readonly run_id: string
  readonly name: string
  readonly status: string
  readonly start: number
  readonly end: number | null
  readonly params: Record<string, string>
  readonly tags: Record<string, string>
  /** Name to points [step, timestamp, value as text]. */
  readonly metrics: Record<string, [number, number, string][]>
  /** Path to SHA-256. */
  readonly artifacts: Record<string, string>
}

/** Every live run of some sweeps as MLflow's own Python client reads it. */
export function readWithPython(url: string, ...sweeps: string[]): ReadRun[] {
  const script = join(import.meta.dirname, 'read-runs.py')
  const text = execFileSync(join(dirname(program), 'python'), [script, url, ...sweeps], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return JSON.parse(text) as ReadRun[]
}

/** Takes a file store into a new SQLite database with MLflow's own migration. */
export function migrateFileStore(source: string, database: string): void {
  execFileSync(program, ['migrate-filestore', '--source', source, '--target', `sqlite:///${database}`], {
    stdio: 'pipe',
  })
}
