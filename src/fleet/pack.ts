import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UnavailableError } from '../core/errors.js'
import { sizeOf, type TarFile } from './tar.js'

/** This very mlds with what it needs to run, as files of an archive. */
export interface Pack {
  /** SHA-256 of its paths, modes and bytes, 64 digits. */
  readonly digest: string
  readonly files: readonly TarFile[]
  /** Unpacked. */
  readonly bytes: number
  /** Where in it `bin/run.js` is. */
  readonly run: string
  /** Where in it `node` is, if it brings one. */
  readonly node: string | undefined
}

/** Of mlds' own folder. */
const own = ['bin', 'dist', 'python', 'package.json', 'oclif.manifest.json', 'LICENSE']
/** What runs nothing: maps, types, tests of a package. */
const idle = /\.(?:map|d\.[cm]?ts)$|_test\.js$/

/**
 * @param node brings this process's Node along, for hosts that have none.
 * @throws UnavailableError where a package is not where Node looks for it from mlds' own folder.
 */
export function packMlds(node: boolean, root = mldsFolder()): Pack {
  const packages = productionPackages(root)
  const base = commonBase([root, ...packages])
  const inBase = (path: string): string => relative(base, path).split(sep).join('/')
  const paths = [
    ...own.map((name) => join(root, name)).filter((path) => existsSync(path)),
    ...packages.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))),
  ].flatMap((path) => filesIn(path))
  const files: TarFile[] = [...new Set(paths)].sort().map((file) => {
    const { size, mode } = statSync(file)
    return { path: inBase(file), executable: (mode & 0o100) !== 0, content: { file, size } }
  })
  const nodePath = node ? 'node/bin/node' : undefined
  if (nodePath !== undefined)
    files.push({
      path: nodePath,
      executable: true,
      content: { file: process.execPath, size: statSync(process.execPath).size },
    })
  const run = inBase(join(root, 'bin', 'run.js'))
  return {
    digest: digestOf(files),
    files,
    bytes: files.reduce((sum, file) => sum + sizeOf(file), 0),
    run,
    node: nodePath,
  }
}

/** Where this very mlds is started from. */
export const builtRun = (): string => join(mldsFolder(), 'bin', 'run.js')

function mldsFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return realpathSync(folder)
}

/** Folders of all packages that mlds needs to run, its own left out. */
function productionPackages(root: string): string[] {
  const found = new Set<string>()
  const visit = (folder: string): void => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string> }
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const there = findPackage(folder, name)
      if (there === undefined) {
        if (Object.hasOwn(optionalDependencies, name)) continue
        throw new UnavailableError(`mlds can't be copied as it is installed here: ${name} is not beside it`, {
          hint: 'install it on the hosts, and say --install none',
        })
      }
      if (found.has(there)) continue
      found.add(there)
      visit(there)
    }
  }
  visit(root)
  return [...found]
}

/** As Node looks for it: in node_modules of the folder and of those above. */
function findPackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const there = join(folder, 'node_modules', name)
    if (basename(folder) !== 'node_modules' && existsSync(join(there, 'package.json'))) return there
    if (dirname(folder) === folder) return undefined
  }
}

function commonBase(folders: readonly string[]): string {
  let base = folders[0]!
  while (!folders.every((folder) => folder === base || folder.startsWith(base + sep))) base = dirname(base)
  return base
}

function filesIn(path: string): string[] {
  const name = basename(path)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isFile() === true) return idle.test(name) ? [] : [path]
  if (stat?.isDirectory() !== true || name === 'node_modules' || isForeign(path)) return []
  return readdirSync(path).flatMap((entry) => filesIn(join(path, entry)))
}

/** ONNX Runtime brings `bin/napi-v6/PLATFORM/ARCH` of every platform. */
function isForeign(path: string): boolean {
  const [, platform, arch] = /[/\\]napi-v\d+[/\\]([^/\\]+)(?:[/\\]([^/\\]+))?$/.exec(path) ?? []
  return platform !== undefined && (platform !== process.platform || (arch !== undefined && arch !== process.arch))
}

function digestOf(files: readonly TarFile[]): string {
  const all = createHash('sha256')
  for (const { path, executable = false, content } of files) {
    const bytes = content instanceof Uint8Array ? content : readFileSync(content.file)
    all.update(`${path}\0${executable}\0${createHash('sha256').update(bytes).digest('hex')}\n`)
  }
  return all.digest('hex')
}
