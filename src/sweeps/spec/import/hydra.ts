import { SpaceError } from '../../../core/errors.js'
import { integerValue, valueProblem } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { expandValues } from '../values.js'
import type { HydraConfigs } from './hydra-folder.js'
import { sweepOfConfigs, type Override } from './hydra-sweep.js'
import { asAxis, AxisNames, type Imported } from './imported.js'

/**
 * Hydra's multirun overrides (`lr=1e-3,1e-2 seed=range(5) model=choice(a,b)`; basic and sweep syntax of Hydra 1.3) as a
 * sweep file; `program` is what Hydra ran, where the line itself does not say it. The overrides are words as a shell has parted them, or one text. With its configs
 * the sweep that they hold is taken in, and what Hydra would refuse is told.
 * @throws SpaceError when a word is no override, or the configs do not go together.
 */
export function importHydra(line: string | readonly string[], program: string, from?: HydraConfigs): Imported {
  const typed = readTypedLine(line, program)
  const given = typed.overrides.filter((word) => word !== '-m' && word !== '--multirun').map(parseOverride)
  const held = from === undefined ? undefined : sweepOfConfigs(from, given, parseOverride)
  const leftOut: string[] = [...(held?.leftOut ?? [])]
  const found = new Map<string, readonly ParamValue[]>()
  const words: string[] = [...(from?.words ?? [])]
  const names = new AxisNames()
  for (const { word, sign, name, values: read } of held?.overrides ?? given) {
    // What Hydra does itself, such as launching, is no parameter of the program.
    const isHydras = /^hydra[./]/.test(name)
    const values = sign === '~' || isHydras ? undefined : read
    // What is taken out is so in every trial.
    if (sign === '~' && !isHydras && !/[{}]/.test(word)) {
      words.push(word)
      continue
    }
    if (values === undefined || values.some((value) => valueProblem(value) !== undefined)) {
      leftOut.push(word)
      continue
    }
    // Names of axes have no dots or signs; the program still gets Hydra's own.
    const axis = names.of(name)
    found.set(axis, values)
    const placeholder = `{${axis}}`
    words.push(`${sign}${name}=${needsQuotes(values) ? `'${placeholder}'` : placeholder}`)
    if (values.some((value) => typeof value === 'string' && mustQuote(value)) && !needsQuotes(values))
      leftOut.push(
        `${word} (Hydra itself would read some of these texts as something else: quote them in the program's word)`,
      )
  }
  const axes = Object.fromEntries([...found].map(([axis, values]) => [axis, asAxis(values)]))
  const { seed: _, ...others } = axes
  const seed = found.get('seed')
  const isSeeds = seed?.every((value) => Number.isSafeInteger(value) && (value as number) >= 0) === true
  return {
    spec: {
      experiment: {
        command: [...typed.program, ...words, ...(held?.words ?? [])],
        ...(Object.keys(typed.env).length === 0 ? {} : { env: typed.env }),
        ...(from === undefined ? {} : { code: from.code }),
      },
      axes: isSeeds ? others : axes,
      ...(isSeeds ? { seeds: seed } : {}),
    },
    leftOut,
    taken: held?.taken ?? [],
  }
}

/** A line as it was typed at a shell, parted. */
export interface TypedLine {
  /** The program with what is before it, such as `python -u train.py`. */
  readonly program: readonly string[]
  /** The file of it that decides where relative folders of configs are; of a module none. */
  readonly script: string | undefined
  /** Variables that it was given, as a command's `env` has them. */
  readonly env: Readonly<Record<string, string>>
  readonly overrides: readonly string[]
}

/**
 * `CUDA_VISIBLE_DEVICES=0 python train.py -m 'lr=1,2'` as its parts. A line without a program has `program`.
 * @param line words, or one text.
 */
export function readTypedLine(line: string | readonly string[], program: string): TypedLine {
  const words = typeof line === 'string' ? splitOverrides(line).map(withoutShellQuotes) : line
  const begin = words.findIndex((word) => isInterpreter.test(word) || isScript.test(word))
  const variables = words.slice(0, Math.max(0, begin)).map((word) => /^([A-Za-z_]\w*)=(.*)$/s.exec(word))
  if (begin < 0 || variables.includes(null))
    return { program: ['python', program], script: program, env: {}, overrides: words }
  const env = Object.fromEntries(
    variables.map((variable) => [variable![1]!, variable![2]!.replaceAll(/[{}]/g, '$&$&')]),
  )
  const script = words.findIndex((word, i) => i >= begin && isScript.test(word))
  const module = words.findIndex((word, i) => i > begin && words[i - 1] === '-m' && /^[\w.]+$/.test(word))
  const isModule = module >= 0 && (script < 0 || module < script)
  const end = isModule ? module : script
  if (end < 0) return { program: ['python', program], script: program, env, overrides: words.slice(begin + 1) }
  return {
    program: [...(begin === end && !words[end]!.includes('/') ? ['python'] : []), ...words.slice(begin, end + 1)],
    script: isModule ? undefined : words[script]!,
    env,
    overrides: words.slice(end + 1),
  }
}

const isInterpreter = /^(?:[^=]*\/)?(?:python|pypy)[\d.]*$/
const isScript = /^[^=]+\.py$/

