import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml'
import { fileProblem, SpaceError, SpecError, type SpecPath } from '../../core/errors.js'
import { resolveMergeKeys } from './merge-keys.js'

/** One of the files that a sweep is written in, or the object that stands for it. */
export interface Source {
  readonly document: Document | Document.Parsed
  /** Where a node stands: file, line and column, or the file alone. */
  readonly at: (node: unknown) => string
  /** The folder of an included file, from which its own paths start. */
  readonly folder?: string
}

const maxFiles = 100
const maxDepth = 10
const maxFileBytes = 4 << 20

/** A source made of text. @throws SpecError with file, line and column for what is no YAML, or no mapping. */
export function sourceOf(text: string, file: string, folder?: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, intAsBigInt: true })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  // What it warns of, a tag that it does not know, it would leave out.
  const broken = document.errors[0] ?? document.warnings[0]
  if (broken !== undefined) throw new SpecError(place(broken.pos[0]), readable(broken.message))
  const at = (node: unknown): string => {
    const offset = (node as Node | null | undefined)?.range?.[0]
    return offset === undefined ? file : place(offset)
  }
  if (!isMap(document.contents)) throw new SpecError(file, 'a sweep file is a mapping (experiment: …, axes: …)')
  resolveMergeKeys(document, at)
  return { document, at, ...(folder === undefined ? {} : { folder }) }
}

/**
 * A file with all that it includes, what counts first first: the file itself, then what it includes, the last named first.
 * @throws SpecError for files that include each other, too many, or what can't be read.
 */
export function withIncluded(source: Source, file: string): Source[] {
  let files = 0
  const visit = (one: Source, path: string, above: readonly string[]): Source[] => {
    const node = one.document.get('include', true) as Node | undefined
    if (node === undefined) return [one]
    const items = isSeq(node) ? (node.items as Node[]) : [node]
    const included = items.flatMap((item) => {
      const written = isScalar(item) ? item.value : undefined
      const refuse = (problem: string, cause?: unknown): never => {
        throw new SpecError(one.at(item), `include: ${problem}`, { cause })
      }
      if (typeof written !== 'string' || written === '' || written.includes('\0'))
        return refuse('names a file, or a list of files (such as include: lab.yaml)')
      const shown = isAbsolute(written) ? written : join(dirname(path), written)
      const absolute = resolve(dirname(path), written)
      if (above.includes(absolute)) refuse(`${shown} includes itself`)
      if (above.length >= maxDepth || ++files > maxFiles)
        refuse(`${shown}: more than ${maxFiles} files, or ${maxDepth} within each other`)
      let text: string
      try {
        text = readPart(absolute)
      } catch (error) {
        return refuse(`${shown}: ${fileProblem(error)}`, error)
      }
      return [visit(sourceOf(text, shown, dirname(absolute)), shown, [...above, absolute])]
    })
    return [one, ...included.reverse().flat()]
  }
  return visit(source, file, [resolve(file)])
}

/** A part of a sweep file that the command line names, with all that it includes. @throws SpecError. */
export function readSources(file: string): Source[] {
  let text: string
  try {
    text = readPart(resolve(file))
  } catch (error) {
    throw new SpecError(file, fileProblem(error), { cause: error })
  }
  return withIncluded(sourceOf(text, file, dirname(resolve(file))), file)
}

/** @throws Error for what is no file, or too large for a part of one. */
function readPart(path: string): string {
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error('this is no file')
  if (stats.size > maxFileBytes) throw new Error(`it has ${stats.size} bytes (at most ${maxFileBytes})`)
  return readFileSync(path, 'utf8')
}

/** What the parser says, for who wrote the file; its stack ends where lists or mappings stand thousands deep within each other. */
export function readable(problem: string): string {
  if (problem.startsWith('Maximum call stack')) return 'lists or mappings stand too deep within each other'
  if (problem.startsWith('Nested mappings are not allowed in compact mappings'))
    return 'YAML takes a text with a colon and a space for a mapping (put the text in quotes)'
  return problem.startsWith('Source contains multiple documents')
    ? 'a file is one document (--- begins another)'
    : problem
}

/** @throws RangeError for what holds itself, as an alias (*a) within what its anchor (&a) names does. */
function refuseCircle(value: unknown, above: readonly unknown[] = []): void {
  if (typeof value !== 'object' || value === null) return
  if (above.includes(value)) throw new RangeError('something would hold itself')
  for (const inner of Object.values(value)) refuseCircle(inner, [...above, value])
}

/** What a node holds, as plain data. @throws SpaceError where aliases would make it grow without bound, or hold itself. */
export function valueOf(node: Node | null | undefined, document: Document | Document.Parsed): unknown {
  try {
    const value: unknown = node?.toJS(document)
    refuseCircle(value)
    return value
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error
    throw new SpaceError(
      `what anchors (&) and aliases (*) name can't be put in its place: ${readable(error.message)}`,
      {
        cause: error,
      },
    )
  }
}

/** What several files say together: of each key the first that says it; axes name by name. */
export class Sources {
  constructor(readonly all: readonly Source[]) {}

  /** The source that says a key, and what it says. */
  find(key: string): { readonly source: Source; readonly node: Node } | undefined {
    for (const source of this.all) {
      const node = source.document.get(key, true) as Node | undefined
      if (node !== undefined) return { source, node }
    }
    return undefined
  }

  /** The pairs of a mapping, of each name the first source's, in the order in which they are met from the last source on. */
  pairsOf(key: string): { readonly pair: Pair; readonly source: Source }[] {
    const found = new Map<string, { pair: Pair; source: Source }>()
    for (const source of this.all.toReversed()) {
      const node = source.document.get(key, true)
      if (node === undefined) continue
      if (!isMap(node)) throw new SpecError(source.at(node), `${key} is a mapping of names to values`)
      for (const pair of node.items) found.set(isScalar(pair.key) ? String(pair.key.value) : '', { pair, source })
    }
    return [...found.values()]
  }

  /** Where what a path leads to stands, in the first source that has it, or the most of it. */
  placeOf(path: SpecPath, isKey: boolean): string {
    const merged = path[0] === 'axes' ? 2 : 1
    const source =
      this.all.find(({ document }) => document.hasIn(path.slice(0, merged))) ??
      this.all.find(({ document }) => document.hasIn(path.slice(0, 1))) ??
      this.all[0]!
    return source.at(nodeAt(source.document.contents, path, isKey))
  }
}

/** What a path leads to in a document, or the last of it that is there; its key where that is asked for. */
export function nodeAt(contents: unknown, path: SpecPath, isKey: boolean): unknown {
  let node = contents
  const steps = [...path]
  while (steps.length > 0) {
    const step = steps.shift()!
    // One group may be written without the list around it.
    if (isMap(node) && typeof step === 'number') continue
    const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '')
    const items = isMap(node) ? node.items : []
    const outer = items.find((item) => nameOf(item) !== '' && String(step).startsWith(`${nameOf(item)}.`))
    const pair = items.find((item) => nameOf(item) === step) ?? outer
    // A parameter within others is written with its names apart.
    if (pair !== undefined && pair === outer) steps.unshift(String(step).slice(nameOf(pair).length + 1))
    const next = isSeq(node) ? node.items[step as number] : pair?.value
    const found = steps.length === 0 && isKey ? (pair?.key ?? next) : (next ?? pair?.key)
    if (found === null || found === undefined) break
    node = found
  }
  return node
}
