import { readExpression } from '../../core/expression.js'
import type { CellValue, Column, Row } from './model.js'

export type Filter = (row: Row) => boolean

/** What makes a text an expression rather than words to look for. */
const isExpression = /[<>=!`?]|\b(?:in|and|or|not)\b/

/**
 * Reads what a person typed: an expression in the language of `where:` over everything that is known of a trial, with
 * names that it could not hold in backquotes (`` `test/loss` < 0.1 ``), or else words that a row must contain. A row that
 * lacks what the expression needs is left out.
 * @throws SpaceError, UnknownNameError in a sentence.
 */
export function readFilter(text: string, columns: readonly Column[]): Filter {
  const typed = text.trim()
  if (typed === '') return () => true
  if (!isExpression.test(typed)) return containing(typed.toLowerCase(), columns)
  const byName = new Map(columns.map((column) => [column.name, column]))
  const expression = readExpression(typed, (name) => (byName.has(name) ? 'any' : undefined), [...byName.keys()])
  if (expression.type !== 'boolean' && expression.type !== 'any')
    throw new Error(`a filter is true or false of a trial, as width < 8 is: ${typed}`)
  const named = expression.names.map((name) => byName.get(name)!)
  return (row) => {
    try {
      const values = Object.fromEntries(named.map(({ name, of }) => [name, of(row)]))
      return expression.evaluate(values) === true
    } catch {
      return false
    }
  }
}

function containing(words: string, columns: readonly Column[]): Filter {
  return (row) =>
    columns.some(({ of }) =>
      String(of(row) ?? '')
        .toLowerCase()
        .includes(words),
    )
}

/** The part of a filter that says what a brush over a column says; an end that is left out is open. */
export function writeRange(name: string, low: number | undefined, high: number | undefined): string {
  const parts = [
    ...(low === undefined ? [] : [`${writeName(name)} >= ${writeNumber(low)}`]),
    ...(high === undefined ? [] : [`${writeName(name)} <= ${writeNumber(high)}`]),
  ]
  return parts.join(' and ')
}

/** The part of a filter that leaves these of all values that there are; a text with both kinds of quotes can only be told by the others. */
export function writeChoice(name: string, values: readonly CellValue[], all: readonly CellValue[] = values): string {
  const listOf = (some: readonly CellValue[]): string =>
    `${writeName(name)} in [${some.map((value) => (typeof value === 'string' ? quoted(value) : String(value))).join(', ')}]`
  if (values.every(canBeWritten)) return listOf(values)
  const others = all.filter((value) => !values.includes(value))
  return `not (${listOf(others.filter(canBeWritten))}) and ${writeName(name)} != null`
}

const canBeWritten = (value: CellValue): boolean => !(typeof value === 'string' && /".*'|'.*"/su.test(value))
const quoted = (text: string): string => (text.includes('"') ? `'${text}'` : `"${text}"`)

export const writeName = (name: string): string =>
  /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*$/u.test(name) &&
  !/^(?:in|and|or|not|true|false|null)$/.test(name)
    ? name
    : `\`${name}\``

const writeNumber = (value: number): string => String(Number(value.toPrecision(4)))
