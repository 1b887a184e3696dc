import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MldsError } from '../../core/errors.js'
import { printableLine } from '../../core/printable.js'
import type { TrialContext } from '../experiment.js'

/** Files left in the trial's folder, also in folders within, are kept with its result up to these. */
const maxFiles = 1_000
const maxFileBytes = 64 << 20
/** The longest name of a file that a result can carry. */
const maxNameLength = 240
const maxMetricsBytes = 64 << 20

/** Keeps the files that a program left and says in the log which it does not; gives how many it kept. */
export async function keepFiles(folder: string, context: Pick<TrialContext, 'save' | 'log'>): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => ({ name: join(entry.parentPath, entry.name).slice(folder.length + 1), isFile: entry.isFile() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  let kept = 0
  let left = 0
  for (const { name, isFile } of names) {
    const problem = kept >= maxFiles ? `it is one of more than ${maxFiles} files` : await keep(name, isFile)
    if (problem === undefined) kept++
    else if (++left <= 20) context.log(`${printableLine(name)} is not kept: ${problem}`)
  }
  if (left > 20) context.log(`${left - 20} other files are not kept`)
  return kept

  async function keep(name: string, isFile: boolean): Promise<string | undefined> {
    if (!isFile) return 'it is no file (a link, a pipe or the like)'
    if (name.length > maxNameLength) return `its name has ${name.length} characters (at most ${maxNameLength})`
    const bytes = await readOwnFile(join(folder, name), maxFileBytes)
    if (typeof bytes === 'number') return `${bytes} bytes (at most ${maxFileBytes})`
    await context.save(name.replaceAll('\\', '/'), bytes)
    return undefined
  }
}

/** The text of the file of metrics that a program left. @throws MldsError when it is not there or too large. */
export async function readLeftText(folder: string, name: string): Promise<string> {
  const bytes = await readOwnFile(join(folder, name), maxMetricsBytes).catch((error: unknown) => {
    throw new MldsError(
      'COMMAND',
      `metricsFile: the program left no file ${name} in its folder (MLDS_FOLDER, or {folder} in the command)`,
      { cause: error },
    )
  })
  if (typeof bytes === 'number')
    throw new MldsError('COMMAND', `metricsFile: ${name} has ${bytes} bytes (at most ${maxMetricsBytes})`)
  return bytes.toString('utf8')
}

/** The bytes of a file, or their number where there are more than `maxBytes`. A link is not followed: it may lead anywhere. */
async function readOwnFile(file: string, maxBytes: number): Promise<Buffer | number> {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const { size } = await handle.stat()
    return size > maxBytes ? size : await handle.readFile()
  } finally {
    await handle.close()
  }
}
