import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { fileProblem, SpaceError } from '../../../core/errors.js'
import { isMapping } from '../../../core/is-mapping.js'
import { lookUp } from '../../../core/names.js'
import { readable } from '../sources.js'
import { DefaultEntry, parseDefaults } from './hydra-defaults.js'

type Mapping = Readonly<Record<string, unknown>>

/** What a person asks of a config group: its option, another entry, or none. */
export interface GroupOverride {
  readonly sign: '' | '+' | '~'
  readonly group: string
  readonly package: string | undefined
  readonly option: string | null | readonly string[] | undefined
}

/** A config as Hydra puts it together. */
export interface Composed {
  readonly config: Mapping
  /** The option of every group by what overrides call it. */
  readonly choices: ReadonlyMap<string, DefaultEntry['name']>
  /** Configs that no file of the folder is: a structured config of the program, or one of Hydra's plug-ins. */
  readonly absent: readonly string[]
}

interface Loaded {
  readonly config: Mapping
  readonly defaults: unknown
  readonly header: string | undefined
}

const maxFileBytes = 4 << 20
const maxFiles = 10_000
const maxDepth = 50
/** A value that is yet to be given. */
const missing = '???'

/**
 * A folder of configs of Hydra 1.3, read without Python: defaults lists, groups and packages. Values that point to others
 * (`${…}`) stay as they are written.
 */
export class ConfigFolder {
  readonly #loaded = new Map<string, Loaded | undefined>()

  constructor(readonly folder: string) {}

  /** Whether overrides of this name choose an option. */
  isGroup(name: string): boolean {
    if (name === '' || isOutside(name)) return false
    return statSync(join(this.folder, name), { throwIfNoEntry: false })?.isDirectory() === true
  }

  /** The options that a group has. */
  options(group: string): string[] {
    if (!this.isGroup(group)) return []
    return readdirSync(join(this.folder, group))
      .flatMap((name) => /^(.+)\.yaml$/.exec(name)?.[1] ?? [])
      .sort()
  }

  /** @throws SpaceError where Hydra refuses it too. */
  compose(name: string, overrides: readonly GroupOverride[]): Composed {
    return new Composition(this, overrides).compose(name)
  }

  /** @throws SpaceError for a file that is no config. */
  load(path: string): Loaded | undefined {
    if (this.#loaded.has(path)) return this.#loaded.get(path)
    if (this.#loaded.size >= maxFiles) throw new SpaceError(`${this.folder}: more than ${maxFiles} configs`)
    const loaded = this.#read(path)
    this.#loaded.set(path, loaded)
    return loaded
  }

  /** What a config's file is called in sentences. */
  nameOf(path: string): string {
    return join(this.folder, `${path}.yaml`)
  }

  #read(path: string): Loaded | undefined {
    const file = this.nameOf(path)
    if (isOutside(path)) throw new SpaceError(`${path}: a config lies within ${this.folder}`)
    const stats = statSync(file, { throwIfNoEntry: false })
    if (stats?.isFile() !== true) return undefined
    if (stats.size > maxFileBytes) throw new SpaceError(`${file}: ${stats.size} bytes (at most ${maxFileBytes})`)
    try {
      const text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '')
      const { defaults, ...config } = mappingOf(readYaml(text), file)
      return { config, defaults, header: headerOf(text, file) }
    } catch (error) {
      if (error instanceof SpaceError) throw error
      throw new SpaceError(`${file}: ${readable(fileProblem(error))}`, { cause: error })
    }
  }
}

const isOutside = (path: string): boolean =>
  path.includes('\0') || path.includes('\\') || path.startsWith('/') || path.split('/').includes('..')

/** Python's YAML 1.1, which takes `yes` and `on` for true, and `y` for a text. */
const truths = [
  [true, /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/],
  [false, /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/],
] as const
const tagOf = (name: string): string => `tag:yaml.org,2002:${name}`

