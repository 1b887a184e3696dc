import { SpaceError } from './errors.js'
import type { ParamValue } from './trial.js'

/** An expression as it was understood. */
export type Node =
  | { readonly kind: 'value'; readonly value: ParamValue }
  | { readonly kind: 'axis'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node }
  | { readonly kind: 'choice'; readonly test: Node; readonly then: Node; readonly otherwise: Node }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] }

export type BinaryOperator = keyof typeof strengths

/** How strongly each binds, as in Python; `**` alone binds to the right. */
const strengths = {
  or: 1,
  and: 2,
  in: 4,
  '==': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
  '**': 8,
} as const
const notStrength = 3
const minusStrength = 7

interface Token {
  readonly text: string
  readonly kind: 'number' | 'text' | 'name' | 'quoted' | 'sign' | 'end'
  /** From 1. */
  readonly column: number
}

const tokenPattern =
  /\s*(?:(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?<text>"[^"]*"|'[^']*')|(?<name>[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)|(?<quoted>`[^`]+`)|(?<sign>\*\*|[<>=!]=|[-+*/%<>()[\],?:]))/uy

/** Longer ones belong into a program. */
export const maxExpressionLength = 1_000
const maxDepth = 50

/**
 * Reads an expression: numbers, quoted texts, `true`, `false`, `null`, names of axes (in backquotes where
 * they could not stand otherwise), lists, `+ - * / % **`, comparisons, `in`, `and`,
 * `or`, `not`, `test ? a : b`, and functions.
 * @throws SpaceError that says what was expected and where.
 */
export function parseExpression(text: string): Node {
  if (text.length > maxExpressionLength)
    throw new SpaceError(
      `an expression of ${text.length} characters (at most ${maxExpressionLength}): ${text.slice(0, 60)}…`,
    )
  return new Parser(text, tokensOf(text)).whole()
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  const end = text.trimEnd().length
  while (tokenPattern.lastIndex < end) {
    const from = tokenPattern.lastIndex
    const groups = tokenPattern.exec(text)?.groups
    if (groups === undefined) throw misread(text, from + /^\s*/.exec(text.slice(from))![0].length + 1, 'not understood')
    const [kind, found] = Object.entries(groups).find(([, part]) => part !== undefined) as [Token['kind'], string]
    tokens.push({ kind, text: found, column: tokenPattern.lastIndex - found.length + 1 })
  }
  return [...tokens, { kind: 'end', text: 'its end', column: end + 1 }]
}

const misread = (text: string, column: number, what: string): SpaceError =>
  new SpaceError(`${what}: ${text.slice(column - 1, column + 19) || 'the end'} (character ${column} of: ${text})`)

class Parser {
  #at = 0
  #depth = 0

  constructor(
    private readonly text: string,
    private readonly tokens: readonly Token[],
  ) {}

  whole(): Node {
    const node = this.#expression()
    if (this.#next.kind !== 'end') throw this.#unexpected('an operator')
    return node
  }

  get #next(): Token {
    return this.tokens[this.#at]!
  }

  #take(): Token {
    return this.tokens[this.#at++]!
  }

  #takes(sign: string): boolean {
    const isNext = this.#next.text === sign && !isQuoted(this.#next)
    if (isNext) this.#at++
    return isNext
  }

  #require(sign: string): void {
    if (!this.#takes(sign)) throw this.#unexpected(sign)
  }

  #unexpected(expected: string): SpaceError {
    return misread(this.text, this.#next.column, `${expected} was expected`)
  }

  #expression(): Node {
    if (++this.#depth > maxDepth) throw misread(this.text, this.#next.column, `more than ${maxDepth} levels deep`)
    const test = this.#operation(0)
    const node = this.#takes('?') ? this.#choice(test) : test
    this.#depth--
    return node
  }

  #choice(test: Node): Node {
    const then = this.#expression()
    this.#require(':')
    return { kind: 'choice', test, then, otherwise: this.#expression() }
  }

  /** Operators that bind more strongly than `above`. */
  #operation(above: number): Node {
    let left = this.#operand()
    for (;;) {
      const operator = this.#binaryOperator()
      if (operator === undefined || strengths[operator] <= above) return left
      this.#at++
      const right = this.#operation(operator === '**' ? minusStrength - 1 : strengths[operator])
      if (isComparison(operator) && isComparison(this.#binaryOperator()))
        throw misread(this.text, this.#next.column, 'comparisons are not chained (write: a < b and b < c)')
      left = { kind: 'binary', operator, left, right }
    }
  }

  #binaryOperator(): BinaryOperator | undefined {
    const { text } = this.#next
    return !isQuoted(this.#next) && Object.hasOwn(strengths, text) ? (text as BinaryOperator) : undefined
  }

  #operand(): Node {
    if (this.#next.kind === 'name' && this.#takes('not'))
      return { kind: 'unary', operator: 'not', operand: this.#operation(notStrength) }
    if (this.#takes('-')) return { kind: 'unary', operator: '-', operand: this.#operation(minusStrength) }
    if (this.#takes('(')) {
      const node = this.#expression()
      this.#require(')')
      return node
    }
    if (this.#takes('[')) return { kind: 'list', items: this.#upTo(']') }
    const { kind, text } = this.#next
    if (kind === 'number') return this.#value(Number(text))
    if (kind === 'text') return this.#value(text.slice(1, -1))
    if (kind === 'quoted') {
      this.#at++
      return { kind: 'axis', name: text.slice(1, -1) }
    }
    if (kind !== 'name' || this.#binaryOperator() !== undefined) throw this.#unexpected('a value')
    return this.#named()
  }

  #value(value: ParamValue): Node {
    this.#at++
    return { kind: 'value', value }
  }

  #named(): Node {
    const name = this.#take().text
    if (name === 'true' || name === 'false') return { kind: 'value', value: name === 'true' }
    if (name === 'null') return { kind: 'value', value: null }
    return this.#takes('(') ? { kind: 'call', name, args: this.#upTo(')') } : { kind: 'axis', name }
  }

  /** Expressions between commas. */
  #upTo(end: string): Node[] {
    const nodes: Node[] = []
    if (this.#takes(end)) return nodes
    do nodes.push(this.#expression())
    while (this.#takes(','))
    this.#require(end)
    return nodes
  }
}

/** Whether it means what it says, whatever words stand in it. */
const isQuoted = ({ kind }: Token): boolean => kind === 'text' || kind === 'quoted'

const isComparison = (operator: BinaryOperator | undefined): boolean =>
  operator !== undefined && strengths[operator] === strengths['==']
