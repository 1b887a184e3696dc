import { isAlias, isMap, isScalar, isSeq, visit, type Document, type Pair, type YAMLMap } from 'yaml'
import { SpecError } from '../../core/errors.js'

/** Merged pairs of one file; more are a file that grows without bound. */
const maxPairs = 10_000

/**
 * Puts what `<<` names in its place (YAML 1.1 merge keys): a mapping, or several, of which the first counts; what the mapping says
 * itself counts before them. Merged nodes keep the places where they are written.
 * @throws SpecError at what is no mapping.
 */
export function resolveMergeKeys(document: Document | Document.Parsed, at: (node: unknown) => string): void {
  let pairs = 0
  const merged = (map: YAMLMap, above: readonly YAMLMap[]): Pair[] => {
    const own = map.items.filter((pair) => !isMergeKey(pair))
    const names = new Set(own.map(nameOf))
    const more = map.items.filter(isMergeKey).flatMap((pair) => sourcesOf(pair, document, at))
    const taken = more.flatMap((source) => {
      if (above.includes(source)) throw new SpecError(at(map), '<<: the mapping is part of itself')
      return merged(source, [...above, source]).filter((pair) => {
        const isNew = !names.has(nameOf(pair))
        names.add(nameOf(pair))
        return isNew
      })
    })
    pairs += taken.length
    if (pairs > maxPairs) throw new SpecError(at(map), `<<: more than ${maxPairs} merged keys`)
    return [...taken, ...own]
  }
  visit(document, {
    Map(_, map) {
      if (map.items.some(isMergeKey)) map.items = merged(map, [map])
    },
  })
}

const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : '')
const isMergeKey = (pair: Pair): boolean => isScalar(pair.key) && pair.key.value === '<<'

function sourcesOf(
  { key, value }: Pair,
  document: Document | Document.Parsed,
  at: (node: unknown) => string,
): YAMLMap[] {
  const nodes = isSeq(value) ? value.items : [value]
  return nodes.map((node) => {
    const source = isAlias(node) ? node.resolve(document) : node
    if (!isMap(source))
      throw new SpecError(at(node ?? key), '<<: names a mapping (such as <<: *base), or a list of them')
    return source
  })
}
