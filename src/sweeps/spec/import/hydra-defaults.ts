import { SpaceError } from '../../../core/errors.js'
import { quoteInput } from '../../../core/quote-input.js'
import { isMapping } from '../../../core/is-mapping.js'

/**
 * An entry of a defaults list of Hydra 1.3 (hydra.cc/docs/advanced/defaults_list): a config by its path, or a config group's
 * option. Where it stands in a list decides what its paths and packages are relative to.
 */
export class DefaultEntry {
  /** The group of the config that lists it. */
  #base = ''
  /** The package of the config that lists it. */
  #parentPackage = ''
  /** What `# @package` says in the config itself. */
  #header: string | undefined
  readonly #path: string
  readonly #isAbsolute: boolean

  constructor(
    path: string,
    /** The config's name; of a group its option, `null` for none so far, or several. */
    public name: string | null | readonly string[],
    readonly options: {
      readonly isGroup: boolean
      readonly package?: string | undefined
      readonly isOptional?: boolean
      readonly isOverride?: boolean
      /** It was added on the command line, and so is relative to nothing. */
      readonly isAppended?: boolean
    },
  ) {
    this.#isAbsolute = path.startsWith('/') || options.isAppended === true
    this.#path = path.replace(/^\//, '')
  }

  placeIn(base: string, parentPackage: string): void {
    this.#base = base
    this.#parentPackage = this.options.isAppended === true ? '' : parentPackage
  }

  /** @param header as the file says it, which is always the whole path of a package. */
  setHeader(header: string | undefined): void {
    if (header === undefined || header === '_group_') return
    const absolute = /^_global_(?:\.|$)/.test(header) ? header : header === '' ? '_global_' : `_global_.${header}`
    this.#header = absolute.replaceAll('_group_', dotted(this.groupPath))
  }

  get isSelf(): boolean {
    return !this.options.isGroup && this.name === '_self_'
  }

  get groupPath(): string {
    if (this.#isAbsolute || this.#base === '') return this.#path
    return this.#path === '' ? this.#base : `${this.#base}/${this.#path}`
  }

  get configPath(): string {
    return this.groupPath === '' ? String(this.name) : `${this.groupPath}/${String(this.name)}`
  }

  /** Where its keys go: names with dots between, `''` for the top. */
  packageOf({ withHeader = true } = {}): string {
    const own = this.options.package === '_here_' ? '' : this.options.package
    const said =
      own?.includes('_group_') === true ? `_global_.${own.replaceAll('_group_', dotted(this.groupPath))}` : own
    const written = said ?? (withHeader ? this.#header : undefined) ?? dotted(this.#path)
    const named = typeof this.name === 'string' ? written.replaceAll('_name_', this.name) : written
    const whole = [this.#parentPackage, named].filter((part) => part !== '').join('.')
    const global = whole.lastIndexOf('_global_')
    return global < 0 ? whole : whole.slice(global + '_global_'.length + 1)
  }

  /** What overrides call the group: with its package, where that is not the group's own. */
  get overrideKey(): string {
    const own = this.packageOf({ withHeader: false })
    return own === dotted(this.groupPath) ? this.groupPath : `${this.groupPath}@${own === '' ? '_global_' : own}`
  }

  /** Each of several options as an entry of its own. */
  split(): DefaultEntry[] {
    const path = `${this.#isAbsolute ? '/' : ''}${this.#path}`
    return (this.name as readonly string[]).map((option) => {
      const { package: own, isOptional = false } = this.options
      const slash = option.lastIndexOf('/')
      const folder = slash < 0 ? path : `${path}/${option.slice(0, slash)}`
      const one = new DefaultEntry(folder, option.slice(slash + 1), { isGroup: false, package: own, isOptional })
      one.placeIn(this.#base, this.#parentPackage)
      return one
    })
  }
}

const dotted = (path: string): string => path.replaceAll('/', '.')

/** Reads a config's defaults list. @throws SpaceError that begins with `where`. */
export function parseDefaults(raw: unknown, where: string): DefaultEntry[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) throw new SpaceError(`${where}: defaults is a list (such as - db: mysql)`)
  return raw.map((item) => {
    if (typeof item === 'string') return configEntry(item)
    if (!isMapping(item))
      throw new SpaceError(`${where}: defaults: ${quoteInput(item)} is neither a config nor a group`)
    const [pair, ...others] = Object.entries(item)
    if (pair === undefined || others.length > 0)
      throw new SpaceError(`${where}: defaults: ${quoteInput(item)}: an entry is one group and its option`)
    return groupEntry(...pair, where)
  })
}

function configEntry(text: string): DefaultEntry {
  const { path, own } = parted(text)
  const slash = path.lastIndexOf('/')
  const folder = slash < 0 ? '' : slash === 0 ? '/' : path.slice(0, slash)
  return new DefaultEntry(folder, path.slice(slash + 1), { isGroup: false, package: own })
}

function groupEntry(key: string, option: unknown, where: string): DefaultEntry {
  const words = key.trim().split(/\s+/)
  const keywords = new Set(words.slice(0, -1))
  if ([...keywords].some((word) => word !== 'optional' && word !== 'override'))
    throw new SpaceError(`${where}: defaults: ${key}: only optional and override stand before a group`)
  const isList = Array.isArray(option) && option.every((one) => typeof one === 'string')
  if (option !== null && typeof option !== 'string' && !isList)
    throw new SpaceError(`${where}: defaults: ${key}: ${quoteInput(option)} is not an option (a name, a list, or null)`)
  const { path, own } = parted(words.at(-1)!)
  return new DefaultEntry(path, option, {
    ...{ isGroup: true, package: own, isOptional: keywords.has('optional') },
    // Of Hydra's own groups this was said without the word before Hydra 1.1.
    isOverride: keywords.has('override') || /^\/?hydra\//.test(path),
  })
}

/** `db@backup` as its group and its package. */
function parted(text: string): { readonly path: string; readonly own: string | undefined } {
  const at = text.indexOf('@')
  return at < 0 ? { path: text, own: undefined } : { path: text.slice(0, at), own: text.slice(at + 1) }
}
