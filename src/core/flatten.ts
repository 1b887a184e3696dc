import { SpaceError } from './errors.js'
import { isMapping } from './is-mapping.js'

type Mapping = Readonly<Record<string, unknown>>
const maxDepth = 16

/**
 * Parameters within parameters by their names with dots between: `{model: {layers: 2}}` is `{'model.layers': 2}`.
 * @param isLeaf what mapping is itself what is said of a parameter. Default: none is.
 * @throws SpaceError for a name that comes twice, or 17 within each other.
 */
export function flatten(where: string, raw: Mapping, isLeaf: (value: Mapping) => boolean = () => false): Mapping {
  const found = new Map<string, unknown>()
  const add = (name: string, value: unknown, depth: number): void => {
    if (depth > maxDepth)
      throw new SpaceError(`${where}: ${name.slice(0, 80)}…: more than ${maxDepth} within each other`)
    if (isMapping(value) && Object.keys(value).length > 0 && !isLeaf(value))
      for (const [inner, one] of Object.entries(value)) add(`${name}.${inner}`, one, depth + 1)
    else if (found.has(name)) throw new SpaceError(`${where}: ${name} is there twice`)
    else found.set(name, value)
  }
  for (const [name, value] of Object.entries(raw)) add(name, value, 1)
  return Object.fromEntries(found)
}
