import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { copyFile, readdir, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { MldsError } from '../../core/errors.js'
import { makeFolder } from '../../system/make-folder.js'
import { isTrustedCode } from '../../system/ownership.js'
import { replaceFile } from '../../system/replace-file.js'
import { codeFiles, fileOfWord, isWithin, maxCopiedBytes, type CodeFiles } from './code-files.js'
import { isPrivateKey } from './private-keys.js'
import type { CommandDefinition, CustomSource } from './source.js'

/** What a copy's folder says of itself, in a file beside it that is written last. */
interface Manifest {
  readonly root: string
  /** SHA-256 by name. */
  readonly files: Readonly<Record<string, string>>
}

const manifestFile = (folder: string): string => join(folder, 'code.json')
const filesFolder = (folder: string): string => join(folder, 'files')

/**
 * Copies a program's files into a sweep's folder, so that the sweep goes on with them whatever becomes of the originals.
 * What lies beside them and is not copied is linked, for a program may read data beside itself. Gives what a person should know.
 */
export async function copyCode({ root, files, caution }: CodeFiles, folder: string): Promise<string | undefined> {
  await rm(folder, { recursive: true, force: true })
  const copied = files.filter((file) => mayBeCopied(join(root, file)))
  const folders = new Set(['.'])
  for (const file of copied) for (let path = dirname(file); !folders.has(path); path = dirname(path)) folders.add(path)
  for (const path of folders) await makeFolder(join(filesFolder(folder), path))
  for (const file of copied) await copyFile(join(root, file), join(filesFolder(folder), file))
  for (const path of folders) await linkOthers(root, path, folder)
  const hashes = Object.fromEntries(copied.map((file) => [file, hashOf(join(filesFolder(folder), file))]))
  await replaceFile(
    manifestFile(folder),
    Buffer.from(`${JSON.stringify({ root, files: hashes } satisfies Manifest)}\n`),
  )
  return caution
}

/** Keys that lie beside a program are linked like data: a copy could travel, and outlives the key's own place. */
const mayBeCopied = (file: string): boolean => statSync(file).size <= maxCopiedBytes && !isPrivateKey(file)

async function linkOthers(root: string, path: string, folder: string): Promise<void> {
  for (const name of await readdir(join(root, path))) {
    const place = join(filesFolder(folder), path, name)
    if (name === '.git' || name === '.mlds' || name === '__pycache__' || existsSync(place)) continue
    await symlink(join(root, path, name), place)
  }
}

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

/** The source with the program's files taken from the copy in `folder`, if there is one. @throws MldsError for a damaged one. */
export function withCopy(source: CustomSource, folder: string | undefined): CustomSource {
  if (source.kind !== 'command' || folder === undefined) return source
  const known = readManifest(folder)
  if (known === undefined) return source
  if (!isTrustedCode(manifestFile(folder)))
    throw new MldsError('FOREIGN', `the sweep's copy of its program is another user's: ${folder}`, {
      hint: 'remove that folder: the sweep then takes the program as it is now',
    })
  return { ...source, command: { ...source.command, copy: { root: known.root, folder: filesFolder(folder) } } }
}

/** The files of a sweep's copy of its program; `undefined` where it has none. @throws MldsError for a damaged one. */
export function copiedFiles(folder: string): (Manifest & { readonly folder: string }) | undefined {
  const known = readManifest(folder)
  return known === undefined ? undefined : { ...known, folder: filesFolder(folder) }
}

function readManifest(folder: string): Manifest | undefined {
  if (!existsSync(manifestFile(folder))) return undefined
  try {
    const { root, files } = JSON.parse(readFileSync(manifestFile(folder), 'utf8')) as Manifest
    if (typeof root === 'string' && typeof files === 'object' && files !== null) return { root, files }
    throw new TypeError('root and files are missing')
  } catch (error) {
    throw new MldsError('CODE', `the sweep's copy of its program can't be read: ${manifestFile(folder)}`, {
      hint: 'remove that folder: the sweep then takes the program as it is now',
      cause: error,
    })
  }
}

/**
 * How the program differs from a sweep's copy of it, as a sentence; `undefined` where it does not, or there is no copy.
 * @param withNew files that the copy has not got count too; a program may have written them itself.
 */
export function describeChanges(command: CommandDefinition, folder: string, withNew = true): string | undefined {
  const known = readManifest(folder)
  if (known === undefined) return undefined
  const now = withNew ? (codeFiles(command)?.files ?? []) : []
  const changes = [
    ...Object.entries(known.files).flatMap(([file, hash]) => {
      const path = join(known.root, file)
      if (!existsSync(path)) return `${file} is gone`
      return hashOf(path) === hash ? [] : `${file} has changed`
    }),
    ...now
      .filter((file) => !Object.hasOwn(known.files, file) && !isPrivateKey(join(known.root, file)))
      .map((file) => `${file} is new`),
  ]
  if (changes.length === 0) return undefined
  const more = changes.length > maxToldChanges ? `, and ${changes.length - maxToldChanges} more` : ''
  return `${changes.slice(0, maxToldChanges).join(', ')}${more}`
}

const maxToldChanges = 8

/** A word with the file it names taken from the copy, where that has it. */
export function wordInCopy(word: string, cwd: string, copy: CommandDefinition['copy']): string {
  if (copy === undefined) return word
  const name = fileOfWord(word)
  const file = inCopy(resolve(cwd, name), copy)
  return file === undefined ? word : `${word.slice(0, word.length - name.length)}${file}`
}

/** Where the copy has a file of the program; `undefined` where it has none, or but a link. */
export function inCopy(file: string, { root, folder }: NonNullable<CommandDefinition['copy']>): string | undefined {
  if (!isWithin(root, file)) return undefined
  const place = join(folder, relative(root, file))
  return lstatSync(place, { throwIfNoEntry: false })?.isFile() === true ? place : undefined
}

/** Where a program works: in the copy, where the folder that it stands for is on another host. */
export function folderInCopy(cwd: string, copy: CommandDefinition['copy']): string {
  if (copy?.isAll !== true) return cwd
  return cwd === copy.root || isWithin(copy.root, cwd) ? join(copy.folder, relative(copy.root, cwd)) : cwd
}

/** What makes `python -m` find the program's modules in the copy (Python 3.11 and later). */
export function copyVariables(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  copy: CommandDefinition['copy'],
): Record<string, string> {
  if (copy === undefined || !argv.includes('-m')) return {}
  const others = env['PYTHONPATH'] === undefined ? '' : `:${env['PYTHONPATH']}`
  return { PYTHONSAFEPATH: '1', PYTHONPATH: `${copy.folder}${others}` }
}
