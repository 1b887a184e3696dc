import { SpaceError } from '../../core/errors.js'
import { wordOf } from '../../core/param-value.js'
import type { ParamValue, Params } from '../../core/trial.js'

/** Nested as JSON nests; without a prototype, so that a part of a name may be anything. */
interface Nested {
  [name: string]: ParamValue | Nested
}

/** A name between braces that stands for all parameters: as one word each (`--lr=0.1`), or as one JSON object. */
export const argsName = 'args'
export const paramsName = 'params'

/** Whether a name stands for the parameters whose names begin with it and a dot, as `model` for `model.layers`. */
export const isGroup = (name: string, axes: readonly string[]): boolean =>
  !axes.includes(name) && axes.some((axis) => axis.startsWith(`${name}.`))

/** Names with dots as objects within each other; a name stays whole where a part of it is a parameter too. */
function nest(values: readonly (readonly [string, ParamValue])[]): Nested {
  const names = new Set(values.map(([name]) => name))
  const root = Object.create(null) as Nested
  for (const [name, value] of values) {
    const parts = name.split('.')
    const hasParent = parts.some((_, i) => i > 0 && names.has(parts.slice(0, i).join('.')))
    if (hasParent || parts.includes('')) root[name] = value
    else {
      let at = root
      for (const part of parts.slice(0, -1)) at = (at[part] ??= Object.create(null) as Nested) as Nested
      at[parts.at(-1)!] = value
    }
  }
  return root
}

/** What `{params}` and `{model}` stand for beside the parameters themselves; `asked` are the names between braces. */
export function groupsOf(params: Params, asked: readonly string[]): Record<string, string> {
  const names = Object.keys(params)
  const entries = Object.entries(params)
  return Object.fromEntries(
    asked.flatMap((name): [string, string][] => {
      if (names.includes(name)) return []
      if (name === paramsName) return [[name, JSON.stringify(nest(entries))]]
      if (!isGroup(name, names)) return []
      const own = entries.flatMap(([axis, value]) =>
        axis.startsWith(`${name}.`) ? [[axis.slice(name.length + 1), value] as const] : [],
      )
      return [[name, JSON.stringify(nest(own))]]
    }),
  )
}

const argsWord = `{${argsName}}`

/** What `{args}` stands for: one word of each parameter that no other word names; one that is null is left out. */
export function wordsFor(params: Params, named: readonly string[]): string[] {
  const isSaid = (axis: string): boolean =>
    named.some((name) => name !== argsName && (name === axis || axis.startsWith(`${name}.`)))
  return Object.entries(params).flatMap(([axis, value]) =>
    isSaid(axis) || value === null ? [] : [`--${axis}=${wordOf(value)}`],
  )
}

/** @throws SpaceError where `{args}`, which is several words, is part of one. */
export function checkArgs(templates: readonly string[], argv: readonly string[]): void {
  const part = templates.find((word) => word.includes(argsWord) && !(word === argsWord && argv.slice(1).includes(word)))
  if (part !== undefined)
    throw new SpaceError(
      `command: ${part}: {args} is a word of its own behind the program (it becomes --name=value of each parameter)`,
    )
}
