import { quoteInput } from '../../core/quote-input.js'
import { flatten } from '../../core/flatten.js'
import { Document, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'
import type { CustomSource } from '../../experiments/custom/source.js'
import type { Constraint, Objective } from '../../core/trial.js'
import type { WrittenClaim } from '../../core/written-claim.js'
import type { WrittenFigures } from '../../core/written-figure.js'
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
import { withVariables, type Environment } from './environment.js'
import { isSetOfValues } from './nested.js'
import { refuseParted } from './parted-values.js'
import { plainNumbers } from './plain-numbers.js'
import { nodeAt, sourceOf, Sources, valueOf, withIncluded, type Source } from './sources.js'
import { parseClaims } from './claims.js'
import { parseFigures } from './figures.js'
import { parseAverage, parseConfirm, parseConstraints, parseObjective } from './objectives.js'
import { parseLabels, parseResources, parseRetries, parseTimeLimit, parseTimeout, type Resources } from './needs.js'
import { resolveMergeKeys } from './merge-keys.js'
import { parseSearch, type Search } from './samplers.js'
import { parseRepeat, parseSeeds, type SeedsSpec } from './seeds.js'
import { parseStopping, type StoppingRule } from '../scheduling/stopping.js'
import { newestLanguage, type Language } from './language.js'
import { expandValues, type Reading } from './values.js'

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
  /** Bounds that a point keeps, or it is behind every point that does. */
  readonly constraints?: readonly Constraint[]
  /** Axes that are averaged as seeds are, such as folds; no part of the trials' ids. */
  readonly average?: readonly string[]
  /** The best settings are run again on so many seeds, from the one after `after` on once that is planned. */
  readonly confirm?: { readonly seeds: number; readonly after?: number }
  /** What it is to bear out, beside the experiment's own claims; no part of the trials' ids. */
  readonly claims?: readonly WrittenClaim[]
  /** Which figures are drawn, and further ones; no part of the trials' ids. */
  readonly figures?: WrittenFigures
  /** Seeds are added until every claim is decided. */
  readonly untilDecided?: UntilDecided
  /** Words of a person's own by which `mlds list --where tag=…` finds the sweep. */
  readonly tags?: readonly string[]
  /** Names that the worker of a trial must have been given. Default: none. */
  readonly labels?: readonly string[]
  /** What a trial takes of its host. Default: nothing that is counted. */
  readonly resources?: Resources
  /** After so long a trial is ended and has failed. Default: never. */
  readonly timeLimitMs?: number
  /** Further attempts for a trial that fails, at least; `--retries` may say more. Default: 0. */
  readonly retries?: number
}

/** How far a sweep goes to decide its claims. */
export interface UntilDecided {
  /** Seeds that a setting has at most. */
  readonly maxSeeds: number
  /** Ids of those that are waited for. */
  readonly claims: readonly string[]
}

/** How long each trial trains. */
export interface Budget {
  readonly kind: 'epochs' | 'updates' | 'targetLoss'
  readonly amount: number
}

/** What a sweep file may say. */
export const specKeys = [
  'experiment',
  'include',
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
  'constraints',
  'average',
  'confirm',
  'claims',
  'figures',
  'labels',
  'tags',
  'resources',
  'timeLimitMs',
  'timeout',
  'retries',
] as const

/** Tells a custom experiment from a built-in one's name, which is `undefined`; `folder` is where an included file lies. */
export type ParseCustom = (raw: unknown, folder?: string) => CustomSource | undefined

/** The language of a file that says none, by the name of its sweep: one that is there goes on in its own. */
export type LanguageOf = (name: string | undefined) => Language

/** How a sweep file is read. */
export interface ReadingOptions {
  readonly parseCustom?: ParseCustom
  readonly languageOf?: LanguageOf
  /** Parts that count before the file: sources that say no experiment. */
  readonly parts?: readonly Source[]
  /** Where `${env:NAME}` looks. Default: the environment of this process. */
  readonly env?: Environment
}

