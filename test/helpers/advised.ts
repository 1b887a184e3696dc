import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** A value that is known only when the text is printed. */
const unknown = '⟪⟫'

interface Flag {
  readonly char?: string
  readonly type: 'boolean' | 'option'
  readonly required?: boolean
  readonly multiple?: boolean
  readonly options?: readonly string[]
  readonly exclusive?: readonly string[]
  readonly dependsOn?: readonly string[]
}

interface Command {
  readonly args: Readonly<Record<string, { readonly required?: boolean; readonly options?: readonly string[] }>>
  readonly flags: Readonly<Record<string, Flag>>
  readonly strict?: boolean
  readonly storeUse?: string
}

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../oclif.manifest.json'), 'utf8')) as {
  readonly commands: Readonly<Record<string, Command>>
}

/** The commands of mlds as they are typed, such as `nats up`. */
export const commands = new Map(Object.entries(manifest.commands).map(([id, one]) => [id.replaceAll(':', ' '), one]))
const topics = new Set([...commands.keys()].flatMap((name) => (name.includes(' ') ? [name.split(' ')[0]!] : [])))
const everywhere: Readonly<Record<string, Flag>> = { help: { char: 'h', type: 'boolean' } }

/** Every text of a TypeScript file that a person may come to read, with `⟪⟫` for each value in it. */
export function textsOf(file: string): string[] {
  const texts: string[] = []
  const visit = (node: ts.Node): void => {
    const text = ts.isLiteralTypeNode(node) ? undefined : textOf(node)
    if (text !== undefined) texts.push(text.replaceAll('<%= config.bin %>', 'mlds'))
    if (ts.isLiteralTypeNode(node) || ts.isImportDeclaration(node)) return
    // The parts of a sum are part of its text already; what is between `${` and `}` has texts of its own.
    if (text === undefined || ts.isTemplateExpression(node)) ts.forEachChild(node, visit)
    else if (ts.isBinaryExpression(node)) valuesOf(node).forEach(visit)
  }
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest))
  return texts
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => unknown + literal.text).join('')
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return undefined
  const [left, right] = [textOf(node.left), textOf(node.right)]
  return left === undefined && right === undefined ? undefined : (left ?? unknown) + (right ?? unknown)
}

/** What a sum of texts adds that is no plain text. */
function valuesOf(node: ts.BinaryExpression): ts.Node[] {
  return [node.left, node.right].flatMap((side) =>
    ts.isStringLiteralLike(side)
      ? []
      : ts.isBinaryExpression(side) && textOf(side) !== undefined
        ? valuesOf(side)
        : [side],
  )
}

