import { resolve } from 'node:path'
import { SpaceError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { wordOf } from '../../core/param-value.js'
import type { Params } from '../../core/trial.js'
import { argsName, groupsOf, wordsFor } from './parameter-words.js'
import type { CommandDefinition } from './source.js'

/** Words as a shell splits them, with quotes and backslashes, and nothing else a shell does. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!
    if (quote !== undefined) {
      if (letter === quote) quote = undefined
      else if (letter === '\\' && quote === '"' && /["\\]/.test(line[i + 1] ?? '')) word += line[++i]!
      else word += letter
    } else if (letter === '"' || letter === "'") {
      quote = letter
      word ??= ''
    } else if (letter === '\\' && i + 1 < line.length) word = (word ?? '') + line[++i]!
    else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + letter
  }
  if (quote !== undefined) throw new SpaceError(`command: a ${quote} is not closed: ${line}`)
  return word === undefined ? words : [...words, word]
}

const name = '\\{([\\p{L}_][\\p{L}\\p{N}_.-]*)\\}'
const placeholder = new RegExp(name, 'gu')
const wholePlaceholder = new RegExp(`^${name}$`, 'u')
/** In a word that has `{{` somewhere: that is a brace, and so is `}}`. */
const placeholderOrBrace = new RegExp(`\\{\\{|\\}\\}|${name}`, 'gu')
/** What earlier versions took for a placeholder: they passed over names in other letters than these. */
export const asciiPlaceholder = /^[A-Za-z_][\w.-]*$/

/** Whether a word escapes braces: `{{print}}` is `{print}`, as in Python's formats. */
export const hasEscapes = (word: string): boolean => word.includes('{{')

const patternOf = (word: string, escapes: boolean): RegExp =>
  escapes && hasEscapes(word) ? placeholderOrBrace : placeholder

/** The names between braces, as often as they are there. */
export const namesIn = (words: readonly string[], escapes = false): string[] =>
  words.flatMap((word) => [...word.matchAll(patternOf(word, escapes))].flatMap(([, found]) => found ?? []))

/** All of a command that may have placeholders. */
export const templatesOf = ({ argv, env, workingFolder, escapes }: CommandDefinition): string[] => [
  ...argv,
  ...(escapes === true ? Object.values(env) : []),
  ...(workingFolder === undefined ? [] : [workingFolder]),
]

/**
 * The program's words with values in place: a value is part of one word, whatever is in it, a list as JSON. A word with a
 * value that is null is left out, and so is the option before a word that is nothing else (`--dropout {dropout}`).
 */
export function fillWords(argv: readonly string[], values: Params, escapes = false): string[] {
  const filled: string[] = []
  for (const [i, word] of argv.entries()) {
    if (namesIn([word], escapes).some((name) => lookUp(values, name) === null)) {
      const isOption = i > 1 && /^--?[^-\s{]/.test(argv[i - 1]!) && !/[={]/.test(argv[i - 1]!)
      if (isOption && wholePlaceholder.test(word)) filled.pop()
      continue
    }
    filled.push(
      word.replace(patternOf(word, escapes), (whole, name: string | undefined) => {
        if (name === undefined) return whole[0]!
        const value = lookUp(values, name)
        return value === undefined ? whole : wordOf(value)
      }),
    )
  }
  return filled
}

/** What stands for several words until all others have their values: no value can be it. */
const allWords = '\0'

/** A command with values in place; a variable of its environment with a value that is null is left out. */
export function fillCommand(
  definition: CommandDefinition,
  {
    params,
    folder,
    seed,
    parents = {},
  }: { readonly params: Params; readonly folder: string; readonly seed: number; readonly parents?: Params },
): { readonly argv: string[]; readonly env: Record<string, string>; readonly cwd: string } {
  const { argv, env, cwd, workingFolder, escapes } = definition
  const named = namesIn(templatesOf(definition), escapes)
  const values = { ...parents, folder, [argsName]: allWords, ...groupsOf(params, named), ...params, seed }
  const filledEnv = Object.entries(env).flatMap(([name, text]): [string, string][] =>
    fillWords([text], values, true).map((filled) => [name, filled]),
  )
  return {
    argv: fillWords(argv, values, escapes).flatMap((word) => (word === allWords ? wordsFor(params, named) : [word])),
    env: escapes === true ? Object.fromEntries(filledEnv) : { ...env },
    cwd: workingFolder === undefined ? cwd : resolve(cwd, fillWords([workingFolder], values, escapes)[0] ?? '.'),
  }
}
