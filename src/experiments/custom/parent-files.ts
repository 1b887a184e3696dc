import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DataError } from '../../core/errors.js'
import { printableLine } from '../../core/printable.js'
import type { Params, ParentResult } from '../../core/trial.js'
import { makeFolder } from '../../system/make-folder.js'
import type { ProgramUser } from '../../system/program-user.js'
import type { TrialContext } from '../experiment.js'
import { isWithin } from './code-files.js'

/** What the trials that a program works on left, as files. */
export interface ParentFiles {
  /** One folder each, in the order of the trial's parents. */
  readonly folders: readonly string[]
  /** The folder of those, with `parents.json`; undefined where there are no parents. */
  readonly root: string | undefined
  readonly remove: () => Promise<void>
}

/**
 * Puts what the parents of a trial saved into a folder each, beside the trial's own: what a program finds there is its own copy.
 * @throws DataError for a name that is no path within a folder.
 */
export async function putParentFiles(
  { trial, parents, load }: Pick<TrialContext, 'trial' | 'parents' | 'load'>,
  parent: string,
  user: ProgramUser | undefined,
): Promise<ParentFiles> {
  if (parents.length === 0) return { folders: [], root: undefined, remove: async () => {} }
  const root = await mkdtemp(join(parent, `mlds-${trial.id}-from-`))
  const remove = (): Promise<void> => rm(root, { recursive: true, force: true })
  const own = async (path: string): Promise<void> => {
    if (user !== undefined) await chown(path, user.uid, user.gid)
  }
  try {
    await own(root)
    const folders: string[] = []
    for (const [i, one] of parents.entries()) {
      const folder = join(root, String(i + 1))
      await makeFolder(folder)
      await own(folder)
      for (const name of Object.keys(one.artifacts)) {
        const file = resolve(folder, name)
        if (name.includes('\0') || !isWithin(folder, file))
          throw new DataError(
            `trial ${one.trial.id} left a file whose name leads out of its folder: ${printableLine(name)}`,
          )
        const bytes = await load(one, name)
        try {
          await makeFolder(dirname(file))
          for (let path = dirname(file); path !== folder; path = dirname(path)) await own(path)
          await writeFile(file, bytes)
        } catch (error) {
          throw cannotPut(one, name, error as NodeJS.ErrnoException)
        }
        await own(file)
      }
      folders.push(folder)
    }
    const list = join(root, 'parents.json')
    await writeFile(list, describeParents(parents, folders))
    await own(list)
    return { folders, root, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A program's folder can't hold `a` beside `a/b`; what a module or another host saved may be called so. */
function cannotPut({ trial }: ParentResult, name: string, error: NodeJS.ErrnoException): Error {
  if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG'].includes(error.code ?? '')) return error
  const why = error.code === 'ENAMETOOLONG' ? 'its name is too long' : 'a file and a folder have one name'
  return new DataError(
    `a file of trial ${trial.id} can't be put into a folder (${why}): ${printableLine(name.slice(0, 200))}`,
  )
}

/** What the words of a later stage may name: the parents' folders, and parameters of the first of them that are not its own. */
export function parentValues(parents: readonly ParentResult[], { folders, root }: ParentFiles): Params {
  const [first] = parents
  return {
    ...first?.trial.params,
    ...(first === undefined ? {} : { parent: folders[0]!, parents: root! }),
    ...Object.fromEntries(folders.map((folder, i) => [`parent.${i + 1}`, folder])),
  }
}

/** Who the parents are, what they came to, and where their files are. */
const describeParents = (parents: readonly ParentResult[], folders: readonly string[]): string =>
  `${JSON.stringify(
    parents.map(({ trial, metrics }, i) => ({
      trial: trial.id,
      stage: trial.stage,
      params: trial.params,
      seed: trial.seeds.init,
      metrics,
      folder: folders[i],
    })),
  )}\n`
