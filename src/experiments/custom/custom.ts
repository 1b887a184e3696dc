import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createHash } from 'node:crypto'
import { MldsError, SpecError } from '../../core/errors.js'
import { withCopy } from './code-copy.js'
import { commandExperiment, hashCommand } from './command.js'
import { defineExperiment, type Experiment } from '../experiment.js'
import { moduleFile } from './module-file.js'
import type { ProgramUser } from '../../system/program-user.js'
import type { CustomExperiment, CustomSource } from './source.js'
import { studyExperiment } from './study.js'

/**
 * A person's own experiment. Its name carries a hash of what it is made of (the file and every file it imports by a
 * relative path; or the command and the files it names), so that a trial's id changes when the code does: results of
 * another version of the code are never taken for this one's.
 * @throws SpecError when the file is not there or exports no experiment.
 */
export async function openCustom(source: CustomSource): Promise<Experiment> {
  if (source.kind === 'program')
    throw new MldsError('PROGRAM', 'the experiment of this sweep is part of the program that ran it', {
      hint: 'run that program again; mlds status, best, compare and export work without it',
    })
  if (source.kind === 'study') return studyExperiment(source.axes)
  const experiment = source.kind === 'file' ? await load(source.file) : commandExperiment(source.command)
  return { ...experiment, name: nameWithHash(experiment.name, hashOf(source)) }
}

/** The file or the command line, for a person to look at. */
export const whereFrom = (source: CustomSource, name: string): string =>
  source.kind === 'command' ? source.command.argv.join(' ') : source.kind === 'file' ? source.file : name

/** The sweep's own experiment as it is now. @throws MldsError when its code has changed since the sweep was planned. */
export async function reopenCustom(source: CustomSource, name: string): Promise<Experiment> {
  const experiment = await openCustom(source)
  if (experiment.name !== name)
    throw new MldsError(
      'CHANGED',
      `the experiment has changed since this sweep was planned: ${whereFrom(source, name)}`,
      {
        hint: 'start a new sweep with the new code, or bring the old code back',
      },
    )
  return experiment
}

/**
 * The sweep's own experiment to draw and weigh with what was recorded: code that has changed since does as well, and is
 * told of. Of a command no code takes part in that.
 */
export async function customToRead(
  source: CustomSource,
  name: string,
  warn: (message: string) => void,
): Promise<Experiment> {
  const experiment = await openCustom(source)
  if (experiment.name !== name && source.kind === 'file')
    warn(
      `the experiment has changed since this sweep was planned: ${source.file} (its figures, claims and objective are those of the code as it is now)`,
    )
  return { ...experiment, name }
}

/**
 * An experiment that is an object of this program. Its name carries a hash of its space and of its functions as they are
 * written; what they close over is not part of it.
 */
export function inProgram(experiment: Experiment): Experiment {
  const written = experiment.stages.map((stage) => [
    stage.name,
    stage.space,
    stage.run.toString(),
    stage.derive?.groups.toString(),
  ])
  const hash = createHash('sha256')
    .update(JSON.stringify([experiment.version, written]))
    .digest('hex')
  return { ...experiment, name: nameWithHash(experiment.name || 'experiment', hash) }
}

const nameWithHash = (name: string, hash: string): string =>
  `${name.replace(/[^a-zA-Z0-9._-]+/g, '-')}.${hash.slice(0, 8)}`

/** The experiment of a sweep, if it is not built in, with the sweep's own copy of its program. */
export const customOf = ({ plan: { experiment, spec }, codeFolder }: PlanOfOwn): CustomExperiment[] =>
  spec.own === undefined ? [] : [{ name: experiment, source: withCopy(spec.own, codeFolder) }]

interface PlanOfOwn {
  readonly plan: { readonly experiment: string; readonly spec: { readonly own?: CustomSource } }
  /** Where the sweep's copy of a program is, if it has one. */
  readonly codeFolder?: string
}

/**
 * The experiment with its program run as another user.
 * @throws MldsError for a module, whose code runs in the process of mlds.
 */
export function asUser({ name, source }: CustomExperiment, user: ProgramUser): CustomExperiment {
  if (source.kind !== 'command')
    throw new MldsError('USAGE', `--trial-user: ${name} is a module, which runs inside the worker itself`, {
      hint: 'give such a module to a worker that is started as that user',
    })
  return { name, source: { ...source, command: { ...source.command, user } } }
}

