import { isMap, isScalar, isSeq, visit, type Node, type Pair } from 'yaml'
import { SpecError } from '../../core/errors.js'
import type { Source } from './sources.js'

/** Keys under which values of axes stand. */
const keys = ['axes', 'zip', 'points', 'around', 'blocks', 'search']

/**
 * In `{x: linspace(-2, 2, 60)}` and `[linspace(-2, 2, 60)]` YAML takes the commas for its own, and three things are left of one.
 * @throws SpecError at the place of such a text, with the text as it must be written.
 */
export function refuseParted({ document, at }: Source): void {
  for (const key of keys) {
    const node = document.get(key, true) as Node | undefined
    if (node === undefined) continue
    visit(node, {
      Map: (_, { flow, items }) => {
        if (flow === true) refuseInMapping(items, at)
      },
      Seq: (_, { flow, items }) => {
        if (flow === true) refuseInList(items, at)
      },
    })
  }
}

function refuseInMapping(items: readonly Pair[], at: Source['at']): void {
  const cut = items.findIndex(({ value }) => value === null)
  if (cut < 1) return
  let begin = cut
  while (items[begin]!.value === null && begin > 0) begin--
  const { key, value } = items[begin]!
  if (value === null || isMap(value) || isSeq(value)) return
  let end = cut
  while (items[end + 1]?.value === null) end++
  const parts = [value, ...items.slice(begin + 1, end + 1).map((item) => item.key)]
  refuse(at(value), parts.map(sourceText).join(', '), `${sourceText(key)}: `)
}

function refuseInList(items: readonly unknown[], at: Source['at']): void {
  const begin = items.findIndex((item) => isPlain(item) && /^[a-z]+\([^)]*$/.test(item.source))
  const end = items.findIndex((item, i) => i > begin && isPlain(item) && /^[^(]*\)$/.test(item.source))
  if (begin >= 0 && end > begin)
    refuse(
      at(items[begin]),
      items
        .slice(begin, end + 1)
        .map(sourceText)
        .join(', '),
      '',
    )
}

/** A scalar without quotes. */
const isPlain = (node: unknown): node is { readonly source: string } =>
  isScalar(node) && node.type === 'PLAIN' && node.source !== undefined

const sourceText = (node: unknown): string => (isScalar(node) ? (node.source ?? String(node.value)) : String(node))

function refuse(place: string, whole: string, key: string): never {
  throw new SpecError(place, `${key}${whole}: between { } or [ ] YAML parts this at its commas`, {
    hint: `put it in quotes: ${key}'${whole.replaceAll("'", "''")}'`,
  })
}