/** The code of a Markdown page: what stands between backticks, and each line of a block for a shell without its comment. */
export function codeOf(page: string): string[] {
  const blocks = [...page.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
  const lines = blocks.flatMap(([, language, block]) =>
    language === 'sh' || language === 'console' ? block!.split('\n').map((line) => line.replace(/\s+#.*$/, '')) : [],
  )
  const prose = page.replaceAll(/^```[^]*?^```$/gm, '')
  return [...lines, ...[...prose.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replaceAll(/\s+/g, ' '))]
}

/** What follows `mlds` in a text, up to the end of its line. */
export function mentionsIn(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const starts = [...line.matchAll(/(?<![\w.\/-]|complete -c )mlds (?=\S)/g)].map(({ index }) => index)
    return starts.map((start, i) => line.slice(start + 'mlds '.length, starts[i + 1]))
  })
}

/** Whether the word after `mlds` makes it a command. */
export function isCommand(mention: string): boolean {
  const [word] = mention.split(/[\s,;:)`]/)
  if (/^(--help|--version|-h|-v|COMMAND|⟪⟫.*)$/.test(word!)) return true
  return word!.split(/\\?\|/).every((one) => commands.has(one) || topics.has(one))
}

/** What is wrong with a command that a text advises; empty for one that can be typed. */
export function faultsOf(mention: string): string[] {
  if (/^(-|COMMAND|⟪⟫)/.test(mention)) return []
  return alternatives(wordsOf(mention)).flatMap(faultsOfWords)
}

/** Whether a text only names a command. */
export function isName(mention: string): boolean {
  return commands.has(mention)
}

/** The words of a command, up to where the sentence around it goes on. */
function wordsOf(mention: string): string[] {
  const words: string[] = []
  for (const [, raw] of mention.replaceAll(/[[\]]/g, '').matchAll(/("[^"]*"|'[^']*'|\S+)/g)) {
    if (/^[|>#(]$/.test(raw!)) break
    const word = /^["']/.test(raw!) ? raw! : raw!.replace(/[,;:).`"]+$/, '')
    const isPartOfName = words.length === 0 || (words.length === 1 && topics.has(words[0]!))
    if (!isPartOfName && !wantsValue(words) && !looksTyped(word)) break
    words.push(word)
    if (word !== raw) break
  }
  return words
}

/** Whether the last word is a flag that takes what follows. */
function wantsValue(words: readonly string[]): boolean {
  const { flags = {} } = commands.get(words[0]!) ?? commands.get(words.slice(0, 2).join(' ')) ?? {}
  const last = words.at(-1)!
  return Object.entries(flags).some(
    ([long, { char, type }]) => type === 'option' && (last === `--${long}` || last === `-${char}`),
  )
}

function looksTyped(word: string): boolean {
  return (
    /^-{1,2}[a-z]|^["']|^…$|⟪⟫|^\.\/|=|:\/\//.test(word) ||
    /^[A-Z]+(-[A-Z]+)*…?(\\?\||$)/.test(word) ||
    /\.\w+$|^\d|^[a-z]+-\d+$/.test(word) ||
    /^(latest|params|interpolate|mnist|cifar10|all|bash|zsh|fish|csv|jsonl|mlruns|missing|dead|failed|cancelled)(\\?\||,|-|$)/.test(
      word,
    )
  )
}

/** `figure\|report --from URL` stands for two commands. */
function alternatives(words: readonly string[]): string[][] {
  return words.reduce<string[][]>(
    (ways, word) => word.split(/\\?\|/).flatMap((one) => ways.map((way) => [...way, one])),
    [[]],
  )
}

function faultsOfWords(words: readonly string[]): string[] {
  const length = commands.has(words.slice(0, 2).join(' ')) ? 2 : 1
  const name = words.slice(0, length).join(' ')
  const command = commands.get(name)
  if (command === undefined) return topics.has(name) && words.length === 1 ? [] : [`there is no command ${name}`]
  const flags = { ...command.flags, ...everywhere }
  const [given, faults, args] = [new Set<string>(), [] as string[], [] as string[]]
  const rest = words.slice(length)
  while (rest.length > 0) {
    const word = rest.shift()!
    if (!/^-{1,2}[a-z]/i.test(word)) {
      args.push(word)
      continue
    }
    const [key, attached] = word.split('=', 2) as [string, string | undefined]
    const [flag, is] = Object.entries(flags).find(([long, { char }]) => key === `--${long}` || key === `-${char}`) ?? []
    if (flag === undefined || is === undefined) {
      faults.push(`${name} has no ${key}`)
      continue
    }
    given.add(flag)
    const value = is.type === 'boolean' ? '' : (attached ?? rest.shift())
    if (value === undefined) faults.push(`${key} wants a value`)
    else if (is.options?.includes(value) === false && !isPlaceholder(value))
      faults.push(`${key} does not take ${value}`)
  }
  const declared = Object.values(command.args)
  const isOpen = args.includes('…')
  if (!isOpen && args.length < declared.filter(({ required }) => required).length)
    faults.push(`${name} wants ${Object.keys(command.args).join(' and ')}`)
  if (!isOpen && command.strict !== false && args.length > declared.length)
    faults.push(`${name} does not take ${args.slice(declared.length).join(' ')}`)
  for (const [flag, { required, exclusive, dependsOn }] of Object.entries(command.flags)) {
    if (required && !given.has(flag)) faults.push(`${name} wants --${flag}`)
    if (!given.has(flag)) continue
    for (const other of exclusive ?? []) if (given.has(other)) faults.push(`--${flag} excludes --${other}`)
    for (const other of dependsOn ?? []) if (!given.has(other)) faults.push(`--${flag} wants --${other}`)
  }
  return faults
}

function isPlaceholder(word: string): boolean {
  return word.includes(unknown) || /^[A-Z]+$/.test(word)
}

/** Flags that a text names, wherever. */
export function flagsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-])/g)].map(([, flag]) => flag!)
}

/** Every flag that some command has. */
export const allFlags = new Set([
  'help',
  'version',
  ...[...commands.values()].flatMap(({ flags }) => Object.keys(flags)),
])
