import { Document, LineCounter, parseDocument, isMap, isScalar, isSeq, type Node } from 'yaml'
import type { CustomSource } from '../../experiments/custom/source.js'
import type { Objective } from '../../core/trial.js'
import { MldsError, SpaceError, SpecError, UnknownNameError, nearest, type SpecPath } from '../../core/errors.js'
import { integerValue } from '../../core/param-value.js'
import {
  isExpression,
  mapping,
  parseAround,
  parseBlocks,
  parseExclude,
  parsePoints,
  parseWhen,
  parseWhere,
  parseZip,
  readExpr,
  type Grid,
} from './grid.js'
import { plainNumbers } from './mapping.js'
import { resolveMergeKeys } from './merge-keys.js'
import { parseSearch, type Search } from './samplers.js'
import { parseRepeat, parseSeeds, type SeedsSpec } from './seeds.js'
import { parseStopping, type StoppingRule } from '../scheduling/stopping.js'
import { expandValues, newestLanguage, type Language, type Reading } from './values.js'

/** What a person asked for, before it is checked against an experiment: plain data, kept with the sweep. */
export interface SweepSpec extends Grid {
  /** A built-in experiment's name; with `own`, a custom one's, which carries a hash of its code. */
  readonly experiment: string
  /** How it was read; the first language where it says none. */
  readonly language?: Language
  /** A custom experiment's source, under the name that it has had in plan.json since the first version. */
  readonly own?: CustomSource
  readonly profile?: string
  /** A name of the person's own; the sweep's id unless left out. */
  readonly name?: string
  readonly seeds?: SeedsSpec
  /** Grids of their own, each crossed with what stands outside of them; the sweep has the points of all. */
  readonly blocks?: readonly Grid[]
  /** Points drawn from ranges, crossed with the other axes. */
  readonly search?: Search
  readonly budget?: Budget
  /** Rules that stop trials early, the first applied first. */
  readonly scheduler?: readonly StoppingRule[]
  /** What `best` and the scheduler judge by, instead of the experiment's own. */
  readonly objective?: Objective
}

/** How long each trial trains. */
export interface Budget {
  readonly kind: 'epochs' | 'updates' | 'targetLoss'
  readonly amount: number
}

/** What a sweep file may say. */
export const specKeys = [
  'experiment',
  'language',
  'profile',
  'name',
  'axes',
  'seeds',
  'repeat',
  'zip',
  'when',
  'exclude',
  'points',
  'around',
  'where',
  'blocks',
  'search',
  'budget',
  'scheduler',
  'objective',
] as const

/** Tells a custom experiment from a built-in one's name, which is `undefined`. */
export type ParseCustom = (raw: unknown) => CustomSource | undefined

/** The language of a file that says none, by the name of its sweep: one that is there goes on in its own. */
export type LanguageOf = (name: string | undefined) => Language

/**
 * Reads a sweep file. Axes are written under `axes`.
 * @throws SpecError with file, line and column for anything that is not right.
 */
export function parseSweepFile(
  text: string,
  file: string,
  parseCustom: ParseCustom = () => undefined,
  languageOf: LanguageOf = () => newestLanguage,
): SweepSpec {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, intAsBigInt: true })
  const broken = document.errors[0]
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0])
    throw new SpecError(`${file}:${line}:${col}`, broken.message)
  }
  return readSpec(document, file, { parseCustom, languageOf }, (offset) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  })
}

/** Reads what a sweep file would say from an object with the same keys. @throws SpecError that names the key. */
export function parseSweepObject(
  value: object,
  parseCustom: ParseCustom = () => undefined,
  languageOf: LanguageOf = () => newestLanguage,
): SweepSpec {
  const document = new Document(value, { aliasDuplicateObjects: false })
  return readSpec(document, 'the sweep', { parseCustom, languageOf }, () => 'the sweep')
}

