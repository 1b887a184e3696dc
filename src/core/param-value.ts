import type { ParamValue } from './trial.js'

/** A text that two values share exactly when they are the same: `1` and `"1"` are not. */
export function valueKey(value: ParamValue | undefined): string {
  return value === undefined ? '' : JSON.stringify(value)
}

/** Whether both are the same value: lists by what is in them. */
export function isSameValue(a: ParamValue | undefined, b: ParamValue | undefined): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && valueKey(a) === valueKey(b))
}

/** A value as a program reads it: a text as it is, a list as JSON, `null` as that word. */
export function wordOf(value: ParamValue): string {
  return typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/**
 * A value as `--set` takes it, and as it is shown wherever people read it: a text that would be taken for a number, a list
 * or the like stands in quotes. Nothing for a value that is not there.
 */
export function writeValue(value: ParamValue | undefined): string {
  if (value === undefined) return ''
  if (isList(value)) return `[${value.map(writeValue).join(',')}]`
  if (typeof value === 'string') return writeText(value)
  // Digits alone would be read as a text of them.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? (value as number).toExponential() : String(value)
}

function writeText(text: string): string {
  if (text === text.trim() && !/[,"'()[\]]|\.\./.test(text) && text !== '' && readWord(text) === text) return text
  const quote = text.includes('"') && !text.includes("'") ? "'" : '"'
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`
}

export function isList(value: unknown): value is readonly ParamValue[] {
  return Array.isArray(value)
}

/**
 * What a word without quotes means: a number, true or false, null, or that text, by the core schema of YAML 1.2. A whole
 * number of more digits than a double holds is a text of its digits.
 */
export function readWord(word: string): ParamValue {
  if (/^(?:null|Null|NULL|~)$/.test(word)) return null
  if (/^(?:true|True|TRUE)$/.test(word)) return true
  if (/^(?:false|False|FALSE)$/.test(word)) return false
  if (/^(?:[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+)$/.test(word)) {
    const isNegative = word.startsWith('-')
    const value = BigInt(isNegative ? word.slice(1) : word.replace(/^\+/, ''))
    return integerValue(isNegative ? -value : value)
  }
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(word)) return Number(word)
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(word)) return word.startsWith('-') ? -Infinity : Infinity
  if (/^\.(?:nan|NaN|NAN)$/.test(word)) return NaN
  return word
}

/** An integer as a number, or as a text of its digits where a number would lose some. */
export function integerValue(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

function textProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'has a character NUL, which no program can be given'
  return /\p{Surrogate}/u.test(text) ? 'has half of a character (a lone surrogate), which UTF-8 can not say' : undefined
}

/** Why it is no value of an axis, as the end of a sentence; `undefined` when it is one. */
export function valueProblem(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.map(valueProblem).find((problem) => problem !== undefined)
  if (value === null || typeof value === 'boolean') return undefined
  if (typeof value === 'string') return textProblem(value)
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : 'is not a finite number (for a text, put it in quotes)'
  return 'is not a value (a text, a number, true, false, null, or a list of those)'
}
