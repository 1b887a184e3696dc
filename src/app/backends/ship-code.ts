import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { MldsError } from '../../core/errors.js'
import { formatBytes, formatCount } from '../../core/format.js'
import { copiedFiles } from '../../experiments/custom/code-copy.js'
import { codeFiles, isWithin, maxCopiedBytes, namedFiles } from '../../experiments/custom/code-files.js'
import { whereFrom, withLocalImports } from '../../experiments/custom/custom.js'
import { isPrivateKey } from '../../experiments/custom/private-keys.js'
import type { CommandDefinition } from '../../experiments/custom/source.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import type { ShippedCode } from '../../worker/remote/orchestrator/remote-backend.js'
import {
  portableCommand,
  sha256Of,
  writePack,
  type FileToPack,
  type PackedExperiment,
} from '../../worker/remote/wire/code-pack.js'
import { signed } from '../../worker/remote/wire/code-signature.js'
import { openCodeKey } from './code-key.js'

/** What travels: the experiment as workers open it, and its files. */
interface ToShip {
  readonly experiment: PackedExperiment
  readonly files: readonly FileToPack[]
  /** What a person should know of what does not travel. */
  readonly caution?: string
}

/**
 * The files of a sweep's own experiment, to travel with its trials: of a program the sweep's own copy, of a module the file
 * and what it imports by relative paths.
 * @throws MldsError for an experiment that is not made of files, or whose files have changed since the sweep was planned.
 */
export function shipCode(
  { plan, codeFolder }: Pick<SweepFolder, 'plan' | 'codeFolder'>,
  { tenant, env }: { readonly tenant: string; readonly env: NodeJS.ProcessEnv },
  say: (message: string) => void,
): ShippedCode {
  const { own } = plan.spec
  if (own?.kind !== 'command' && own?.kind !== 'file')
    throw new MldsError('USAGE', `--ship: ${plan.experiment} has no files that could travel`)
  const key = openCodeKey(env)
  const { experiment, files, caution } =
    own.kind === 'file' ? moduleFiles(own.file, plan.experiment) : programFiles(own.command, codeFolder, key.file)
  const pack = writePack(experiment, files)
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0)
  say(
    `Ships ${formatCount(files.length, 'file')} (${formatBytes(bytes)}) of ${whereFrom(own, plan.experiment)} to workers that accept code of ${key.written}.`,
  )
  if (caution !== undefined) say(caution)
  return {
    object: { sha256: sha256Of(pack), sizeBytes: pack.length },
    kind: experiment.kind,
    key: key.written,
    read: async () => pack,
    sign: (message, run) => signed(message, key.privateKey, { tenant, run }),
  }
}

function programFiles(command: CommandDefinition, codeFolder: string, keyFile: string): ToShip {
  const copy = copiedFiles(codeFolder)
  const root = copy?.root ?? command.cwd
  // A program may lie beside keys, as in the home folder, and copies of earlier versions hold them.
  const mayTravel = (path: string): boolean => join(root, path) !== keyFile && !isPrivateKey(join(copy!.folder, path))
  const copied = Object.entries(copy?.files ?? {}).filter(([path]) => mayTravel(path))
  const files = copied.map(([path, sha256]) => {
    const file = join(copy!.folder, path)
    if (!existsSync(file) || sha256Of(readFileSync(file)) !== sha256)
      throw new MldsError('CODE', `the sweep's copy of its program was changed: ${file}`, {
        hint: 'bring it back, or remove the copy with its folder: a sweep without results takes the program as it is now',
      })
    return fileAt(file, path)
  })
  const caution = describeLeft(command, root, new Set(files.map(({ path }) => path)))
  return {
    experiment: { kind: 'program', root, command: portableCommand(command) },
    files,
    ...(caution === undefined ? {} : { caution }),
  }
}

/** What the program may want and workers do not get: files that its words name elsewhere, and large ones. */
function describeLeft(command: CommandDefinition, root: string, shipped: ReadonlySet<string>): string | undefined {
  const isLarge = (file: string): boolean => (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxCopiedBytes
  const large = (codeFiles(command)?.files ?? []).map((file) => join(root, file)).filter(isLarge)
  const named = namedFiles(command).filter((file) => file !== command.argv[0] && !shipped.has(relative(root, file)))
  const left = [...new Set([...named, ...large])]
  if (left.length === 0) return undefined
  const more = left.length > 5 ? `, and ${left.length - 5} more` : ''
  return `Workers need these files in the same place, since they are too large or outside the program's folder: ${left.slice(0, 5).join(', ')}${more}`
}

function moduleFiles(entry: string, name: string): ToShip {
  const sources = withLocalImports(entry)
  const root = sources.map(dirname).reduce(commonFolder)
  const files = sources.map((file) => fileAt(file, relative(root, file)))
  const hash = createHash('sha256')
  for (const { bytes } of files) hash.update(bytes).update('\0')
  if (!name.endsWith(`.${hash.digest('hex').slice(0, 8)}`))
    throw new MldsError('CHANGED', `the experiment has changed since this sweep was planned: ${entry}`, {
      hint: 'start a new sweep with the new code, or bring the old code back',
    })
  const type = files.some(({ path }) => path === 'package.json') ? undefined : packageType(dirname(entry))
  return {
    experiment: { kind: 'module', file: relative(root, entry) },
    files: type === undefined ? files : [...files, type],
  }
}

function commonFolder(one: string, other: string): string {
  let folder = one
  while (folder !== other && !isWithin(folder, other)) folder = dirname(folder)
  return folder
}

/** Node reads a `.js` as what the nearest package.json says. */
function packageType(folder: string): FileToPack | undefined {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return dirname(folder) === folder ? undefined : packageType(dirname(folder))
  const { type } = JSON.parse(readFileSync(file, 'utf8')) as { type?: unknown }
  if (type !== 'module' && type !== 'commonjs') return undefined
  return { path: 'package.json', bytes: Buffer.from(`${JSON.stringify({ type })}\n`), executable: false }
}

const fileAt = (file: string, path: string): FileToPack => ({
  ...{ path, bytes: readFileSync(file) },
  executable: ((lstatSync(file).mode ?? 0) & 0o100) !== 0,
})