function readSpec(
  document: Document | Document.Parsed,
  file: string,
  { parseCustom, languageOf }: { readonly parseCustom: ParseCustom; readonly languageOf: LanguageOf },
  place: (offset: number) => string,
): SweepSpec {
  const at = (node: unknown): string => {
    const offset = (node as Node | null | undefined)?.range?.[0]
    return offset === undefined ? file : place(offset)
  }
  if (!isMap(document.contents)) throw new SpecError(file, 'a sweep file is a mapping (experiment: …, axes: …)')

  resolveMergeKeys(document, at)
  for (const { key } of document.contents.items) requireKnown(key, at)
  const written = document.get('experiment', true) as Node | undefined
  const languageNode = document.get('language', true) as Node | undefined
  const name = document.get('name')
  const language =
    languageNode === undefined
      ? languageOf(typeof name === 'string' ? name : undefined)
      : located(at(languageNode), () => parseLanguage(languageNode.toJS(document)))
  const toPlain = (node: Node | null | undefined): unknown =>
    plainNumbers(node?.toJS(document), language === 1 ? Number : integerValue)
  const raw = toPlain(written)
  const own = raw === undefined ? undefined : located(at(written), () => parseCustom(raw))
  const experiment = own === undefined ? raw : own.kind
  if (typeof experiment !== 'string') throw new SpecError(file, 'experiment: missing (such as experiment: params)')

  const reading: Reading = { language, isLiteral: own?.kind === 'command' }
  const { axes, derived } = readAxes(document, at, reading, toPlain)
  const part = <T>(key: (typeof specKeys)[number], read: (raw: unknown) => T): Record<string, T> => {
    const node = document.get(key, true) as Node | undefined
    if (node === undefined) return {}
    // What has no place of its own in there is told of with that of the whole.
    const placeOf = (path: SpecPath): string => at(path.length === 0 ? node : nodeAt(node, path, false))
    return { [key]: located(pathed.has(key) ? placeOf : at(node), () => read(toPlain(node))) }
  }
  const { repeat, ...seeds } = { ...part('seeds', (raw) => parseSeeds(raw, language)), ...part('repeat', parseRepeat) }
  if (repeat !== undefined && seeds.seeds !== undefined)
    throw new SpecError(at(document.get('repeat', true)), 'repeat and seeds both say which seeds to use (keep one)')
  const text = (key: 'profile' | 'name'): Partial<Record<'profile' | 'name', string>> => {
    const { [key]: value = null } = part(key, (raw) => (raw === null ? null : textOf(raw, key)))
    return value === null ? {} : { [key]: value }
  }
  const spec: SweepSpec = {
    experiment,
    ...(language === 1 ? {} : { language }),
    ...(own === undefined ? {} : { own }),
    axes,
    ...text('profile'),
    ...text('name'),
    ...(repeat === undefined ? seeds : { seeds: repeat }),
    ...part('zip', (raw) => parseZip(raw, reading)),
    ...part('when', (raw) => parseWhen(raw, reading)),
    ...part('exclude', (raw) => parseExclude(raw, reading)),
    ...(Object.keys(derived).length === 0 ? {} : { derived }),
    ...part('points', (raw) => parsePoints(raw, reading)),
    ...part('around', (raw) => parseAround(raw, reading)),
    ...part('where', parseWhere),
    ...part('blocks', (raw) => parseBlocks(raw, reading)),
    ...part('search', (raw) => parseSearch(raw, undefined, reading)),
    ...part('budget', parseBudget),
    ...part('scheduler', parseStopping),
    ...part('objective', parseObjective),
  }
  const { contents } = document
  places.set(spec, (path, isKey) => at(nodeAt(contents, path, isKey)))
  return spec
}

/** Keys whose mistakes carry the path to where they were made. */
const pathed: ReadonlySet<string> = new Set(['points', 'around', 'where', 'blocks'])

/** Where a node of the document stands: file, line and column, or the file alone. */
type PlaceOf = (node: unknown) => string

function requireKnown(key: unknown, at: PlaceOf): void {
  const name = isScalar(key) ? String(key.value) : ''
  // Keys that begin so are a person's own: anchors, notes.
  if (name.startsWith('x-') || (specKeys as readonly string[]).includes(name)) return
  const near = nearest(name, specKeys)
  throw new SpecError(at(key), `unknown key: ${name}`, {
    hint: near === undefined ? `known: ${specKeys.join(', ')}` : `did you mean ${near}?`,
  })
}

