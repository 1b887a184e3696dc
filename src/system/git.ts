import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A repository of gigabytes may take longer; nobody waits for it. */
const patienceMs = 2_000

/** A folder's code as git knows it. */
interface GitState {
  /** The commit that is checked out: 40 or 64 hexadecimal digits. */
  readonly commit: string
  /** Left out where none is checked out. */
  readonly branch?: string
  /** Whether files differ from the commit; left out where git took too long to tell. */
  readonly dirty?: boolean
}

/**
 * What git says of a folder, and whether `files` are as in its commit. `undefined` where there is no git, no repository, no
 * commit, or no answer in two seconds each.
 */
export async function gitState(folder: string, files: readonly string[] = []): Promise<GitState | undefined> {
  const commit = await git(folder, ['rev-parse', '--verify', '--quiet', 'HEAD'])
  if (commit === undefined || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) return undefined
  const branch = await git(folder, ['symbolic-ref', '--quiet', '--short', 'HEAD'])
  const changed = await git(folder, ['status', '--porcelain', '--untracked-files=no', '--ignore-submodules=dirty'])
  const known = files.length === 0 ? '' : await git(folder, ['ls-files', '--error-unmatch', '-z', '--', ...files])
  const dirty = changed === undefined ? undefined : changed !== '' || known === undefined
  return { commit, ...(branch && { branch: branch.slice(0, 250) }), ...(dirty !== undefined && { dirty }) }
}

/** What git prints, without the last line's end; `undefined` when it fails or takes too long. */
async function git(folder: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', [...gitFlags(folder), ...args], {
      ...{ env: gitEnvironment(process.env), encoding: 'utf8', maxBuffer: 64 << 20 },
      ...{ timeout: patienceMs, killSignal: 'SIGKILL' },
    })
    return stdout.trimEnd()
  } catch {
    return undefined
  }
}

/** A look at a repository runs no program that the repository names, and writes nothing into it. */
export const gitFlags = (folder: string): string[] => [
  ...['--no-optional-locks', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-C', folder],
]

/** Without what leads git to another repository: a hook that starts mlds has its own in the environment. */
export function gitEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = Object.entries(environment).filter(([name]) => !name.toUpperCase().startsWith('GIT_'))
  return { ...Object.fromEntries(own), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' }
}
