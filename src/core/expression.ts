import { SpaceError, UnknownNameError } from './errors.js'
import { valueKey, writeValue } from './param-value.js'
import type { Axis, Space } from './space.js'
import type { Params, ParamValue } from './trial.js'
import { lookUp } from './names.js'
import { parseExpression, type BinaryOperator, type Node } from './parse-expression.js'

/** A part of an expression comes to no finite number. */
export class NotFiniteError extends SpaceError {}

/** What an expression gives; `any` where that depends on the values of an axis that takes all kinds. */
export type ValueType = 'number' | 'text' | 'boolean' | 'list' | 'null' | 'any'

/** An expression over the axes of a point, checked before any point is looked at. */
export interface Expression {
  readonly type: ValueType
  /** The axes that it names. */
  readonly names: readonly string[]
  /** @throws SpaceError where a value is not of the kind that it takes, NotFiniteError. */
  evaluate(params: Params): ParamValue
}

/**
 * Reads an expression and checks its kinds; no code is made of it.
 * @param typeOf the kind of an axis, `undefined` for one that there is not; `known` are those there are.
 * @throws SpaceError, UnknownNameError.
 */
export function readExpression(
  text: string,
  typeOf: (name: string) => ValueType | undefined,
  known: readonly string[],
): Expression {
  const node = parseExpression(text)
  const names = [...new Set(namesIn(node))]
  const type = check(node, (name) => {
    const type = typeOf(name)
    if (type === undefined) throw new UnknownNameError('axis', name, known)
    return type
  })
  return { type, names, evaluate: (params) => oneZero(evaluate(node, params)) }
}

/** Reads an expression over the axes of a space. @throws as `readExpression`. */
export function expressionOver(space: Space, text: string): Expression {
  const typeOf = (name: string) => (Object.hasOwn(space, name) ? typeOfAxis(space[name]!) : undefined)
  return readExpression(text, typeOf, Object.keys(space))
}

/** The axes that an expression names. @throws SpaceError where it can't be read. */
export const axesNamed = (text: string): string[] => [...new Set(namesIn(parseExpression(text)))]

/** The kind of an axis's values. */
function typeOfAxis({ kind }: Axis): ValueType {
  return (
    { integer: 'number', number: 'number', choice: 'text', text: 'text', boolean: 'boolean', literal: 'any' } as const
  )[kind]
}

type NumberFunction = readonly [least: number, most: number, of: (...numbers: number[]) => number]
const functions: Readonly<Record<string, NumberFunction>> = {
  abs: [1, 1, Math.abs],
  ceil: [1, 1, Math.ceil],
  exp: [1, 1, Math.exp],
  floor: [1, 1, Math.floor],
  log: [1, 1, Math.log],
  log10: [1, 1, Math.log10],
  log2: [1, 1, Math.log2],
  max: [1, 20, Math.max],
  min: [1, 20, Math.min],
  // To the even of two that are equally near, as Python does.
  round: [1, 1, (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))],
  sqrt: [1, 1, Math.sqrt],
}

function namesIn(node: Node): string[] {
  switch (node.kind) {
    case 'value':
      return []
    case 'axis':
      return [node.name]
    case 'list':
      return node.items.flatMap(namesIn)
    case 'unary':
      return namesIn(node.operand)
    case 'binary':
      return [node.left, node.right].flatMap(namesIn)
    case 'choice':
      return [node.test, node.then, node.otherwise].flatMap(namesIn)
    case 'call':
      return node.args.flatMap(namesIn)
  }
}

const words: Readonly<Record<ValueType, string>> = {
  number: 'a number',
  text: 'a text',
  boolean: 'true or false',
  list: 'a list',
  null: 'null',
  any: 'anything',
}

function check(node: Node, typeOf: (name: string) => ValueType): ValueType {
  const of = (part: Node): ValueType => check(part, typeOf)
  const need = (part: Node, wanted: ValueType, by: string): void => {
    const found = of(part)
    if (found !== wanted && found !== 'any')
      throw new SpaceError(`${by} takes ${words[wanted]}: ${write(part)} is ${words[found]}`)
  }
  switch (node.kind) {
    case 'value':
      return typeOfValue(node.value)
    case 'axis':
      return typeOf(node.name)
    case 'list':
      node.items.forEach(of)
      return 'list'
    case 'unary': {
      const type = node.operator === 'not' ? 'boolean' : 'number'
      need(node.operand, type, node.operator)
      return type
    }
    case 'binary':
      return checkBinary(node, of, need)
    case 'choice': {
      need(node.test, 'boolean', '?')
      const [then, otherwise] = [of(node.then), of(node.otherwise)]
      return then === otherwise ? then : 'any'
    }
    case 'call': {
      const known = Object.hasOwn(functions, node.name) ? functions[node.name] : undefined
      if (known === undefined) throw new UnknownNameError('function', node.name, Object.keys(functions))
      const [least, most] = known
      if (node.args.length < least || node.args.length > most)
        throw new SpaceError(
          `${node.name} takes ${least === most ? `${least} number` : `${least} to ${most} numbers`}: ${node.args.length} given`,
        )
      for (const arg of node.args) need(arg, 'number', node.name)
      return 'number'
    }
  }
}

