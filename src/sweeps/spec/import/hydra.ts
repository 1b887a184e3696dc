import { SpaceError } from '../../../core/errors.js'
import type { Imported } from './wandb.js'
import { expandValues } from '../values.js'

/**
 * Hydra's multirun overrides (`lr=1e-3,1e-2 seed=range(5) model=choice(a,b)`; basic and sweep syntax of Hydra 1.3) as a
 * sweep file; `program` is what Hydra ran.
 * @throws SpaceError when a word is no override.
 */
export function importHydra(overrides: string, program: string): Imported {
  const leftOut: string[] = []
  const found = new Map<string, unknown>()
  const words: string[] = []
  for (const word of splitOverrides(overrides)) {
    if (word === '-m' || word === '--multirun') continue
    const [, sign, name, raw] = /^(\+{0,2}|~)([\w.@/:-]+)(?:=([\s\S]*))?$/.exec(word) ?? []
    if (name === undefined) throw new SpaceError(`not a Hydra override: ${word} (such as lr=1e-3,1e-2)`)
    const values = raw === undefined || sign === '~' ? undefined : valuesOf(name, raw)
    if (values === undefined) {
      leftOut.push(word)
      continue
    }
    // Names of axes have no dots or signs; the program still gets Hydra's own.
    const axis = name.replace(/[^\w]+/g, '_')
    found.set(axis, values)
    words.push(`${sign}${name}={${axis}}`)
  }
  const axes = Object.fromEntries(found)
  const { seed, ...others } = axes
  const seeds = Array.isArray(seed) && seed.every((value) => Number.isSafeInteger(Number(value)))
  return {
    spec: {
      experiment: { command: ['python', program, ...words] },
      axes: seeds ? others : axes,
      ...(seeds ? { seeds: (seed as unknown[]).map(Number) } : {}),
    },
    leftOut,
  }
}

/** Values of a sweep override, or undefined for what needs Hydra itself (interpolation, tags, shuffling). */
function valuesOf(name: string, raw: string): unknown[] | undefined {
  if (/\$\{|^glob\(|shuffle|^tag\(|^sort\(|^interval\(/.test(raw)) return undefined
  const range = /^range\((.*)\)$/.exec(raw)
  if (range !== null) {
    if (/=/.test(range[1]!)) return undefined
    return expandValues(name, raw)
  }
  const choice = /^choice\((.*)\)$/.exec(raw)
  return splitOutside(choice?.[1] ?? raw, ',').map((value) => value.trim().replace(/^(['"])([\s\S]*)\1$/, '$2'))
}

function splitOverrides(text: string): string[] {
  return splitOutside(text, ' ').filter((word) => word !== '')
}

/** Split where the separator lies outside brackets and quotes. */
function splitOutside(text: string, separator: string): string[] {
  const parts = ['']
  let depth = 0
  let quote: string | undefined
  for (const letter of text) {
    if (quote !== undefined) quote = letter === quote ? undefined : quote
    else if (letter === '"' || letter === "'") quote = letter
    else if ('([{'.includes(letter)) depth++
    else if (')]}'.includes(letter)) depth--
    if (letter === separator && depth === 0 && quote === undefined) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts
}
