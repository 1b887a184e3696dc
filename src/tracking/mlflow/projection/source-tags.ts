import { basename } from 'node:path'
import type { SweepSource } from '../../../core/sweep-source.js'
import type { Tags } from '../rest/wire.js'

/** As MLflow's own client calls them. */
const gitTagNames = {
  commit: 'mlflow.source.git.commit',
  branch: 'mlflow.source.git.branch',
  dirty: 'mlflow.source.git.dirty',
} as const
export const sourceTagNames: readonly string[] = Object.values(gitTagNames)

/** The file or the command of a person's own experiment, by what a sweep's spec says; else the sweep file. */
export function sourceName(spec: unknown, { file = 'mlds' }: SweepSource): string {
  const { own } = (spec ?? {}) as { own?: { file?: unknown; command?: { argv?: unknown } } }
  if (typeof own?.file === 'string') return basename(own.file)
  const argv: unknown = own?.command?.argv
  return Array.isArray(argv) ? argv.map(String).join(' ').slice(0, 500) : file.slice(0, 500)
}

/** The sweep file's name, where there is one. */
const sweepFileTag = 'mlds.sweep_file'

/** What a run's tags say of its source; undefined where they say nothing. */
export function readSource(tags: Tags): SweepSource | undefined {
  const file = tags[sweepFileTag]
  const { [gitTagNames.commit]: commit, [gitTagNames.branch]: branch, [gitTagNames.dirty]: dirty } = tags
  const isCommit = commit !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)
  const git = isCommit && {
    commit,
    ...(branch !== undefined && { branch }),
    ...((dirty === 'true' || dirty === 'false') && { dirty: dirty === 'true' }),
  }
  return file === undefined && git === false ? undefined : { ...(file !== undefined && { file }), ...git }
}

export function sourceTags({ file, commit, branch, dirty }: SweepSource): Tags {
  return {
    ...(file !== undefined && { [sweepFileTag]: file.slice(0, 500) }),
    ...(commit !== undefined && { [gitTagNames.commit]: commit }),
    ...(branch !== undefined && { [gitTagNames.branch]: branch }),
    ...(dirty !== undefined && { [gitTagNames.dirty]: String(dirty) }),
  }
}
