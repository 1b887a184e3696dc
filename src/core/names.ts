import { MldsError } from './errors.js'

/** What the newest sweep is called wherever a sweep is named; no sweep may take it for its own name. */
export const latest = 'latest'

/**
 * Names of parameters and metrics that every place they go to takes: MLflow's rules (mlflow/utils/validation.py), and 10
 * characters fewer than its 250, for the parent run writes `best/` before some of them.
 */
const longest = 240
const allowed = /^[\p{L}\p{N}_./ :-]+$/u

/** What is wrong with a name, as the end of a sentence; undefined when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name.length === 0 || name.length > longest) return `${name.length} characters long (1 to ${longest} are right)`
  if (!allowed.test(name)) return 'of other characters than letters, digits, spaces and _ - . : /'
  // Stored as a path, it would be another one.
  return /^\/|\/$|\/\/|^\.\.|(?:^|\/)\.\.?(?:\/|$)/.test(name)
    ? 'not a path in its shortest form (a//b, ./a and a/ are not)'
    : undefined
}

/** Names as they come, each checked once, also against those before: no name may be the folder of another. */
export class NameCheck {
  readonly #known = new Set<string>()
  readonly #folders = new Set<string>()

  constructor(private readonly kind: 'metric' | 'axis') {}

  /** @throws MldsError for the first name that is not right. */
  add(names: Iterable<string>): void {
    for (const name of names) {
      if (this.#known.has(name)) continue
      const problem = nameProblem(name)
      if (problem !== undefined)
        throw new MldsError(
          'NAME',
          `a name of ${article[this.kind]} is ${problem}: ${JSON.stringify(name.slice(0, 300))}`,
        )
      const folders = foldersOf(name)
      const clash = this.#folders.has(name) || folders.some((folder) => this.#known.has(folder))
      if (clash)
        throw new MldsError(
          'NAME',
          `two names of ${plural[this.kind]} can't stand beside each other, for one is the folder of the other: ${this.#partner(name)} and ${name}`,
        )
      this.#known.add(name)
      folders.forEach((folder) => this.#folders.add(folder))
    }
  }

  #partner(name: string): string {
    return [...this.#known].find((known) => known.startsWith(`${name}/`) || name.startsWith(`${known}/`))!
  }
}

const article = { metric: 'a metric', axis: 'an axis' }
const plural = { metric: 'metrics', axis: 'axes' }

function foldersOf(name: string): string[] {
  const parts = name.split('/')
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'))
}

/**
 * What an object holds under a name that came from outside: `undefined` where it holds nothing, never what every object
 * inherits, for a metric may be called `constructor`.
 */
export function lookUp<T>(values: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined
}