/**
 * Reads a sweep file. Axes are written under `axes`.
 * @throws SpecError with file, line and column for anything that is not right.
 */
export function parseSweepFile(text: string, file: string, options: ReadingOptions = {}): SweepSpec {
  const { parts = [], env = process.env } = options
  const own = withIncluded(sourceOf(text, file), file)
  return readSpec(new Sources([...parts, ...own]), file, options, env)
}

/** Reads what a sweep file would say from an object with the same keys. @throws SpecError that names the key. */
export function parseSweepObject(value: object, options: ReadingOptions = {}): SweepSpec {
  const document = new Document(value, { aliasDuplicateObjects: false })
  const source: Source = { document, at: () => 'the sweep' }
  if (!isMap(document.contents)) throw new SpecError('the sweep', 'a sweep file is a mapping (experiment: …, axes: …)')
  resolveMergeKeys(document, source.at)
  if (document.has('include'))
    throw new SpecError('the sweep', 'include: is for files (spread one object over another)')
  return readSpec(new Sources([...(options.parts ?? []), source]), 'the sweep', options, undefined)
}

function readSpec(
  sources: Sources,
  file: string,
  { parseCustom = () => undefined, languageOf = () => newestLanguage, parts = [] }: ReadingOptions,
  env: Environment | undefined,
): SweepSpec {
  for (const source of sources.all) {
    requireKnownKeys(source)
    refuseParted(source)
  }
  for (const part of parts)
    if (part.document.has('experiment'))
      throw new SpecError(part.at(part.document.get('experiment', true)), 'experiment: is said by what the sweep is of')
  const written = sources.find('experiment')
  const saidLanguage = sources.find('language')
  const name = sources.find('name')?.node
  const language =
    saidLanguage === undefined
      ? languageOf(isScalar(name) && typeof name.value === 'string' ? name.value : undefined)
      : located(saidLanguage.source.at(saidLanguage.node), () =>
          parseLanguage(saidLanguage.node.toJS(saidLanguage.source.document)),
        )
  const toPlain = (node: Node | null | undefined, { document }: Source): unknown => {
    const plain = plainNumbers(valueOf(node, document), language === 1 ? Number : integerValue)
    return env === undefined || language < 3 ? plain : withVariables(plain, env)
  }
  const place = written === undefined ? file : written.source.at(written.node)
  const raw = written === undefined ? undefined : located(place, () => toPlain(written.node, written.source))
  const own = raw === undefined ? undefined : located(place, () => parseCustom(raw, written?.source.folder))
  const experiment = own === undefined ? raw : own.kind
  if (typeof experiment !== 'string') throw new SpecError(file, 'experiment: missing (such as experiment: params)')

  const reading: Reading = { language, isLiteral: own?.kind === 'command' }
  const { axes, derived } = readAxes(sources, reading, toPlain)
  const part = <T>(key: (typeof specKeys)[number], read: (raw: unknown) => T): Record<string, T> => {
    const found = sources.find(key)
    if (found === undefined) return {}
    const { node, source } = found
    // What has no place of its own in there is told of with that of the whole.
    const placeOf = (path: SpecPath): string => source.at(path.length === 0 ? node : nodeAt(node, path, false))
    return { [key]: located(pathed.has(key) ? placeOf : source.at(node), () => read(toPlain(node, source))) }
  }
  const { repeat, ...seeds } = { ...part('seeds', (raw) => parseSeeds(raw, language)), ...part('repeat', parseRepeat) }
  if (repeat !== undefined && seeds.seeds !== undefined)
    throw new SpecError(sources.placeOf(['repeat'], false), 'repeat and seeds both say which seeds to use (keep one)')
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
    ...part('constraints', parseConstraints),
    ...part('average', parseAverage),
    ...part('confirm', parseConfirm),
    ...part('claims', (raw) => parseClaims(raw, reading)),
    ...part('figures', parseFigures),
    ...part('labels', parseLabels),
    ...part('tags', (raw) => parseLabels(raw, 'tags')),
    ...part('resources', parseResources),
    ...part('timeLimitMs', parseTimeLimit),
    ...part('retries', parseRetries),
    ...timeout(sources, part),
  }
  places.set(spec, (path, isKey) => sources.placeOf(path, isKey))
  return spec
}