/** As OmegaConf reads it: YAML 1.1 without dates. */
const readYaml = (text: string): unknown =>
  parse(text, {
    version: '1.1',
    logLevel: 'error',
    customTags: (tags) => [
      ...truths.map(([value, test]) => ({ tag: tagOf('bool'), default: true, test, resolve: () => value })),
      ...tags.filter((tag) => typeof tag === 'string' || ![tagOf('bool'), tagOf('timestamp')].includes(tag.tag)),
    ],
  })

function mappingOf(raw: unknown, file: string): Mapping {
  if (raw === null || raw === undefined) return {}
  if (!isMapping(raw)) throw new SpaceError(`${file}: a config is a mapping`)
  return raw
}

/** `# @package _global_` in the header, which is the first lines that begin so. */
function headerOf(text: string, file: string): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue
    // Another comment ends the header, too.
    if (!/^\s*#\s*@/.test(line)) break
    const [, said] = /^\s*#\s*@package(?:\s+(\S*))?\s*$/.exec(line) ?? []
    if (said !== undefined) return said
    if (/^\s*#\s*@package\s/.test(line)) throw new SpaceError(`${file}: ${line.trim()}: a package is one word`)
  }
  return undefined
}

/** A config to be merged, where its keys go. */
interface Part {
  readonly path: string
  readonly package: string
  /** Of a group. */
  readonly key?: string
}

/** Where Hydra's configs are read from. */
export interface HydraConfigs {
  readonly configs: ConfigFolder
  /** The primary config, without `.yaml`. */
  readonly name: string
  /** Words by which the program finds them, where it does not do so by itself. */
  readonly words: readonly string[]
  /** The folder as a sweep file beside the program calls it. */
  readonly code: string
}

/** How one config is put together, by the rules of Hydra's defaults lists. */
class Composition {
  readonly #overrides = new Map<string, { option: DefaultEntry['name']; by: string | undefined; isUsed: boolean }>()
  readonly #deletions = new Map<string, { option: string | undefined; isUsed: boolean }>()
  readonly #appended: DefaultEntry[] = []
  readonly #choices = new Map<string, DefaultEntry['name']>()
  readonly #absent = new Set<string>()

  constructor(
    private readonly files: ConfigFolder,
    overrides: readonly GroupOverride[],
  ) {
    for (const { sign, group, package: own, option } of overrides) {
      const key = own === undefined ? group : `${group}@${own}`
      if (sign === '~')
        this.#deletions.set(key, { option: option === undefined ? undefined : String(option), isUsed: false })
      else if (sign === '+')
        this.#appended.push(new DefaultEntry(group, option ?? null, { isGroup: true, package: own, isAppended: true }))
      else if (option === null || option === undefined)
        throw new SpaceError(`${key}=null: a group's option is a name, or a list of them (~${key} takes the group out)`)
      else this.#overrides.set(key, { option, by: undefined, isUsed: false })
    }
  }

  compose(name: string): Composed {
    const root = new DefaultEntry('', name, { isGroup: false })
    if (this.files.load(name) === undefined)
      throw new SpaceError(`no such config: ${this.files.nameOf(name)} (--config-name says another)`)
    const own = this.#expand(root, { isRoot: true, isLate: false, depth: 0 })
    // Hydra's own config comes first, with what is chosen for its groups.
    const hydras = [...this.#overrides].flatMap(([key, override]) => {
      if (!key.startsWith('hydra/')) return []
      override.isUsed = true
      this.#choices.set(key, override.option)
      const entry = new DefaultEntry(`/${key}`, override.option, { isGroup: true })
      return typeof override.option === 'string' && this.files.load(entry.configPath) !== undefined
        ? this.#expand(entry, { isRoot: false, isLate: false, depth: 0 })
        : []
    })
    this.#requireUsed()
    const parts = [...hydras, ...own]
    const keys = parts.flatMap(({ key }) => key ?? [])
    const twice = keys.find((key, i) => keys.indexOf(key) < i)
    if (twice !== undefined) throw new SpaceError(`${twice} is twice in the defaults lists (Hydra refuses it)`)
    const config: Record<string, unknown> = {}
    for (const part of parts) merge(config, embedded(this.files.load(part.path)!.config, part.package))
    return { config, choices: this.#choices, absent: [...this.#absent] }
  }