/** A word that the shell would take out of its quotes. */
const withoutShellQuotes = (word: string): string => /^(['"])(\+{0,2}[\w.@/:-]+=.*)\1$/s.exec(word)?.[2] ?? word

/** @throws SpaceError for a word that is none. */
function parseOverride(word: string): Override {
  const [, sign, name, raw] = /^(\+{0,2}|~)([\w.@/:-]+)(?:=([\s\S]*))?$/.exec(word) ?? []
  if (name === undefined) throw new SpaceError(`not a Hydra override: ${word} (such as lr=1e-3,1e-2)`)
  return {
    word,
    sign: sign as Override['sign'],
    name,
    raw,
    values: raw === undefined ? undefined : valuesOf(name, raw),
  }
}

/** Values of a sweep override, or undefined for what needs Hydra itself (interpolation, tags, shuffling, mappings). */
function valuesOf(name: string, raw: string): ParamValue[] | undefined {
  if (isInterpolated(raw) || /^(?!choice\(|range\()[A-Za-z_]\w*\(/.test(raw) || !isClosed(raw)) return undefined
  // Quotes make letters of braces and words, and a backslash makes letters of an interpolation.
  if (/\{|shuffle/.test(raw.replaceAll(/\\\$\{[^{}]*\}/g, '').replaceAll(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/gs, '')))
    return undefined
  const range = /^range\((.*)\)$/.exec(raw)
  if (range !== null) {
    if (/=/.test(range[1]!)) return undefined
    return expandValues(name, raw) as ParamValue[]
  }
  const choice = /^choice\((.*)\)$/.exec(raw)
  const parts = splitOutside(choice?.[1] ?? raw, ',').map((value) => value.trim())
  return parts.length > 1 && parts.includes('') ? undefined : parts.map(valueOf)
}

/** Whether brackets and quotes have their others: Hydra reads nothing else. */
function isClosed(text: string): boolean {
  const open: string[] = []
  for (const [part] of text.matchAll(/\\.|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[([{)\]}'"]/gs)) {
    if (part === "'" || part === '"') return false
    if ('([{'.includes(part)) open.push(part)
    else if (')]}'.includes(part) && open.pop() !== '([{'[')]}'.indexOf(part)]) return false
  }
  return open.length === 0
}

const isQuoted = (part: string): boolean => /^(['"])[\s\S]*\1$/.test(part)

/** One value by Hydra's grammar (OverrideParser.g4): quotes make a text, brackets a list. */
function valueOf(part: string): ParamValue {
  if (isQuoted(part))
    return withoutEscapes(part.slice(1, -1).replaceAll(part.startsWith("'") ? /\\+(?='|$)/g : /\\+(?="|$)/g, halved))
  if (part.startsWith('[') && part.endsWith(']')) {
    const items = splitOutside(part.slice(1, -1), ',').map((item) => item.trim())
    return items.length === 1 && items[0] === '' ? [] : items.map(valueOf)
  }
  if (/^null$/i.test(part)) return null
  if (/^(?:true|false)$/i.test(part)) return part.toLowerCase() === 'true'
  const number = part.replaceAll(/(?<=\d)_(?=\d)/g, '')
  if (/^[-+]?(?:0|[1-9]\d*)$/.test(number)) return integerValue(BigInt(number.replace(/^\+/, '')))
  if (/^[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?$/i.test(number)) return Number(number)
  return withoutEscapes(part.replaceAll(/\\([\\()[\]{}:=, \t])/g, '$1'))
}

/** Whether OmegaConf would put something in the place of a part, in quotes as well: `${` after an even number of backslashes. */
const isInterpolated = (text: string): boolean => /(?<!\\)(?:\\\\)*\$\{/.test(text)

/** The text that OmegaConf makes of one with `\${`, which is `${` as it stands. */
const withoutEscapes = (text: string): string => text.replaceAll(/\\+(?=\$\{)/g, halved)

/** Before a quote or an interpolation two backslashes are one, and one alone makes a letter of what follows. */
const halved = (run: string): string => '\\'.repeat(Math.floor(run.length / 2))

/** A text that Hydra would take for another value, or for several. */
const mustQuote = (text: string): boolean => text === '' || valueOf(text) !== text || /[,'"()[\]{}:=\s$\\]/.test(text)

/** Quotes around the word do where every value is a text and none has a quote, an interpolation or a backslash at its end. */
function needsQuotes(values: readonly ParamValue[]): boolean {
  const texts = values.filter((value) => typeof value === 'string')
  return texts.length === values.length && texts.some(mustQuote) && !texts.some((text) => /'|\$\{|\\$/.test(text))
}

function splitOverrides(text: string): string[] {
  return splitOutside(text, ' ').filter((word) => word !== '')
}

/** Split where the separator lies outside brackets and quotes. */
function splitOutside(text: string, separator: string): string[] {
  const parts = ['']
  let depth = 0
  let quote: string | undefined
  let escaped = false
  for (const letter of text) {
    const isEscaped: boolean = escaped
    escaped = letter === '\\' && !isEscaped
    if (isEscaped) {
      // A letter like any other.
    } else if (quote !== undefined) quote = letter === quote ? undefined : quote
    else if (letter === '"' || letter === "'") quote = letter
    else if ('([{'.includes(letter)) depth++
    else if (')]}'.includes(letter)) depth--
    if (letter === separator && depth === 0 && quote === undefined && !isEscaped) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts
}
