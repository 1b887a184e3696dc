import { spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { makeFolderSync } from '../../system/make-folder.js'
import { MldsError, UnavailableError } from '../../core/errors.js'
import { systemClock } from '../../core/clock.js'
import { signalGroup } from '../../system/process-group.js'
import { wait } from '../../system/retry.js'

/** An MLflow server on this host, in a process group of its own. */
export interface LocalMlflow {
  readonly url: string
  readonly logFile: string
  /** Resolves when its first process has ended, by `stop` or by itself. */
  readonly ended: Promise<void>
  /** Ends every process of its group, by force those that have not ended after 5 s; returns when none is left. */
  stop(): Promise<void>
}

export interface LocalMlflowOptions {
  /** Holds the database, the artifacts and the server's log. */
  readonly folder: string
  /** 0 for a free one. */
  readonly port: number
  /** Gives up while it starts. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** With these in its environment MLflow, and the page it serves, send their makers nothing; the second is a custom that others keep too. */
export const mlflowSilence = { MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' } as const

/**
 * Starts an MLflow server on SQLite on this host's loopback alone, and waits until it answers.
 * @throws UnavailableError when there is no MLflow, the port is taken, or the server ends before it answers.
 */
export async function startLocalMlflow({ folder, port, signal, env }: LocalMlflowOptions): Promise<LocalMlflow> {
  const [program, ...first] = findMlflow(env)
  const free = await freePort(port)
  makeFolderSync(folder)
  const logFile = join(folder, 'server.log')
  const log = openSync(logFile, 'w')
  // The store is always named: in a folder that happens to hold ./mlruns MLflow would choose that, and refuse to start.
  const child = spawn(
    program!,
    [
      ...first,
      'server',
      ...['--host', '127.0.0.1', '--port', String(free), '--workers', '1'],
      ...['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`],
      ...['--artifacts-destination', join(folder, 'artifacts')],
    ],
    {
      cwd: folder,
      // A group of its own: Ctrl-C reaches mlds alone, which then ends them all; MLflow's helpers outlive their parent.
      detached: true,
      env: { ...env, ...mlflowSilence, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' },
      stdio: ['ignore', log, log],
    },
  )
  const killGroup = (): void => void signalGroup(child.pid, 'SIGKILL')
  process.once('exit', killGroup)
  closeSync(log)
  let failure: string | undefined
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error.message
      resolve()
    })
    child.once('exit', (code, by) => {
      failure ??= `it ended (${by ?? code})`
      resolve()
    })
  })
  const stop = async (): Promise<void> => {
    await endGroup(child.pid)
    process.off('exit', killGroup)
  }
  const url = `http://127.0.0.1:${free}`
  while (!(await isHealthy(url))) {
    await Promise.race([ended, wait(systemClock, 50, signal)])
    if (failure === undefined && !signal.aborted) continue
    await stop()
    const reason = signal.aborted ? 'it was interrupted' : `${failure}\n${lastLines(logFile)}`
    throw new UnavailableError(`MLflow could not be started: ${reason}`, { hint: `its log: ${logFile}` })
  }
  return { url, logFile, ended, stop }
}

/** The command line that is MLflow here: MLDS_MLFLOW, `mlflow` on PATH, else uv's runner, which fetches it. */
export function findMlflow(env: LocalMlflowOptions['env']): readonly string[] {
  const named = env['MLDS_MLFLOW']
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return [named]
    throw new MldsError('USAGE', `MLDS_MLFLOW: ${named} is not a program (the path of MLflow's command, mlflow)`)
  }
  const mlflow = onPath('mlflow', env)
  if (mlflow !== undefined) return [mlflow]
  const uvx = onPath('uvx', env)
  if (uvx !== undefined) return [uvx, 'mlflow']
  throw new UnavailableError('there is no MLflow here: neither mlflow nor uvx is on PATH', {
    hint: 'pip install mlflow, or install uv (then MLflow is fetched when needed), or name it with MLDS_MLFLOW',
  })
}

function onPath(name: string, env: LocalMlflowOptions['env']): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

async function freePort(port: number): Promise<number> {
  const probe = createServer()
  return new Promise((resolve, reject) => {
    probe.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UnavailableError(
          error.code === 'EADDRINUSE' ? `port ${port} is in use` : `port ${port} can't be used: ${error.message}`,
          { hint: 'name another with --port, or --port 0 for any that is free', cause: error },
        ),
      ),
    )
    probe.listen(port, '127.0.0.1', () => {
      const { port: found } = probe.address() as { port: number }
      probe.close(() => resolve(found))
    })
  })
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) })).ok
  } catch {
    return false
  }
}

const patienceMs = 5_000

async function endGroup(pid: number | undefined): Promise<void> {
  for (const word of ['SIGTERM', 'SIGKILL'] as const) {
    const until = systemClock.now() + patienceMs
    if (!signalGroup(pid, word)) return
    // Signal 0 asks only whether the group still has a process.
    while (systemClock.now() < until) {
      if (!signalGroup(pid, 0)) return
      await wait(systemClock, 20)
    }
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n')
}