  /** The configs that an entry comes to, in the order in which they are merged. */
  #expand(
    entry: DefaultEntry,
    { isRoot, isLate, depth }: { readonly isRoot: boolean; readonly isLate: boolean; readonly depth: number },
  ): Part[] {
    const { name, options } = entry
    if (depth > maxDepth)
      throw new SpaceError(`${this.files.nameOf(entry.configPath)}: configs that name each other in circles`)
    const isNamed = typeof name === 'string'
    if (isNamed && name !== missing) entry.setHeader(this.files.load(entry.configPath)?.header)
    if (this.#isDeleted(entry)) return []
    if (options.isGroup) this.#choose(entry)
    // What a sweep chooses is not chosen yet.
    if (!isNamed || name === missing) return []
    const path = entry.configPath
    const loaded = this.files.load(path)
    if (loaded === undefined) {
      if (options.isOptional !== true) this.#absent.add(path)
      return []
    }
    const listed = parseDefaults(loaded.defaults, this.files.nameOf(path))
    if (isRoot) for (const one of this.#appended) listed.push(one)
    const self = { path, package: entry.packageOf(), ...(options.isGroup && { key: entry.overrideKey }) }
    if (listed.length === 0) return [self]
    const selves = listed.filter(({ isSelf }) => isSelf).length
    if (selves > 1) throw new SpaceError(`${this.files.nameOf(path)}: _self_ is twice in its defaults list`)
    if (selves === 0) {
      const own = new DefaultEntry('', '_self_', { isGroup: false })
      // Appended entries come after all of the file's own.
      listed.splice(listed.length - (isRoot ? this.#appended.length : 0), 0, own)
    }
    for (const one of listed) if (!one.isSelf) one.placeIn(entry.groupPath, entry.packageOf())
    this.#noteOverrides(listed, path, isLate)
    return this.#expandAll(listed, { path, self, isLate, depth: depth + 1 })
  }

  /** From the last entry to the first, so that of overrides in nested lists the outer and the later one counts. */
  #expandAll(
    listed: readonly DefaultEntry[],
    {
      path,
      self,
      isLate,
      depth,
    }: { readonly path: string; readonly self: Part; readonly isLate: boolean; readonly depth: number },
  ): Part[] {
    const parts = new Map<DefaultEntry, readonly Part[]>()
    const late: DefaultEntry[] = []
    for (const one of listed.toReversed()) {
      if (one.isSelf) {
        parts.set(one, [self])
        continue
      }
      if (one.options.isOverride === true) continue
      const override = one.options.isGroup ? this.#overrides.get(one.overrideKey) : undefined
      if (override !== undefined) {
        override.isUsed = true
        one.name = override.option
      }
      if (Array.isArray(one.name)) {
        if (this.#isDeleted(one)) continue
        const own = one
          .split()
          .toReversed()
          .map((part) => this.#expand(part, { isRoot: false, isLate, depth }))
        parts.set(one, own.toReversed().flat())
      } else if (isPointer(one.groupPath)) this.#absent.add(one.configPath)
      else if (isPointer(one.name)) late.push(one)
      else parts.set(one, this.#expand(one, { isRoot: false, isLate, depth }))
    }
    for (const one of late) {
      one.name = this.#resolved(String(one.name), path)
      parts.set(one, this.#expand(one, { isRoot: false, isLate: true, depth }))
    }
    return listed.flatMap((one) => parts.get(one) ?? [])
  }

  #noteOverrides(listed: readonly DefaultEntry[], path: string, isLate: boolean): void {
    let last: DefaultEntry | undefined
    const file = this.files.nameOf(path)
    for (const one of listed) {
      const { isOverride, isAppended } = one.options
      if (isOverride !== true) {
        if (last !== undefined && !one.isSelf && isAppended !== true && !last.groupPath.startsWith('hydra/'))
          throw new SpaceError(
            `${file}: override ${last.overrideKey} stands before ${one.overrideKey} (overrides come last)`,
          )
        continue
      }
      if (isLate)
        throw new SpaceError(`${file}: override ${one.overrideKey}: not below a default that points to another`)
      last = one
      if (!this.#overrides.has(one.overrideKey))
        this.#overrides.set(one.overrideKey, { option: one.name, by: file, isUsed: false })
    }
  }

  #isDeleted(entry: DefaultEntry): boolean {
    const deletion = entry.options.isGroup ? this.#deletions.get(entry.overrideKey) : undefined
    if (deletion === undefined || (deletion.option !== undefined && deletion.option !== entry.name)) return false
    deletion.isUsed = true
    return true
  }

  #choose(entry: DefaultEntry): void {
    const key = entry.overrideKey
    if (this.#choices.has(key) && this.#choices.get(key) !== entry.name)
      throw new SpaceError(
        `${key} is ${String(this.#choices.get(key))} and ${String(entry.name)} in the defaults lists (Hydra asks for: override ${key})`,
      )
    this.#choices.set(key, entry.name)
  }

  /** `${db}_small` by what is chosen so far. */
  #resolved(text: string, path: string): string {
    const resolved = text.replaceAll(/\$\{\s*([^{}]*?)\s*\}/g, (whole, key: string) => {
      const choice = this.#choices.get(key)
      return typeof choice === 'string' ? choice : whole
    })
    if (isPointer(resolved))
      throw new SpaceError(
        `${this.files.nameOf(path)}: defaults: ${text} points to no group that is chosen (${[...this.#choices.keys()].join(', ')})`,
      )
    return resolved
  }

  #requireUsed(): void {
    for (const [key, { isUsed, by, option }] of this.#overrides)
      if (!isUsed)
        throw new SpaceError(
          `${by === undefined ? '' : `${by}: override `}${key}=${String(option)}: no defaults list has ${key} (it has ${[...this.#choices.keys()].join(', ') || 'none'}; +${key}=${String(option)} appends it)`,
        )
    for (const [key, { isUsed }] of this.#deletions)
      if (!isUsed)
        throw new SpaceError(
          `~${key}: no defaults list has ${key} (it has ${[...this.#choices.keys()].join(', ') || 'none'})`,
        )
  }
}

const isPointer = (text: unknown): boolean => typeof text === 'string' && text.includes('${')

/** Keys of a config at their package. */
function embedded(config: Mapping, path: string): Mapping {
  return path === '' ? config : path.split('.').reduceRight<Mapping>((inner, name) => ({ [name]: inner }), config)
}

/** Mappings are merged key by key; anything else takes the place of what was there, but for a value yet to be given. */
function merge(into: Record<string, unknown>, from: Mapping): void {
  for (const [name, value] of Object.entries(from)) {
    const known = lookUp(into, name)
    if (value === missing && known !== undefined) continue
    const next = isMapping(value) ? (isMapping(known) ? { ...known } : {}) : value
    if (isMapping(value)) merge(next as Record<string, unknown>, value)
    Object.defineProperty(into, name, { value: next, enumerable: true, configurable: true, writable: true })
  }
}

/** What a config has at a name with dots; `undefined` for what it has not. */
export function valueAt(config: Mapping, path: string): unknown {
  let value: unknown = config
  for (const name of path.split('.')) {
    if (Array.isArray(value)) value = /^\d+$/.test(name) ? (value as unknown[])[Number(name)] : undefined
    else if (isMapping(value)) value = lookUp(value, name)
    else return undefined
  }
  return value
}
