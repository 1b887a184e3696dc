/** Characters that are written at once. */
const blockLength = 1 << 20

/**
 * Writes a value as JSON, indented by two, and a line's end: block by block, since all of a sweep of a million trials is
 * longer than the longest string.
 */
export function printJson(value: unknown, output: NodeJS.WriteStream): void {
  let block = ''
  for (const part of jsonParts(value)) {
    block += part
    if (block.length < blockLength) continue
    output.write(block)
    block = ''
    // Nobody reads on.
    if (!output.writable) return
  }
  output.write(`${block}\n`)
}

/** Lists in a command's result are no deeper than this. */
const maxDepth = 2

/** The text of `JSON.stringify(value, null, 2)` in parts, none of which holds all of a list near the top. */
export function* jsonParts(value: unknown, depth = 0): Generator<string> {
  const inner = '  '.repeat(depth + 1)
  if (depth < maxDepth && Array.isArray(value) && value.length > 0) {
    for (const [i, item] of value.entries()) {
      yield `${i === 0 ? '[' : ','}\n${inner}`
      yield* jsonParts(item, depth + 1)
    }
    yield `\n${inner.slice(2)}]`
    return
  }
  if (depth < maxDepth && isPlain(value)) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    for (const [i, [name, member]] of members.entries()) {
      yield `${i === 0 ? '{' : ','}\n${inner}${JSON.stringify(name)}: `
      yield* jsonParts(member, depth + 1)
    }
    yield members.length === 0 ? '{}' : `\n${inner.slice(2)}}`
    return
  }
  // In JSON a line ends only where it was indented.
  const text = (JSON.stringify(value, null, 2) as string | undefined) ?? 'null'
  yield text.replaceAll('\n', `\n${inner.slice(2)}`)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('toJSON' in value)
}
