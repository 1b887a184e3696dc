import { withoutUnsaid } from '../../core/without-unsaid.js'
import { SpaceError, SpecError } from '../../core/errors.js'
import type { Axis } from '../../core/space.js'
import { rangeOf, type SampledAxis } from './sampled-axis.js'
import { samplers, searchOf } from './samplers.js'
import { located, type SweepSpec } from './spec.js'
import { expandValues } from './values.js'

/** A search as flags say it. */
export interface SearchFlags {
  /** A sampler's name. */
  readonly search?: string | undefined
  readonly count?: number | undefined
  readonly parallel?: number | undefined
  /** `width=8..1024:log`, `rate=0.0..1` or `optimizer=adam,sgd`, each. */
  readonly range?: readonly string[] | undefined
  /** Values of axes: none of those that are searched. */
  readonly set?: readonly string[] | undefined
}

/**
 * The spec with what flags say of its search; what they leave out stays as it was.
 * @param axisOf the experiment's axis of a name, where it declares its axes.
 * @throws SpecError that names the flag.
 */
export function withSearchFlags(
  spec: SweepSpec,
  { search: sampler, count, parallel, range: ranges = [], set = [] }: SearchFlags,
  axisOf: (name: string) => Axis | undefined,
): SweepSpec {
  const typed = { search: sampler, count, parallel, range: ranges[0] }
  const first = Object.entries(typed).find(([, value]) => value !== undefined)
  if (first === undefined) return spec
  const flag = `--${first[0]} ${first[1]}`
  const { search: before, language = 1 } = spec
  if (sampler === undefined && before === undefined)
    throw new SpecError(flag, 'nothing is searched (name a sampler too: --search tpe)')
  refuseTwice(ranges, set)
  const added = Object.fromEntries(ranges.map((text) => parseRange(text, language, axisOf)))
  return located(flag, () => {
    const axes = { ...before?.axes, ...added }
    if (Object.keys(axes).length === 0) throw new SpaceError('no axis is searched (add --range width=8..1024:log)')
    if ((count ?? before?.count) === undefined) throw new SpaceError('how many points is not said (add --count 60)')
    const { axes: _, learning, ...rest } = before ?? { axes }
    const isDrawn = sampler !== undefined && Object.hasOwn(samplers, sampler)
    const said = withoutUnsaid({ sampler, count, parallel })
    const search = searchOf(axes, { ...rest, ...(isDrawn ? {} : learning), ...said })
    return { ...spec, search, axes: withoutNames(spec.axes, Object.keys(added)) }
  })
}

/** One axis in two flags: neither is what a person can have meant without the other. */
function refuseTwice(ranges: readonly string[], set: readonly string[]): void {
  const nameOf = (text: string): string => text.split('=')[0]!.trim()
  const first = new Map(set.map((text) => [nameOf(text), `--set ${text}`]))
  for (const text of ranges) {
    const before = first.get(nameOf(text))
    const flag = `--range ${text}`
    if (before !== undefined)
      throw new SpecError(`${before} ${flag}`, `both say which values ${nameOf(text)} has (leave one out)`)
    first.set(nameOf(text), flag)
  }
}

const withoutNames = <T>(all: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)))

const interval = /^(-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\.\.(-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(:log)?$/i
const isWhole = (text: string): boolean => /^-?\d+$/.test(text)

/** A list of values. What only looks like a range is none of them, or a slip would search the one text that it is. */
function listed(
  name: string,
  written: string,
  language: NonNullable<SweepSpec['language']>,
  axis: Axis | undefined,
): readonly unknown[] {
  const values = expandValues(name, written, { language, isLiteral: axis === undefined })
  if (values.length === 1 && values[0] === written && written.includes('..'))
    throw new SpaceError(
      `${name}: ${written} is not a range (low..high or low..high:log, of numbers; in two kinds of quotes, '"${written}"', it is a text)`,
    )
  return values
}

/** An axis that the experiment declares says whether it is of integers; else two whole ends do. */
function parseRange(
  text: string,
  language: NonNullable<SweepSpec['language']>,
  axisOf: (name: string) => Axis | undefined,
): [name: string, axis: SampledAxis] {
  const equals = text.indexOf('=')
  if (equals <= 0)
    throw new SpecError(`--range ${text}`, 'not of the form axis=low..high (such as --range width=8..1024:log)')
  const [name, written] = [text.slice(0, equals).trim(), text.slice(equals + 1).trim()]
  return located(`--range ${text}`, () => {
    const axis = axisOf(name)
    const ends = interval.exec(written)
    if (ends === null) return [name, { kind: 'choice', values: listed(name, written, language, axis) }]
    const [low, high] = [ends[1]!, ends[2]!]
    const isOfIntegers = axis === undefined ? isWhole(low) && isWhole(high) : axis.kind === 'integer'
    const isLog = ends[3] !== undefined
    const kind = isOfIntegers ? (isLog ? 'log-int' : 'int') : isLog ? 'log' : 'uniform'
    return [name, rangeOf(name, kind, [Number(low), Number(high)])]
  })
}
