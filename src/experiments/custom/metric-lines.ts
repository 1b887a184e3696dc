import { isMapping } from '../../core/is-mapping.js'
/** How programs write metrics on one line: JSON, a dictionary of Python, or pairs such as `loss=0.5`. */

/** What one line tells. */
export interface Reading {
  /** What it is a report of, as it was written; absent where the line is a result. */
  readonly step?: number
  readonly metrics: readonly (readonly [name: string, value: number])[]
  /** What of it is no number. */
  readonly leftOut: readonly (readonly [name: string, value: unknown])[]
}

/** Names of what a report is of, the first that is there counts: a line's own, Ray's, and what most loops print. */
const stepNames = ['step', 'training_iteration', 'epoch'] as const
/** Of an object within an object, and so on. */
const maxDepth = 8
const maxMetrics = 1_000
/** Longer lines hold no pairs that a person reads. */
const maxPairsLength = 2_000
/** Of the names in a line that its pairs may begin with. */
const maxBeginnings = 8

/** The numbers of a line that ends with a JSON object or a dictionary of Python, whatever log prefix is before it. */
export function readJsonLine(line: string): Reading | undefined {
  if (!line.trimEnd().endsWith('}')) return undefined
  const begin = /\{\s*(?:["']|\}\s*$)/.exec(line)
  return begin === null ? undefined : readJson(line.slice(begin.index))
}

/** The numbers of a JSON object, or of a dictionary as Python prints it; those of objects within as `outer/inner`. */
export function readJson(text: string): Reading | undefined {
  const value = parseObject(text) ?? parseObject(asJson(text))
  if (value === undefined) return undefined
  const key = stepNames.find((name) => Object.hasOwn(value, name) && value[name] !== null)
  const step = key === undefined ? undefined : numberOf(value[key])
  const others = [...flatten(value)].filter(([name]) => step === undefined || name !== key)
  return reading(step, others)
}

/**
 * The numbers of a line of pairs, `loss=0.5 acc=0.9` or `loss: 0.5 (0.6), acc: 0.9`, after a log prefix or `epoch 3`, or in the
 * brackets of a progress bar; what parentheses after a value hold is passed over. Other words may follow where the line says a step,
 * else it is prose. Pairs in which `isParameter` are what the program was given, and no metrics.
 */
export function readPairs(line: string, isParameter: (name: string) => boolean): Reading | undefined {
  if (line.length > maxPairsLength) return undefined
  const begins = names(line).flatMap((begin) => {
    const prefix = line.slice(0, begin)
    const before = stepBefore.exec(prefix)
    // The dashes of an option are no log prefix.
    const isBegin = !prefix.endsWith('-') && (before !== null || logPrefix.test(prefix.trimEnd()))
    return isBegin ? [{ begin, prefix, step: before?.[1] }] : []
  })
  const tell = ({ step }: (typeof begins)[number], pairs: Pairs): Reading | undefined => {
    const told = pairs.filter(([name]) => !isParameter(name))
    return readNamed(step === undefined ? told : [...told, ['step', step]])
  }
  for (const one of begins) {
    const { pairs, isWhole } = pairsFrom(withoutClosing(line, one.prefix), one.begin)
    if (isWhole) return tell(one, pairs)
  }
  for (const one of begins) {
    const reading = tell(one, pairsFrom(line, one.begin).pairs)
    if (reading?.step !== undefined) return reading
  }
  return undefined
}

type Pairs = (readonly [name: string, value: string])[]

/** Where the first names before a `=` or a colon begin: a log prefix may end with a colon, so these come last. */
function names(line: string): number[] {
  return [/=/g, /:\s/g].flatMap((sign) =>
    [...line.matchAll(sign)].slice(0, maxBeginnings).flatMap(({ index }) => {
      const end = line.slice(0, index).trimEnd().length
      let begin = end
      while (begin > 0 && /[\p{L}\p{N}_./-]/u.test(line[begin - 1]!)) begin--
      while (begin < end && !/[\p{L}_]/u.test(line[begin]!)) begin++
      return begin < end ? begin : []
    }),
  )
}

/** The pairs of a line from there on, and whether they reach to its end. */
function pairsFrom(line: string, begin: number): { readonly pairs: Pairs; readonly isWhole: boolean } {
  const pairs: Pairs = []
  const pair = /([\p{L}_][\p{L}\p{N}_./-]*)\s*(?:=|:(?=\s))\s*("[^"]*"|[^\s,;|]+)(?:\s+\([^()]*\))?[\s,;|]*(?:-\s+)?/uy
  pair.lastIndex = begin
  while (pair.lastIndex < line.length) {
    const found = pair.exec(line)
    if (found === null) return { pairs, isWhole: false }
    pairs.push([found[1]!, found[2]!])
  }
  return { pairs, isWhole: true }
}

/** Without the bracket at its end that closes one before the pairs, as progress bars have it. */
function withoutClosing(line: string, prefix: string): string {
  const end = line.trimEnd()
  return end.endsWith(']') && prefix.lastIndexOf('[') > prefix.lastIndexOf(']') ? end.slice(0, -1) : line
}

const stepBefore = /\b(?:step|epoch|training_iteration)\s*[:#]?\s*\[?(\d+)(?:\s*\/\s*\d+)?\]?[\s:,|-]*$/i
const logPrefix = /^$|[\])>:|,;-]$|\b(?:DEBUG|INFO|NOTICE|WARN|WARNING)$|\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?$/

/** The numbers among texts by name. */
export function readNamed(texts: readonly (readonly [name: string, value: string])[]): Reading | undefined {
  const [step] = stepNames.flatMap((name) => texts.filter(([written]) => written.toLowerCase() === name))
  return reading(
    step === undefined ? undefined : numberOf(step[1]),
    texts.filter((text) => text !== step),
  )
}

function reading(step: number | undefined, values: Iterable<readonly [string, unknown]>): Reading | undefined {
  const metrics: [string, number][] = []
  const leftOut: (readonly [string, unknown])[] = []
  for (const [name, value] of values) {
    const number = metrics.length < maxMetrics ? numberOf(value) : undefined
    if (number === undefined) leftOut.push([name, value])
    else metrics.push([name, number])
  }
  return metrics.length === 0 ? undefined : { ...(step === undefined ? {} : { step }), metrics, leftOut }
}

const numeral = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const notFinite = /^([+-]?)(?:(nan)|inf(?:inity)?)$/i

/** A number, or a text of one. JSON has neither NaN nor infinities: JavaScript writes `null` for both, Python these words. */
function numberOf(value: unknown): number | undefined {
  if (value === null) return NaN
  if (typeof value !== 'string') return typeof value === 'number' ? value : undefined
  if (numeral.test(value)) return Number(value)
  const [, sign, isNaN] = notFinite.exec(value) ?? []
  return sign === undefined ? undefined : isNaN !== undefined ? NaN : sign === '-' ? -Infinity : Infinity
}

function* flatten(value: object, prefix = '', depth = 1): Generator<[string, unknown]> {
  for (const [name, inner] of Object.entries(value) as [string, unknown][]) {
    if (isMapping(inner) && depth < maxDepth) yield* flatten(inner, `${prefix}${name}/`, depth + 1)
    else yield [`${prefix}${name}`, inner]
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isMapping(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Texts and words of what is nearly JSON. A text that is not closed reaches to the end, so that none is looked for twice. */
const tokens = /"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[+-]?[A-Za-z_][\w.]*(?:\([^()]{0,99}\))?/g
const words: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null' }

/** What Python prints as JSON: its quotes and words, NaN and infinities, numbers of numpy and one-element tensors. */
function asJson(text: string): string {
  return text.replace(tokens, (token) => {
    if (token.startsWith('"')) return token
    if (token.startsWith("'")) return JSON.stringify(token.slice(1, -1).replace(/\\(.)/g, '$1'))
    if (notFinite.test(token)) return JSON.stringify(token)
    const wrapped = /\(\s*([^\s,)]+)\s*(?:,[^)]*)?\)$/.exec(token)?.[1]
    if (wrapped !== undefined && numberOf(wrapped) !== undefined) return JSON.stringify(wrapped)
    return Object.hasOwn(words, token) ? words[token]! : token
  })
}