/**
 * An experiment whose files came with a trial and were checked against the hash that was signed: its name is that of the
 * code where it was planned.
 */
export async function openShipped({ name, source }: CustomExperiment): Promise<Experiment> {
  if (source.kind === 'command') return { ...commandExperiment(source.command), name }
  if (source.kind === 'file') return { ...(await load(source.file)), name }
  throw new MldsError('PROGRAM', `only files can travel: ${name}`)
}

/** What its author calls an experiment that is not built in; `undefined` for the name of one that is. */
export const authorsName = (name: string): string | undefined => /^(.*)\.[0-9a-f]{8}$/.exec(name)?.[1]

function hashOf(source: Extract<CustomSource, { kind: 'file' | 'command' }>): string {
  if (source.kind === 'command') return hashCommand(source.command)
  const hash = createHash('sha256')
  for (const file of withLocalImports(source.file)) hash.update(readFileSync(file)).update('\0')
  return hash.digest('hex')
}

/** The file and all that it reaches by relative imports, in the order they are met. */
export function withLocalImports(entry: string): string[] {
  const found: string[] = []
  const visit = (file: string): void => {
    if (found.includes(file)) return
    found.push(file)
    if (extname(file) === '.json') return
    const text = readFileSync(file, 'utf8')
    for (const [, specifier] of text.matchAll(/(?:from|import|require)\s*\(?\s*['"](\.[^'"]*)['"]/g)) {
      const next = resolveLocal(dirname(file), specifier!)
      if (next !== undefined) visit(next)
    }
  }
  visit(entry)
  return found
}

function resolveLocal(folder: string, specifier: string): string | undefined {
  const path = resolve(folder, specifier)
  const bare = path.replace(/\.[cm]?js$/, '')
  const candidates = [
    path,
    ...['.ts', '.mts', '.js', '.mjs', '.json'].flatMap((end) => [`${bare}${end}`, join(path, `index${end}`)]),
  ]
  return candidates.find((candidate) => existsSync(candidate) && statSync(candidate).isFile())
}

async function load(file: string): Promise<Experiment> {
  if (!existsSync(file)) throw new SpecError(file, 'no such file')
  let loaded: unknown
  try {
    loaded = await importModule(file)
  } catch (error) {
    throw new SpecError(file, `the experiment can't be loaded: ${(error as Error).message}`, { cause: error })
  }
  const experiment = loaded as Partial<Experiment> | undefined
  if (experiment === null || typeof experiment !== 'object' || !Array.isArray(experiment.stages))
    throw new SpecError(
      file,
      'its default export is not an experiment (export default defineExperiment({ space, run }))',
    )
  const fromFile = basename(file).replace(moduleFile, '')
  const whole = completed(file, experiment as Experiment)
  const name = whole.name === '' ? fromFile : whole.name
  const title = whole.title === '' ? name : whole.title
  const { question, source } = whole
  return {
    ...whole,
    name,
    title,
    question: question === '' ? title : question,
    source: source === '' ? basename(file) : source,
  }
}

/** What a module exports may be an object as it stands, which `defineExperiment` has not seen. */
function completed(file: string, experiment: Experiment): Experiment {
  try {
    return defineExperiment(experiment)
  } catch (error) {
    throw new SpecError(file, (error as Error).message, { cause: error })
  }
}

/** TypeScript without a build step; `import … from 'mlds'` means this mlds, wherever the file lies. */
async function importModule(file: string): Promise<unknown> {
  if (/\.(?:mjs|js)$/.test(file) && !importsMlds(file)) {
    return ((await import(pathToFileURL(file).href)) as { default?: unknown }).default
  }
  const { createJiti } = await import('jiti')
  const library = fileURLToPath(new URL(`../../index${extname(import.meta.url)}`, import.meta.url))
  const jiti = createJiti(import.meta.url, { alias: { mlds: library }, fsCache: false })
  return await jiti.import(file, { default: true })
}

const importsMlds = (file: string): boolean => /['"]mlds['"]/.test(readFileSync(file, 'utf8'))
