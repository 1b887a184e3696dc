import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Finished } from './cli.js'

/** A command as the output of the one before advises it: the one that begins so. */
export interface Advised {
  readonly advised: string
}

/** What commands of the built mlds write, run one after another in one process of their own. */
export async function inOneProcess(
  commands: readonly (readonly string[] | Advised)[],
  cwd: string,
): Promise<(Finished & { readonly args: readonly string[] })[]> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(MLDS|MLFLOW|NATS)_/.test(name)))
  const child = spawn(process.execPath, [join(import.meta.dirname, 'in-one-process.mjs')], {
    cwd,
    env: { ...env, NO_COLOR: '1', XDG_CONFIG_HOME: cwd },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.end(JSON.stringify(commands))
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`the commands' process ended with ${String(code)}: ${stderr.slice(-2_000)}`)
  return JSON.parse(stdout) as (Finished & { args: string[] })[]
}
