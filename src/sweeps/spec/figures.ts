import { quoteInput } from '../../core/quote-input.js'
import { SpaceError, UnknownNameError, writtenAt, type SpecPath } from '../../core/errors.js'
import { isMapping } from '../../core/is-mapping.js'
import { nameProblem } from '../../core/names.js'
import { figureKinds, type FigureScale, type WrittenFigure, type WrittenFigures } from '../../core/written-figure.js'

/** What a figure may say. */
export const figureKeys = ['kind', 'name', 'x', 'y', 'colour', 'panel', 'scale'] as const

export const figureNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,59}$/
const maxFigures = 50
/** More panels do not fit a page. */
export const maxCourseMetrics = 4
const example = 'such as {x: lr, y: loss, colour: width}, or the name of a figure'

/** Reads `figures:`, a list of names and of figures, or one of them. @throws SpaceError, UnknownNameError, with the path from there. */
export function parseFigures(raw: unknown): WrittenFigures {
  const all: unknown[] = Array.isArray(raw) ? raw : [raw]
  if (all.length > maxFigures) throw new SpaceError(`figures: ${all.length} figures (at most ${maxFigures})`)
  const figures = all.map((one, i) => parseOne(one, Array.isArray(raw) ? [i] : []))
  const names = figures.map((one) => (typeof one === 'string' ? one : one.name))
  const twice = names.findIndex((name, i) => name !== undefined && names.indexOf(name) < i)
  if (twice >= 0)
    writtenAt([twice], () => {
      throw new SpaceError(`figures: ${names[twice]!} is there twice (leave one out)`)
    })
  return figures
}

function parseOne(raw: unknown, path: SpecPath): string | WrittenFigure {
  const refuse = (at: SpecPath, problem: string): never =>
    writtenAt([...path, ...at], () => {
      throw new SpaceError(`figures: ${problem}`)
    })
  const known = <T extends string>(at: SpecPath, what: string, value: unknown, allowed: readonly T[]): T =>
    writtenAt([...path, ...at], () => {
      if (!(allowed as readonly unknown[]).includes(value))
        throw new UnknownNameError(what, typeof value === 'string' ? value : JSON.stringify(value), allowed)
      return value as T
    })
  if (typeof raw === 'string' && raw !== '') return raw
  if (!isMapping(raw)) return refuse([], `${quoteInput(raw)} is not a figure (${example})`)
  for (const key of Object.keys(raw)) known([key], 'key of a figure', key, figureKeys)
  const { kind = 'results', name, x, y, colour, panel, scale } = raw
  const checked = known(['kind'], 'kind of figure', kind, figureKinds)
  const text = (key: 'x' | 'colour' | 'panel', value: unknown): Partial<Record<typeof key, string>> => {
    if (value === undefined) return {}
    return typeof value === 'string' && nameProblem(value) === undefined
      ? { [key]: value }
      : refuse([key], `${key}: ${quoteInput(value)} is not a name`)
  }
  if (name !== undefined && !(typeof name === 'string' && figureNamePattern.test(name)))
    refuse(['name'], `name: ${quoteInput(name)} is not a name (letters, digits, - and _, at most 60)`)
  if (checked === 'course' ? x !== undefined : x === undefined)
    refuse(
      x === undefined ? [] : ['x'],
      checked === 'course' ? 'x: a course has its steps there (leave it out)' : `x: missing (${example})`,
    )
  return {
    kind: checked,
    ...(name === undefined ? {} : { name: name as string }),
    ...text('x', x),
    ...(y === undefined ? {} : { y: metricsOf(y, checked === 'course' ? maxCourseMetrics : 1, refuse) }),
    ...text('colour', colour),
    ...text('panel', panel),
    ...(scale === undefined ? {} : { scale: scaleOf(scale, refuse, known) }),
  }
}

type Refuse = (at: SpecPath, problem: string) => never

function metricsOf(raw: unknown, most: number, refuse: Refuse): string[] {
  const metrics: unknown[] = Array.isArray(raw) ? raw : [raw]
  if (metrics.length === 0 || metrics.length > most)
    refuse(['y'], `y: ${metrics.length} metrics (${most === 1 ? '1 is right' : `1 to ${most} are right`})`)
  return metrics.map((metric) =>
    typeof metric === 'string' && nameProblem(metric) === undefined
      ? metric
      : refuse(['y'], `y: ${quoteInput(metric)} is not the name of a metric`),
  )
}

function scaleOf(
  raw: unknown,
  refuse: Refuse,
  known: <T extends string>(at: SpecPath, what: string, value: unknown, allowed: readonly T[]) => T,
): { x?: FigureScale; y?: FigureScale } {
  if (!isMapping(raw)) return refuse(['scale'], `scale: ${quoteInput(raw)} is not a mapping (such as {y: log})`)
  return Object.fromEntries(
    Object.entries(raw).map(([axis, kind]) => [
      known(['scale', axis], 'axis of a scale', axis, ['x', 'y']),
      known(['scale', axis], 'scale', kind, ['linear', 'log'] as const),
    ]),
  )
}
