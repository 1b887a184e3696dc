import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { gitEnvironment, gitFlags } from '../../system/git.js'
import type { CommandDefinition } from './source.js'

/** A program's own files: those that a sweep's copy holds. */
export interface CodeFiles {
  /** Absolute; what the copy stands for. */
  readonly root: string
  /** Relative to `root`, in order. */
  readonly files: readonly string[]
  /** Why they are only those that the command names. */
  readonly caution?: string
}

/** What a copy holds at most; larger files are linked. */
const maxFiles = 10_000
const maxTotalBytes = 256 << 20
export const maxCopiedBytes = 16 << 20
/** Never part of a program, whoever lists it. */
const notCode = new Set(['.git', '.mlds', '__pycache__', 'node_modules', '.venv'])

/** The files that words of the command name, bare or as `--config=file`, and the module after Python's `-m`. */
export function namedFiles({ argv, cwd, later = [] }: Pick<CommandDefinition, 'argv' | 'cwd' | 'later'>): string[] {
  const ofLater = later.flatMap(({ command }) => namedFiles(command))
  const own = argv.flatMap((word, i) => {
    const module = argv[i - 1] === '-m' && /^\w+(?:\.\w+)*$/.test(word) ? word.replaceAll('.', '/') : undefined
    const names = module === undefined ? [fileOfWord(word)] : [`${module}.py`, `${module}/__main__.py`]
    return names.map((name) => resolve(cwd, name)).filter(isFile)
  })
  return [...own, ...ofLater]
}

/** The file that a word may name: all of it, or what follows the first `=` of an option. */
export const fileOfWord = (word: string): string => /^--?[^=\s]+=(.*)$/s.exec(word)?.[1] ?? word

export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

/**
 * The program's files: those that `code` names, else those of its folder that git tracks or has not been told to ignore, else
 * all of it. Its folder is the command's, or the program's own where that lies elsewhere. `undefined` for a command that
 * names no file there, such as `echo`.
 */
export function codeFiles(command: CommandDefinition): CodeFiles | undefined {
  const { cwd, code } = command
  const programs = [command, ...(command.later ?? []).map(({ command: one }) => one)].map(({ argv }) => argv[0]!)
  const named = namedFiles(command).filter((file) => !programs.some((one) => isAbsolute(one) && file === one))
  const [program] = named
  if (program === undefined && code === undefined) return undefined
  const root = program === undefined || named.some((file) => isWithin(cwd, file)) ? cwd : dirname(program)
  const own = named.filter((file) => isWithin(root, file)).map((file) => relative(root, file))
  if (code !== undefined) return { root, files: sorted([...own, ...withoutStores(filesUnder(root, code))]) }
  const all = withoutStores(trackedFiles(root) ?? filesUnder(root, ['.'])).filter((file) =>
    isReadable(join(root, file)),
  )
  const sizes = all
    .slice(0, maxFiles + 1)
    .map((file) => statSync(join(root, file), { throwIfNoEntry: false })?.size ?? 0)
  const bytes = sizes.filter((size) => size <= maxCopiedBytes).reduce((a, b) => a + b, 0)
  if (all.length <= maxFiles && bytes <= maxTotalBytes) return { root, files: sorted([...own, ...all]) }
  return {
    root,
    files: sorted(own),
    caution: `The program's folder is too large to be copied: the sweep keeps a copy of ${own.join(', ')} alone, and sees changes of other files (name what belongs to the program under experiment: code): ${root}`,
  }
}

export function isWithin(folder: string, file: string): boolean {
  const path = relative(folder, file)
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)
}

/** What sweeps left in a store of another name than `.mlds` is no part of a program. */
function withoutStores(files: readonly string[]): readonly string[] {
  const stores = files.flatMap((file) => /^(.+\/)sweeps\/[^/]+\/plan\.json$/.exec(file)?.[1] ?? [])
  return stores.length === 0 ? files : files.filter((file) => !stores.some((store) => file.startsWith(store)))
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

const sorted = (files: readonly string[]): string[] => [...new Set(files)].sort()

/** What git knows of the folder; `undefined` where there is no git, or the folder is in no repository. */
function trackedFiles(root: string): string[] | undefined {
  try {
    const listed = execFileSync(
      'git',
      [...gitFlags(root), 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      {
        env: gitEnvironment(process.env),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        maxBuffer: 64 << 20,
      },
    )
    const files = listed.split('\0').filter((file) => file !== '' && isFile(join(root, file)))
    return files.filter((file) => !file.split('/').some((part) => notCode.has(part)))
  } catch {
    return undefined
  }
}

/** All files under these paths of a folder, up to one more than a copy may hold. */
function filesUnder(root: string, paths: readonly string[]): string[] {
  const found: string[] = []
  const visit = (path: string): void => {
    if (found.length > maxFiles) return
    if (isFile(join(root, path))) return void found.push(path)
    if (!existsSync(join(root, path))) return
    if (!isReadable(join(root, path))) return
    for (const entry of readdirSync(join(root, path), { withFileTypes: true })) {
      const isVenv = entry.isDirectory() && existsSync(join(root, path, entry.name, 'pyvenv.cfg'))
      if (entry.isSymbolicLink() || notCode.has(entry.name) || isVenv) continue
      visit(join(path, entry.name))
    }
  }
  paths.forEach(visit)
  return found
}
