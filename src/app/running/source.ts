import { basename, dirname, relative, resolve } from 'node:path'
import type { SweepSource } from '../../core/sweep-source.js'
import type { SweepSpec } from '../../sweeps/spec/spec.js'
import { gitState } from '../../system/git.js'

/**
 * What trials of a sweep run from now on: the sweep file's name, and what git says of the folder of the program or module, or of
 * the sweep file's for a built-in experiment. A program, module or sweep file that git does not know makes it dirty.
 */
export async function describeSource({ own }: SweepSpec, sweepFile?: string): Promise<SweepSource | undefined> {
  const code = await placeOfCode(own)
  const written = sweepFile === undefined ? [] : [resolve(sweepFile)]
  const folder = code?.folder ?? (written[0] && dirname(written[0]))
  if (folder === undefined) return undefined
  const { isWithin } = await import('../../experiments/custom/code-files.js')
  const files = [...written, ...(code?.files ?? [])].filter((file) => isWithin(folder, file))
  const git = await gitState(
    folder,
    files.map((file) => relative(folder, file)),
  )
  if (git === undefined && sweepFile === undefined) return undefined
  return { ...(sweepFile !== undefined && { file: basename(sweepFile) }), ...git }
}

async function placeOfCode(own: SweepSpec['own']): Promise<{ folder: string; files: string[] } | undefined> {
  if (own?.kind === 'file') return { folder: dirname(resolve(own.file)), files: [resolve(own.file)] }
  if (own?.kind !== 'command') return undefined
  const { namedFiles } = await import('../../experiments/custom/code-files.js')
  return { folder: own.command.cwd, files: namedFiles(own.command) }
}