/** `timeout` is what `timeLimitMs` is, as people say it. */
function timeout(
  sources: Sources,
  part: <T>(key: 'timeout', read: (raw: unknown) => T) => Record<string, T>,
): Partial<Record<'timeLimitMs', number>> {
  const { timeout: timeLimitMs } = part('timeout', parseTimeout)
  if (timeLimitMs === undefined) return {}
  if (sources.find('timeLimitMs') !== undefined)
    throw new SpecError(sources.placeOf(['timeout'], false), 'timeout and timeLimitMs both say how long (keep one)')
  return { timeLimitMs }
}

/** Keys whose mistakes carry the path to where they were made. */
const pathed: ReadonlySet<string> = new Set(['points', 'around', 'where', 'blocks', 'claims', 'figures', 'average'])

function requireKnownKeys({ document, at }: Source): void {
  for (const { key } of (document.contents as YAMLMap).items) {
    const name = isScalar(key) ? String(key.value) : ''
    // Keys that begin so are a person's own: anchors, notes.
    if (name.startsWith('x-') || (specKeys as readonly string[]).includes(name)) continue
    const near = nearest(name, specKeys)
    throw new SpecError(at(key), `unknown key: ${name}`, {
      hint: near === undefined ? `known: ${specKeys.join(', ')}` : `did you mean ${near}?`,
    })
  }
}

function readAxes(
  sources: Sources,
  reading: Reading,
  toPlain: (node: Node | null, source: Source) => unknown,
): { readonly axes: SweepSpec['axes']; readonly derived: Readonly<Record<string, string>> } {
  const axes = new Map<string, unknown[]>()
  const derived = new Map<string, string>()
  for (const { pair, source } of sources.pairsOf('axes')) {
    const outer = isScalar(pair.key) ? String(pair.key.value) : ''
    const [key, value] = [pair.key, pair.value as Node | null]
    const place = source.at(value ?? key)
    const raw = located(place, () => flatten('axes', { [outer]: toPlain(value, source) }, isSetOfValues))
    for (const [name, one] of Object.entries(raw)) {
      const inner = nodeAt(value, name === outer ? [] : [name.slice(outer.length + 1)], false)
      // A mistake in an item of a list is told of with the item's own place.
      const placeOf = ([i]: SpecPath): string => source.at((isSeq(inner) && inner.items[i as number]) || (inner ?? key))
      if (axes.has(name) || derived.has(name)) throw new SpecError(place, `axes: ${name} is there twice`)
      if (isExpression(one))
        derived.set(
          name,
          located(placeOf, () => readExpr(name, one)),
        )
      else
        axes.set(
          name,
          located(placeOf, () => expandValues(name, one, reading)),
        )
    }
  }
  return { axes: Object.fromEntries(axes), derived: Object.fromEntries(derived) }
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
    throw new SpaceError(`budget: ${kind}: ${quoteInput(amount)} is not a number`)
  return { kind: kind as Budget['kind'], amount }
}

function textOf(raw: unknown, key: string): string {
  if (typeof raw !== 'string') throw new SpaceError(`${key}: ${quoteInput(raw)} is not text`)
  return raw
}

function parseLanguage(raw: unknown): Language {
  const number = typeof raw === 'bigint' ? Number(raw) : raw
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= newestLanguage)
    return number as Language
  throw new SpaceError(
    `language: ${typeof number === 'number' ? number : JSON.stringify(raw)} is not a language of sweep files (1 to ${newestLanguage}, which is what is read where it is left out)`,
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