function readAxes(
  document: Document | Document.Parsed,
  at: PlaceOf,
  reading: Reading,
  toPlain: (node: Node | null) => unknown,
): { readonly axes: SweepSpec['axes']; readonly derived: Readonly<Record<string, string>> } {
  const node = document.get('axes', true)
  if (node !== undefined && !isMap(node)) throw new SpecError(at(node), 'axes is a mapping of names to values')
  const axes: [name: string, values: unknown[]][] = []
  const derived: [name: string, expression: string][] = []
  for (const { key, value } of node?.items ?? []) {
    const name = isScalar(key) ? String(key.value) : ''
    const raw = toPlain(value as Node | null)
    // A mistake in an item of a list is told of with the item's own place.
    const placeOf = ([i]: SpecPath): string => at((isSeq(value) && value.items[i as number]) || (value ?? key))
    if (isExpression(raw)) derived.push([name, located(placeOf, () => readExpr(name, raw))])
    else axes.push([name, located(placeOf, () => expandValues(name, raw, reading))])
  }
  return { axes: Object.fromEntries(axes), derived: Object.fromEntries(derived) }
}

/** What a path leads to in the document, or the last of it that is there; its key where that is asked for. */
function nodeAt(contents: unknown, path: SpecPath, isKey: boolean): unknown {
  let node = contents
  for (const [i, step] of path.entries()) {
    // One group may be written without the list around it.
    if (isMap(node) && typeof step === 'number') continue
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step) : undefined
    const next = isSeq(node) ? node.items[step as number] : pair?.value
    const isLast = i === path.length - 1
    const found = isLast && isKey ? (pair?.key ?? next) : (next ?? pair?.key)
    if (found === null || found === undefined) break
    node = found
  }
  return node
}

/** By a spec that was read from a file: the place of what a path leads to, or of the last of it that is there. */
const places = new WeakMap<SweepSpec, (path: SpecPath, isKey: boolean) => string>()

/** The error with the file, line and column of what it speaks of, where `spec` was read from a file that says it. */
export function placed(spec: SweepSpec, error: unknown): unknown {
  const placeOf = places.get(spec)
  if (placeOf === undefined || !(error instanceof MldsError) || error instanceof SpecError || error.path === undefined)
    return error
  // An axis that is unknown is a key; a profile that is unknown is a value.
  const isOfKey = error instanceof UnknownNameError && error.path.length > 1
  return new SpecError(placeOf(error.path, isOfKey), error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    exitCode: error.exitCode,
    cause: error,
  })
}

const budgetKinds = ['epochs', 'updates', 'targetLoss'] as const

function parseBudget(raw: unknown): Budget {
  const entries = Object.entries(mapping('budget', raw))
  const [kind, amount] = entries[0] ?? []
  if (kind === undefined || entries.length > 1)
    throw new SpaceError('budget: exactly one of epochs, updates, targetLoss (such as {epochs: 50})')
  if (!(budgetKinds as readonly string[]).includes(kind)) throw new UnknownNameError('budget', kind, budgetKinds)
  if (typeof amount !== 'number' || !Number.isFinite(amount))
    throw new SpaceError(`budget: ${kind}: ${JSON.stringify(amount)} is not a number`)
  return { kind: kind as Budget['kind'], amount }
}

function parseObjective(raw: unknown): Objective {
  const { metric, direction = 'minimize', ...others } = mapping('objective', raw)
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new UnknownNameError('key of objective', unknown, ['metric', 'direction'])
  if (typeof metric !== 'string') throw new SpaceError('objective: metric: missing (such as metric: test/accuracy)')
  if (direction !== 'minimize' && direction !== 'maximize')
    throw new UnknownNameError('direction', String(direction), ['minimize', 'maximize'])
  return { metric, direction }
}

function textOf(raw: unknown, key: string): string {
  if (typeof raw !== 'string') throw new SpaceError(`${key}: ${JSON.stringify(raw)} is not text`)
  return raw
}

function parseLanguage(raw: unknown): Language {
  const number = typeof raw === 'bigint' ? Number(raw) : raw
  if (number === 1 || number === newestLanguage) return number as Language
  throw new SpaceError(
    `language: ${typeof number === 'number' ? number : JSON.stringify(raw)} is not a language of sweep files (1, or ${newestLanguage}, which is what is read where it is left out)`,
    typeof number === 'number' && number > newestLanguage ? { hint: 'a later version may know it' } : {},
  )
}

/** Errors met while reading a value get the place they were written. */
export function located<T>(where: string | ((path: SpecPath) => string), read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SpecError || !(error instanceof MldsError)) throw error
    throw new SpecError(typeof where === 'string' ? where : where(error.path ?? []), error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    })
  }
}
