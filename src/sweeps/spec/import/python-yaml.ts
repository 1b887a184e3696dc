import { parseDocument, visit } from 'yaml'
import { integerValue } from '../../../core/param-value.js'
import { plainNumbers } from '../plain-numbers.js'

/**
 * YAML as PyYAML's `safe_load` reads it, which takes the words of YAML 1.1: `yes`, `on` and `True` are true, `010` is 8, `1_000` is 1000.
 * A number such as `1e-3`, which is a text there, is a number, and integers that a double can't hold are texts of their digits.
 * @throws Error with the parser's message for what is no YAML.
 */
export function readPythonYaml(text: string): unknown {
  const document = parseDocument(text, { intAsBigInt: true, merge: true, prettyErrors: false })
  // PyYAML reads no tag that it does not know.
  const broken = document.errors[0] ?? document.warnings[0]
  if (broken !== undefined) throw broken
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || node.type !== 'PLAIN' || node.source === undefined) return
      const value = pythonWord(node.source)
      if (value !== undefined) node.value = value
    },
  })
  return plainNumbers(document.toJS(), integerValue)
}

/** What a plain word is in YAML 1.1 where that of 1.2 is something else. */
function pythonWord(word: string): boolean | bigint | number | string | undefined {
  if (/^(?:yes|Yes|YES|on|On|ON)$/.test(word)) return true
  if (/^(?:no|No|NO|off|Off|OFF)$/.test(word)) return false
  // YAML 1.2 alone takes these for numbers.
  if (/^[-+]?0(?:o[0-7]+|\d*[89]\d*)$/.test(word)) return word
  const [, sign = '', digits = ''] = /^([-+]?)(\d[\w.:+-]*)$/.exec(word) ?? []
  const plain = digits.replaceAll('_', '')
  if (/^(?:0b[01]+|0x[\da-fA-F]+)$/.test(plain)) return signed(sign, BigInt(plain))
  if (/^0[0-7]+$/.test(plain)) return signed(sign, BigInt(`0o${plain.slice(1)}`))
  if (/^[1-9]\d*(?::[0-5]?\d)+$/.test(plain))
    return signed(
      sign,
      plain.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n),
    )
  if (!digits.includes('_')) return undefined
  if (/^(?:0|[1-9]\d*)$/.test(plain)) return signed(sign, BigInt(plain))
  return /^\d+\.\d*(?:[eE][-+]\d+)?$/.test(plain) ? Number(`${sign}${plain}`) : undefined
}

const signed = (sign: string, value: bigint): bigint => (sign === '-' ? -value : value)

/** A value as Python's `str` writes it, where mlds would write it otherwise: `True`, `None`, `[True, 'a']`; a list of numbers stays one. */
export function asPythonWrites(value: unknown): unknown {
  if (typeof value === 'boolean' || value === null) return repr(value)
  return Array.isArray(value) && !value.every((item) => typeof item === 'number') ? repr(value) : value
}

function repr(value: unknown): string {
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null) return 'None'
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (typeof value !== 'string') return JSON.stringify(value)
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  return `${quote}${value.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`).replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r')}${quote}`
}
