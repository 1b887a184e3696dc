import { hash } from 'node:crypto'
import { z } from 'zod'
import { DataError } from '../../../core/errors.js'
import type { CommandDefinition } from '../../../experiments/custom/source.js'
import { maxPackBytes } from './protocol.js'

/**
 * An experiment's files as one object: a line of JSON that lists them, and then their bytes one after the other. There are
 * files in it and nothing else, so no links; it is not compressed, so it is as large as it looks.
 */

const maxPackedFiles = 10_000
const maxListBytes = 2 ** 22

/** No way up, no control characters, and no backslash, which parts folders on some hosts. */
const partOfPath = /^(?!\.{1,2}$)[^/\\\p{Cc}]{1,255}$/u
const isInside = (path: string): boolean => path.split('/').every((part) => partOfPath.test(part))
const path = z.string().max(1_000).refine(isInside)
const text = z.string().max(100_000)
const texts = z.array(text).max(10_000)

const commandFields = {
  argv: texts.min(1),
  cwd: text,
  workingFolder: text.exactOptional(),
  env: z.record(text, text),
  escapes: z.literal(true).exactOptional(),
  timeLimitMs: z
    .number()
    .positive()
    .max(2 ** 31 - 1)
    .exactOptional(),
  parse: texts.exactOptional(),
  metricsFile: text.exactOptional(),
  stage: text.exactOptional(),
}
const command = z.strictObject({
  ...commandFields,
  later: z
    .array(
      z.strictObject({
        derive: z.strictObject({ from: text, by: z.enum(['each', 'pairs', 'groups']), axes: texts }),
        command: z.strictObject(commandFields),
      }),
    )
    .max(100)
    .exactOptional(),
})

const listSchema = z.strictObject({
  format: z.literal(1),
  /** A module of the pack, or a command as it stands in the sweep; `root` is where the files were for that. */
  experiment: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('module'), file: path }),
    z.strictObject({ kind: z.literal('program'), root: text, command }),
  ]),
  files: z
    .array(
      z.strictObject({
        path,
        sizeBytes: z.int().min(0),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        executable: z.literal(true).exactOptional(),
      }),
    )
    .max(maxPackedFiles),
})
export type PackList = z.infer<typeof listSchema>
export type PackedFile = PackList['files'][number]
export type PackedExperiment = PackList['experiment']

export interface FileToPack {
  readonly path: string
  readonly bytes: Uint8Array
  readonly executable: boolean
}

export const sha256Of = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex')

/** What of a command a worker needs to run it: not its axes, and nothing that is this host's. */
export function portableCommand(
  definition: CommandDefinition,
): Extract<PackedExperiment, { kind: 'program' }>['command'] {
  const { later } = definition
  const rest = later?.map(({ derive: { from, by, axes }, command: one }) => ({
    derive: { from, by, axes: [...axes] },
    command: portable(one),
  }))
  return { ...portable(definition), ...(rest === undefined ? {} : { later: rest }) }
}

function portable(definition: Omit<CommandDefinition, 'later'>) {
  const { argv, cwd, workingFolder, env, escapes, timeLimitMs, parse, metricsFile, stage } = definition
  return {
    ...{ argv: [...argv], cwd, env: { ...env } },
    ...(workingFolder === undefined ? {} : { workingFolder }),
    ...(escapes === undefined ? {} : { escapes }),
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
    ...(parse === undefined ? {} : { parse: [...parse] }),
    ...(metricsFile === undefined ? {} : { metricsFile }),
    ...(stage === undefined ? {} : { stage }),
  }
}

/** The command as a worker runs it: without values of axes, which every trial brings. */
export function runnableCommand({ later, ...first }: ReturnType<typeof portableCommand>): CommandDefinition {
  const rest = later?.map(({ derive, command: one }) => ({ derive, command: { ...one, defaults: {} } }))
  return { ...first, defaults: {}, ...(rest === undefined ? {} : { later: rest }) }
}

/** @throws DataError for what no worker would take. */
export function writePack(experiment: PackedExperiment, files: readonly FileToPack[]): Uint8Array {
  const list: PackList = {
    format: 1,
    experiment,
    files: files.map(({ path, bytes, executable }) => ({
      ...{ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) },
      ...(executable ? { executable: true as const } : {}),
    })),
  }
  const pack = Buffer.concat([Buffer.from(`${JSON.stringify(list)}\n`), ...files.map(({ bytes }) => bytes)])
  readPack(pack)
  return pack
}

/** The list of a pack and the bytes of each file. @throws DataError for anything else than a whole pack. */
export function readPack(pack: Uint8Array): { readonly list: PackList; readonly contents: readonly Uint8Array[] } {
  if (pack.length > maxPackBytes) throw new DataError(`the code has ${pack.length} bytes (at most ${maxPackBytes})`)
  const end = pack.subarray(0, maxListBytes).indexOf(10)
  const list = end < 0 ? undefined : parseList(pack.subarray(0, end))
  if (list === undefined) throw new DataError('the list of the code’s files can’t be read')
  refuseClashes(list)
  const contents: Uint8Array[] = []
  let at = end + 1
  for (const { path: name, sizeBytes, sha256 } of list.files) {
    const bytes = pack.subarray(at, at + sizeBytes)
    if (bytes.length !== sizeBytes) throw new DataError(`the code has fewer bytes than its list says: ${name}`)
    if (sha256Of(bytes) !== sha256) throw new DataError(`a file of the code was altered: ${name}`)
    contents.push(bytes)
    at += sizeBytes
  }
  if (at !== pack.length) throw new DataError(`the code has more bytes than its list says: ${pack.length - at}`)
  return { list, contents }
}

function parseList(bytes: Uint8Array): PackList | undefined {
  try {
    const parsed = listSchema.safeParse(JSON.parse(Buffer.from(bytes).toString()))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** @throws DataError for a name that is there twice, also on disks that know no capitals, or is a file and a folder. */
function refuseClashes({ experiment, files }: PackList): void {
  const known = new Set<string>()
  const folders = new Set<string>()
  for (const { path: name } of files) {
    const plain = name.normalize().toLowerCase()
    if (known.has(plain)) throw new DataError(`a file of the code is there twice: ${name}`)
    known.add(plain)
    const parts = plain.split('/')
    for (let length = 1; length < parts.length; length++) folders.add(parts.slice(0, length).join('/'))
  }
  for (const name of known) if (folders.has(name)) throw new DataError(`a file of the code is a folder too: ${name}`)
  if (experiment.kind === 'module' && !files.some(({ path: name }) => name === experiment.file))
    throw new DataError(`the code lacks its experiment: ${experiment.file}`)
}
