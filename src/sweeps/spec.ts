import { LineCounter, parseDocument, isMap, isScalar, type Node } from 'yaml'
import { MldsError, SpaceError, SpecError, UnknownNameError, nearest } from '../errors.js'
import { expandValues } from './values.js'

/** What a person asked for, before it is checked against an experiment: plain data, kept with the sweep. */
export interface SweepSpec {
  readonly experiment: string
  readonly profile?: string
  /** A name of the person's own; the sweep's id unless left out. */
  readonly name?: string
  /** Values per axis, raw. `stage.axis` addresses an axis of a later stage. */
  readonly axes: Readonly<Record<string, readonly unknown[]>>
  readonly seeds?: SeedsSpec
}

/** One list moves all four seeds together; a mapping sets them apart, crossing those that have several values. */
export type SeedsSpec = readonly number[] | Readonly<Partial<Record<SeedName, readonly number[]>>>
export const seedNames = ['data', 'init', 'shuffle', 'corruption'] as const
export type SeedName = (typeof seedNames)[number]

const keys = ['experiment', 'profile', 'name', 'axes', 'seeds'] as const

/**
 * Reads a sweep file. Axes are written under `axes`.
 * @throws SpecError with file, line and column for anything that is not right.
 */
export function parseSweepFile(text: string, file: string): SweepSpec {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (node: unknown): string => {
    const offset = (node as Node | null | undefined)?.range?.[0]
    if (offset === undefined) return file
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const broken = document.errors[0]
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0])
    throw new SpecError(`${file}:${line}:${col}`, broken.message)
  }
  if (!isMap(document.contents)) throw new SpecError(file, 'a sweep file is a mapping (experiment: …, axes: …)')

  for (const { key } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : ''
    if (!(keys as readonly string[]).includes(name)) {
      const near = nearest(name, keys)
      throw new SpecError(at(key), `unknown key: ${name}`, {
        hint: near === undefined ? `known: ${keys.join(', ')}` : `did you mean ${near}?`,
      })
    }
  }
  const experiment: unknown = document.get('experiment')
  if (typeof experiment !== 'string') throw new SpecError(file, 'experiment: missing (such as experiment: params)')

  const axes: Record<string, unknown[]> = {}
  const axesNode = document.get('axes', true)
  if (axesNode !== undefined && !isMap(axesNode))
    throw new SpecError(at(axesNode), 'axes is a mapping of names to values')
  for (const { key, value } of isMap(axesNode) ? axesNode.items : []) {
    const name = isScalar(key) ? String(key.value) : ''
    const raw: unknown = (value as Node | null)?.toJS(document)
    axes[name] = located(at(value ?? key), () => expandValues(name, raw))
  }

  const seedsNode = document.get('seeds', true) as Node | undefined
  const seeds = seedsNode === undefined ? undefined : located(at(seedsNode), () => parseSeeds(seedsNode.toJS(document)))
  const profile = textOf(document.get('profile'), 'profile', file)
  const name = textOf(document.get('name'), 'name', file)
  return {
    experiment,
    axes,
    ...(profile === undefined ? {} : { profile }),
    ...(name === undefined ? {} : { name }),
    ...(seeds === undefined ? {} : { seeds }),
  }
}

function textOf(value: unknown, key: string, file: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new SpecError(file, `${key}: ${JSON.stringify(value)} is not text`)
  return value
}

/** Errors met while reading a value get the place they were written. */
function located<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SpecError || !(error instanceof MldsError)) throw error
    throw new SpecError(where, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    })
  }
}

/** Applies `--set axis=values` in the order given; `seed=0..4` and `seed.init=0..4` set seeds. */
export function applyOverrides(spec: SweepSpec, overrides: readonly string[]): SweepSpec {
  return overrides.reduce((current, override) => {
    const equals = override.indexOf('=')
    if (equals <= 0)
      throw new SpecError(`--set ${override}`, 'not of the form axis=values (such as --set width=8,32,128)')
    const name = override.slice(0, equals).trim()
    const raw = override.slice(equals + 1)
    return located(`--set ${override}`, () => {
      if (name === 'seed' || name === 'seeds') return { ...current, seeds: parseSeeds(raw) }
      if (name.startsWith('seed.')) {
        const seedName = name.slice('seed.'.length)
        if (!isSeedName(seedName)) throw new UnknownNameError('seed', seedName, seedNames)
        const apart = current.seeds === undefined || isTogether(current.seeds) ? {} : current.seeds
        return { ...current, seeds: { ...apart, [seedName]: parseSeedList(raw) } }
      }
      return { ...current, axes: { ...current.axes, [name]: expandValues(name, raw) } }
    })
  }, spec)
}

function parseSeeds(raw: unknown): SeedsSpec {
  if (raw !== null && typeof raw === 'object' && !Array.isArray(raw)) {
    const mapping = raw as Record<string, unknown>
    if (!['range', 'linspace', 'logspace'].includes(Object.keys(mapping)[0] ?? '')) {
      return Object.fromEntries(
        Object.entries(mapping).map(([name, values]) => {
          if (!isSeedName(name)) throw new UnknownNameError('seed', name, seedNames)
          return [name, parseSeedList(values)]
        }),
      )
    }
  }
  return parseSeedList(raw)
}

function parseSeedList(raw: unknown): number[] {
  return expandValues('seed', raw).map((value) => {
    const seed = Number(value)
    if (!Number.isSafeInteger(seed) || seed < 0 || value === '') {
      throw new SpaceError(`seed: ${JSON.stringify(value)} is not a seed (an integer of at least 0)`)
    }
    return seed
  })
}

function isSeedName(name: string): name is SeedName {
  return (seedNames as readonly string[]).includes(name)
}

export function isTogether(seeds: SeedsSpec): seeds is readonly number[] {
  return Array.isArray(seeds)
}