function checkBinary(
  { operator, left, right }: Extract<Node, { kind: 'binary' }>,
  of: (part: Node) => ValueType,
  need: (part: Node, wanted: ValueType, by: string) => void,
): ValueType {
  if (operator === 'and' || operator === 'or') {
    for (const part of [left, right]) need(part, 'boolean', operator)
    return 'boolean'
  }
  if (operator === 'in') {
    of(left)
    need(right, 'list', 'in')
    return 'boolean'
  }
  if (operator === '==' || operator === '!=') {
    const [a, b] = [of(left), of(right)]
    if (a !== b && ![a, b].some((type) => type === 'any' || type === 'null'))
      throw new SpaceError(`${operator} compares ${write(left)}, ${words[a]}, with ${write(right)}, ${words[b]}`)
    return 'boolean'
  }
  for (const part of [left, right]) need(part, 'number', operator)
  return ['<', '<=', '>', '>='].includes(operator) ? 'boolean' : 'number'
}

function typeOfValue(value: ParamValue): ValueType {
  if (value === null) return 'null'
  if (typeof value === 'object') return 'list'
  return ({ number: 'number', string: 'text', boolean: 'boolean' } as const)[
    typeof value as 'number' | 'string' | 'boolean'
  ]
}

/** As a person would have written it. */
function write(node: Node): string {
  switch (node.kind) {
    case 'value':
      return typeof node.value === 'string' ? JSON.stringify(node.value) : String(node.value)
    case 'axis':
      return /^[\p{L}_][\p{L}\p{N}_.]*$/u.test(node.name) ? node.name : `\`${node.name}\``
    case 'list':
      return `[${node.items.map(write).join(', ')}]`
    case 'unary':
      return node.operator === 'not' ? `not ${write(node.operand)}` : `-${write(node.operand)}`
    case 'binary':
      return `(${write(node.left)} ${node.operator} ${write(node.right)})`
    case 'choice':
      return `(${write(node.test)} ? ${write(node.then)} : ${write(node.otherwise)})`
    case 'call':
      return `${node.name}(${node.args.map(write).join(', ')})`
  }
}

function evaluate(node: Node, params: Params): ParamValue {
  const number = (part: Node, by: string): number => asKind(evaluate(part, params), 'number', part, by) as number
  const truth = (part: Node, by: string): boolean => asKind(evaluate(part, params), 'boolean', part, by) as boolean
  switch (node.kind) {
    case 'value':
      return node.value
    case 'axis':
      return lookUp(params, node.name)!
    case 'list':
      return node.items.map((item) => evaluate(item, params))
    case 'unary':
      return node.operator === 'not' ? !truth(node.operand, 'not') : -number(node.operand, '-')
    case 'choice':
      return evaluate(truth(node.test, '?') ? node.then : node.otherwise, params)
    case 'call':
      return finite(functions[node.name]![2](...node.args.map((arg) => number(arg, node.name))), node, params)
    case 'binary': {
      const { operator, left, right } = node
      if (operator === 'and') return truth(left, operator) && truth(right, operator)
      if (operator === 'or') return truth(left, operator) || truth(right, operator)
      if (operator === '==') return isEqual(evaluate(left, params), evaluate(right, params))
      if (operator === '!=') return !isEqual(evaluate(left, params), evaluate(right, params))
      if (operator === 'in') {
        const value = evaluate(left, params)
        const list = asKind(evaluate(right, params), 'list', right, operator) as readonly ParamValue[]
        return list.some((item) => isEqual(item, value))
      }
      return finite(arithmetic[operator](number(left, operator), number(right, operator)), node, params)
    }
  }
}

const arithmetic: Readonly<
  Record<Exclude<BinaryOperator, 'and' | 'or' | 'in' | '==' | '!='>, (a: number, b: number) => number | boolean>
> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  // The sign of the divisor, as in Python.
  '%': (a, b) => a - b * Math.floor(a / b),
  '**': (a, b) => a ** b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

const isEqual = (a: ParamValue, b: ParamValue): boolean => valueKey(a) === valueKey(b)

function asKind(value: ParamValue, wanted: ValueType, part: Node, by: string): ParamValue {
  if (typeOfValue(value) === wanted) return value
  throw new SpaceError(`${by} takes ${words[wanted]}: ${write(part)} is ${writeValue(value)}`)
}

/** There is one zero, as in every table. */
const oneZero = (value: ParamValue): ParamValue => (value === 0 ? 0 : value)

/** What a part comes to, also within a comparison: 1 / 0 is above no number. */
function finite<T extends number | boolean>(value: T, node: Node, params: Params): T {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  const names = [...new Set(namesIn(node))]
  const where = names.map((name) => `${write({ kind: 'axis', name })} = ${writeValue(lookUp(params, name))}`).join(', ')
  throw new NotFiniteError(
    `${withoutParentheses(node)}: it comes to ${value}, which is no finite number${where === '' ? '' : ` (where ${where})`}`,
  )
}

const withoutParentheses = (node: Node): string => (node.kind === 'binary' ? write(node).slice(1, -1) : write(node))
